"""The section of the `admin` extension."""

from pydantic import field_validator

from bridge.options import Duration, Options, parse_endpoint

ENDPOINT = "localhost:13134"
"""Next to the port of the Collector's health_check, 13133."""


class AdminOptions(Options):
    """Where the status page is served. It asks for no password: keep it on this machine."""

    endpoint: str = ENDPOINT
    """Where to listen, as host:port; an empty host is every interface, which is warned of."""
    interval: Duration = 2.0
    """Time between two samples for rates and plots; 150 of them are kept."""
    previews: bool = True
    """Whether dead letters show the first 200 bytes of their record."""
    allowed_hosts: tuple[str, ...] = ()
    """
    Names under which the page may be asked for, besides localhost and the endpoint's own host.

    A browser that was lured to another name which leads here is refused. An endpoint on every
    interface is answered under any name, unless names are listed here.
    """

    @field_validator("endpoint")
    @classmethod
    def _is_endpoint(cls, text: str) -> str:
        if parse_endpoint(text).path:
            raise ValueError(f"{text!r} must be host:port")
        return text

    @field_validator("interval")
    @classmethod
    def _is_interval(cls, value: float) -> float:
        if value < 0.1:
            raise ValueError("must be at least 100ms")
        return value
