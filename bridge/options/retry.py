"""How a delivery that failed is tried again."""

from typing import Self

from pydantic import Field, model_validator

from bridge.options.base import Options
from bridge.options.duration import Duration


class RetryOnFailure(Options):
    """The Collector's ``retry_on_failure``."""

    enabled: bool = True
    """Try again here. When false, whoever delivered gets the error at once and retries itself."""

    initial_interval: Duration = 5.0
    """Seconds before the first retry."""

    multiplier: float = Field(default=1.5, ge=1.0)
    """Each interval is this many times the one before."""

    randomization_factor: float = Field(default=0.5, ge=0.0, le=1.0)
    """Each wait is drawn from interval ± this share of it, so that senders spread out."""

    max_interval: Duration = 30.0
    """Seconds that an interval grows to at most."""

    max_elapsed_time: Duration = 300.0
    """
    Seconds after which data that came in by OTLP is given up and its sender told so; 0 for no
    limit of its own. The sender's deadline always applies and is usually much shorter. Data read
    from Kafka is retried without end: giving up would lose it.
    """

    max_retry_after: Duration = 300.0
    """Seconds that a backend may make us wait by Retry-After or RetryInfo; longer hints are cut."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("initial_interval", "max_interval", "max_elapsed_time", "max_retry_after"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")
        if self.initial_interval == 0 and self.enabled:
            raise ValueError("initial_interval must be above 0: a retry without a pause is a storm")
        if self.max_interval < self.initial_interval:
            raise ValueError(
                f"max_interval {self.max_interval:g}s is below "
                f"initial_interval {self.initial_interval:g}s"
            )
        return self
