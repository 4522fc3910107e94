"""The config of the probabilistic sampler, in the Collector's spelling."""

import math
import struct
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bridge.options import Options
from bridge.processors.probabilistic_sampler.thresholds import DIGITS, PROBABILITY_MIN


def to_single(value: float) -> float:
    """*value* with the precision of 32 bits, with which the Collector keeps percentages."""
    single: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return single


def _check_percentage(value: float) -> float:
    if not math.isfinite(value) or value < 0:
        raise ValueError("sampling_percentage must be a number of at least 0")
    if 0 < value / 100 < PROBABILITY_MIN:
        raise ValueError(f"sampling_percentage must be 0 or at least {PROBABILITY_MIN * 100:g}")
    return to_single(min(value, 100.0))


class SamplerOptions(Options):
    """
    Keep a share of the spans or log records, decided for each from its trace id.

    Spans of one trace are kept or dropped together, also by samplers in other places.
    """

    sampling_percentage: Annotated[float, AfterValidator(_check_percentage)] = 0.0
    """How much is kept, in percent. Nothing by default; above 100 counts as 100."""
    hash_seed: int = Field(default=0, ge=0, lt=1 << 32)
    """
    For mode hash_seed: samplers with one seed agree with each other, those with different seeds
    decide independently.
    """
    mode: Literal["hash_seed", "equalizing", "proportional", ""] = ""
    """
    How is decided: hash_seed (the default) hashes trace ids; equalizing brings all items to the
    same probability, however they were sampled before; proportional keeps this share of those that
    arrive. The latter two read and write the ``ot`` member of the trace state.
    """
    fail_closed: bool = True
    """Whether items are dropped that cannot be decided about, such as those without a trace id."""
    sampling_precision: int = Field(default=4, ge=1, le=DIGITS)
    """Hex digits of the thresholds that equalizing and proportional write."""
    attribute_source: Literal["traceID", "record"] = "traceID"
    """For logs in mode hash_seed: whether the trace id is hashed, or only from_attribute."""
    from_attribute: str = ""
    """For logs in mode hash_seed: the attribute that is hashed where there is no trace id."""
    sampling_priority: str = ""
    """For logs: the attribute that holds the percentage of its own record, if that has one."""
