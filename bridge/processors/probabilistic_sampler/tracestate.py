"""
The trace state of a span as far as samplers read and write it: ``ot=rv:...;th:...``.

Other members, and other values of ours, are kept as they are.

Source: W3C Trace Context, "tracestate"; OpenTelemetry specification, "TraceState Handling".
"""

import re

from bridge.processors.probabilistic_sampler.thresholds import (
    parse_randomness,
    parse_threshold,
    show_randomness,
    show_threshold,
)

LENGTH_MAX = 1024
"""Characters of a trace state that samplers look into."""

OURS_LENGTH_MAX = 256
"""Characters of the member of OpenTelemetry."""

MEMBERS_MAX = 31
"""Members, also empty ones."""

_KEY = r"[a-z0-9_\-*/]*"
_MEMBER = re.compile(
    rf"(?:[a-z]{_KEY}|[a-z0-9]{_KEY}@[a-z]{_KEY})=[ -+\--<>-~]{{0,255}}[!-+\--<>-~]"
)
_OUR_MEMBER = re.compile(r"[a-z][a-z0-9]*:[A-Za-z0-9._\-]*")
_TENANT_MAX, _SYSTEM_MAX, _KEY_MAX = 241, 14, 256


class TraceState:
    """
    A parsed trace state.

    `valid` says whether all of it was. What was not valid is missing, and gone once the state is
    written back.
    """

    def __init__(self, text: str) -> None:
        self.valid = True
        self.randomness: int | None = None
        self.threshold: int | None = None
        self._randomness_text = ""
        self._threshold_text = ""
        self._ours: list[str] = []
        self._others: list[str] = []
        if text:
            self._parse(text)

    def _parse(self, text: str) -> None:
        members = [member.strip(" \t") for member in text.split(",")]
        if len(text) > LENGTH_MAX or not all(
            not member or _MEMBER.fullmatch(member) for member in members
        ):
            self.valid = False
            return
        # A comma at the end makes no member.
        if len(members) - text.endswith(",") > MEMBERS_MAX:
            self.valid = False
        for member in members[:MEMBERS_MAX]:
            if not member:
                continue
            key, _, value = member.partition("=")
            if not _fits(key):
                self.valid = False
            elif key == "ot":
                self._parse_ours(value)
            else:
                self._others.append(member)

    def _parse_ours(self, text: str) -> None:
        self.set_randomness(None)
        self.set_threshold(None)
        self._ours = []
        members = text.split(";")
        if len(text) > OURS_LENGTH_MAX or not all(map(_OUR_MEMBER.fullmatch, members)):
            self.valid = False
            return
        for member in members:
            key, _, value = member.partition(":")
            if key == "rv":
                self.set_randomness(parse_randomness(value))
                self._randomness_text = "" if self.randomness is None else value
                self.valid &= self.randomness is not None
            elif key == "th":
                self.set_threshold(parse_threshold(value))
                self._threshold_text = "" if self.threshold is None else value
                self.valid &= self.threshold is not None
            else:
                self._ours.append(member)

    def set_randomness(self, randomness: int | None) -> None:
        """Have another randomness, or none."""
        self.randomness = randomness
        self._randomness_text = "" if randomness is None else show_randomness(randomness)

    def set_threshold(self, threshold: int | None) -> None:
        """Have another threshold, or none."""
        self.threshold = threshold
        self._threshold_text = "" if threshold is None else show_threshold(threshold)

    def __str__(self) -> str:
        ours = list(self._ours)
        if self._threshold_text:
            ours.insert(0, f"th:{self._threshold_text}")
        if self._randomness_text:
            ours.insert(0, f"rv:{self._randomness_text}")
        members = [f"ot={';'.join(ours)}"] if ours else []
        return ",".join([*members, *self._others])


def _fits(key: str) -> bool:
    tenant, at, system = key.partition("@")
    if len(key) > _KEY_MAX:
        return False
    return not at or (len(tenant) <= _TENANT_MAX and len(system) <= _SYSTEM_MAX)
