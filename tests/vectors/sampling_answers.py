"""
What a Collector is asked about sampling, and its answers, kept so that it need not run again.

The file holds neither traces nor configurations, which follow from the seed; a sum over both tells
when they are no longer those that were asked about.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.testing import Order
from tests.vectors.sampling import Requests
from tests.vectors.sampling_policies import COUNTED, IN_TIME, WRITTEN, Config, random_config
from tests.vectors.sampling_traces import make_parts, make_traces, trace_ids_of

FILE = Path(__file__).parent / "data" / "tail_sampling_more.json"

RECORDED_SEEDS = (1, 2)
"""Spans of the first come in turns, traces of the second one after the other."""

TRACES, PARTED_TRACES, RANDOM_CONFIGS = 320, 120, 60

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Question:
    """Configurations, and what is sampled by each of them."""

    kind: str
    configs: dict[str, Config]
    requests: list[tuple[float, ExportTraceServiceRequest]]

    def encoded(self, order: Order) -> Requests:
        """The requests as bytes, with the seconds before each."""
        return [(wait_s, order.encode(request)) for wait_s, request in self.requests]

    def answer(self, name: str, sampled: Counter[bytes]) -> str:
        """
        What came out, as text that is compared.

        How many spans of each trace, a character for each; only how many traces where a rate is
        kept, since the Collector asks them in no fixed order.
        """
        if name in COUNTED:
            return f"{len(sampled)} traces"
        ids = dict.fromkeys(one for _, request in self.requests for one in trace_ids_of(request))
        assert sampled.keys() <= ids.keys()
        return "".join(_DIGITS[sampled[one]] for one in ids)

    @property
    def fingerprint(self) -> str:
        """What changes if the traces or the configurations do."""
        digest = hashlib.sha256(json.dumps(self.configs, sort_keys=True).encode())
        for _, request in self.requests:
            digest.update(request.SerializeToString(deterministic=True))
        return digest.hexdigest()


def questions(seed: int) -> tuple[Question, Question]:
    """Traces that come in one request, and traces that come in several."""
    numbers = range(RANDOM_CONFIGS)
    drawn = {f"random {number}": random_config(seed * 1000 + number) for number in numbers}
    at_once = {**WRITTEN, **COUNTED, **drawn}
    return (
        Question("at once", at_once, [(0.0, make_traces(seed, TRACES))]),
        Question("in parts", IN_TIME, make_parts(seed, PARTED_TRACES)),
    )


def write(answers: Mapping[int, Mapping[str, Mapping[str, str]]]) -> None:
    """Keep *answers*, by seed, kind of question and configuration."""
    kept = {
        "source": "OpenTelemetry Collector 0.155.0 (make interop), asked by sampling_differential",
        "seeds": {
            str(seed): {
                question.kind: {
                    "fingerprint": question.fingerprint,
                    "answers": answers[seed][question.kind],
                }
                for question in questions(seed)
            }
            for seed in answers
        },
    }
    FILE.write_text(json.dumps(kept, indent=0) + "\n")


def read() -> dict[str, Any]:
    """What was kept, by seed and kind of question."""
    kept: dict[str, Any] = json.loads(FILE.read_text())["seeds"]
    return kept
