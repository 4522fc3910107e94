"""Converters about addresses: URLs and networks."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Get
from bridge.ottl.functions.registry import function, need, several
from bridge.ottl.signature import Kind
from bridge.ottl.url import parse_url

_Network = IPv4Network | IPv6Network


@function("URL", need("uri", Kind.STRING))
def url(uri: Expression) -> Get:
    """The parts of a URL under the names of the semantic conventions."""

    def get(cursor: Cursor) -> dict[str, object]:
        text = uri.get(cursor)
        if not text:
            raise OttlError("the URL is empty")
        return parse_url(text)

    return get


@function("IsInCIDR", need("target", Kind.STRING), several("networks", Kind.STRING))
def is_in_cidr(target: Expression, networks: list[Expression]) -> Get:
    """Whether an address lies in one of several networks; what is no address does not."""
    fixed: list[_Network] | None = None
    if all(network.literal for network in networks):
        fixed = [_network(network.value) for network in networks]

    def get(cursor: Cursor) -> bool:
        text = target.get(cursor)
        try:
            address = ip_address(text)
        except ValueError:
            return False
        if "%" in text:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        if fixed is not None:
            return any(address in network for network in fixed)
        return any(address in _dynamic(network.get(cursor)) for network in networks)

    return get


def _network(text: str) -> _Network:
    if "/" not in text:
        raise ValueError(f"{text!r} is no network: write 10.0.0.0/8")
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(f"{text!r} is no network: {error}") from None


def _dynamic(text: str) -> _Network:
    try:
        return _network(text)
    except ValueError as error:
        raise OttlError(str(error)) from None
