"""
Configurations of `tail_sampling` whose decisions are compared with a Collector's.

`WRITTEN` has every kind of policy at its edges; `random_config` nests them at random. All of them
are accepted by the Collector. Where a rate is kept the Collector asks traces in no fixed order, so
only `COUNTED` ones are here, whose outcome does not depend on it in number.
"""

import random
from collections.abc import Iterator
from itertools import count
from typing import Any

Config = dict[str, Any]

WAIT = {"decision_wait": "2s"}
CACHES = {"sampled_cache_size": 1000, "non_sampled_cache_size": 1000}


def policy(name: str, kind: str, **section: Any) -> Config:
    """One policy with its section."""
    return {"name": name, "type": kind, **({kind: section} if section else {})}


def _one(kind: str, **section: Any) -> Config:
    return {"policies": [policy("p", kind, **section)]}


def _not(name: str, inner: Config) -> Config:
    return {"name": name, "type": "not", "not": {"not_sub_policy": inner}}


def _and(name: str, *subs: Config) -> Config:
    return {"name": name, "type": "and", "and": {"and_sub_policy": list(subs)}}


def _drop(name: str, *subs: Config) -> Config:
    return {"name": name, "type": "drop", "drop": {"drop_sub_policy": list(subs)}}


def _composite(total: int, subs: list[Config], shares: dict[str, int], **more: Any) -> Config:
    allocation = [{"policy": name, "percent": percent} for name, percent in shares.items()]
    return {
        "name": "c",
        "type": "composite",
        "composite": {
            "max_total_spans_per_second": total,
            "composite_sub_policy": subs,
            "rate_allocation": allocation,
            **more,
        },
    }


ERRORS = policy("errors", "status_code", status_codes=["ERROR"])
SLOW = policy("slow", "latency", threshold_ms=1000)
RED = policy("red", "string_attribute", key="s", values=["red"])
EVEN = policy("half", "probabilistic", sampling_percentage=50)
ALWAYS = policy("all", "always_sample")
HEALTH = policy("health", "ottl_condition", span=['name == "GET /health"'])
BROKEN = policy(
    "broken", "ottl_condition", error_mode="propagate", span=['Len(attributes["n"]) > 2']
)


def _numeric() -> Iterator[tuple[str, Config]]:
    bounds = {
        "both": {"min_value": 10, "max_value": 100},
        "equal": {"min_value": 50, "max_value": 50},
        "low only": {"min_value": 100},
        "high only": {"max_value": 10},
        "low 0 is none": {"min_value": 0, "max_value": 10},
        "high 0 is none": {"min_value": 10, "max_value": 0},
        "negative": {"min_value": -10, "max_value": -1},
        "around 0": {"min_value": -1, "max_value": 1},
        "crossed": {"min_value": 100, "max_value": 10},
        "above 2^53": {"min_value": 2**53 + 1, "max_value": 2**53 + 1},
        "largest": {"min_value": 2**63 - 1},
        "smallest": {"max_value": -(2**63)},
    }
    for name, section in bounds.items():
        for inverted in (False, True):
            shown = f"numeric {name}" + (", inverted" if inverted else "")
            yield shown, _one("numeric_attribute", key="n", invert_match=inverted, **section)
    yield "numeric of a text", _one("numeric_attribute", key="s", min_value=-1, max_value=1)
    yield "numeric of no key", _one("numeric_attribute", key="", min_value=50, max_value=50)


def _texts() -> Iterator[tuple[str, Config]]:
    sections: dict[str, Config] = {
        "one": {"values": ["red"]},
        "some": {"values": ["red", "blue", ""]},
        "empty only": {"values": [""]},
        "none": {"values": []},
        "regex": {"values": ["red"], "enabled_regex_matching": True},
        "regex anchored": {"values": ["^red$", "^b"], "enabled_regex_matching": True},
        "regex any case": {"values": ["(?i)^RED"], "enabled_regex_matching": True},
        "regex of nothing": {"values": ["^$"], "enabled_regex_matching": True},
        "regex empty": {"values": [""], "enabled_regex_matching": True},
        "regex no values": {"values": [], "enabled_regex_matching": True},
        "regex small cache": {
            "values": ["d$"], "enabled_regex_matching": True, "cache_max_size": 1,
        },
    }  # fmt: skip
    for name, section in sections.items():
        for inverted in (False, True):
            shown = f"text {name}" + (", inverted" if inverted else "")
            yield shown, _one("string_attribute", key="s", invert_match=inverted, **section)
    for key, values in (
        ("service.name", ["till"]),
        ("nope", ["x"]),
        ("n", ["50", ""]),
        ("b", [""]),
    ):
        for inverted in (False, True):
            shown = f"text of {key}" + (", inverted" if inverted else "")
            yield shown, _one("string_attribute", key=key, invert_match=inverted, values=values)
    for key in ("b", "nope", "n"):
        for value in (False, True):
            for inverted in (False, True):
                shown = f"boolean {key} {value}" + (", inverted" if inverted else "")
                section = {"key": key, "value": value, "invert_match": inverted}
                yield shown, _one("boolean_attribute", **section)


def _simple() -> Iterator[tuple[str, Config]]:
    yield "all", {"policies": [ALWAYS]}
    yield "status OK, by itself", {"policies": [policy("p", "status_code", status_codes=["OK"])]}
    for low, high in ((0, 0), (100, 0), (499, 0), (500, 0), (501, 0), (5000, 0), (10**9, 0),
                      (0, 100), (99, 100), (100, 500), (500, 500), (500, 100), (-1, 0), (0, 1),
                      (1, 10**12)):  # fmt: skip
        section = {"threshold_ms": low, "upper_threshold_ms": high}
        yield f"latency {low} to {high}", _one("latency", **section)
    for codes in (["ERROR"], ["OK"], ["UNSET"], ["UNSET", "OK"], ["ERROR", "OK", "UNSET"]):
        yield f"status {' '.join(codes)}", _one("status_code", status_codes=codes)
    for percent in (0, 0.001, 1, 10, 12.5, 33.3, 50, 66.6, 99, 99.999, 100, 150, -5):
        yield f"share {percent}", _one("probabilistic", sampling_percentage=percent)
    for salt in ("", "default-hash-seed", "rye", "r\u00f6d", "x" * 300):
        section = {"hash_salt": salt, "sampling_percentage": 37.5}
        yield f"share with salt {salt[:20]!r}", _one("probabilistic", **section)
    for low, high in ((0, 0), (1, 1), (2, 0), (0, 1), (5, 8), (8, 5), (12, 12), (-1, -1), (13, 0)):
        yield f"spans {low} to {high}", _one("span_count", min_spans=low, max_spans=high)
    for key, values in (("oven", ["hot"]), ("oven", ["cold", "hot=hot"]), ("rack", ["1", ""]),
                        ("nope", ["x"]), ("oven", []), ("oven", [""]), ("", ["hot"]),
                        ("other@oven", ["hot"]), ("oven", ["x" * 300])):  # fmt: skip
        shown = f"trace state {key} {' '.join(values)[:20]}".rstrip()
        yield shown + f" of {len(values)}", _one("trace_state", key=key, values=values)
    yield "trace flags", {"policies": [policy("p", "trace_flags")]}


def _conditions() -> Iterator[tuple[str, Config]]:
    spans = {
        "number": ['attributes["n"] == 100'],
        "number as float": ['attributes["n"] >= 50.0'],
        "missing": ['attributes["n"] == nil'],
        "root": ["IsRootSpan()"],
        "resource": ['resource.attributes["service.name"] == "till"'],
        "scope": ['instrumentation_scope.name == "orders"'],
        "kind": ["kind == SPAN_KIND_SERVER"],
        "status": ["status.code == STATUS_CODE_ERROR"],
        "length of time": ["end_time_unix_nano - start_time_unix_nano > 500000000"],
        "state": ['trace_state["oven"] == "hot"'],
        "pattern": ['IsMatch(name, "^(GET|POST) /[a-z]+$")'],
        "flags": ["flags == 1"],
        "two": ['name == "bake"', 'attributes["b"] == true'],
        "text order": ['attributes["s"] > "blue"'],
        "trace id": ['Substring(trace_id.string, 0, 1) == "a"'],
    }
    for name, texts in spans.items():
        yield f"condition on {name}", _one("ottl_condition", span=texts)
    for mode in ("ignore", "silent", "propagate", None):
        section: Config = {"span": ['Len(attributes["n"]) > 2', 'name == "bake"']}
        if mode:
            section["error_mode"] = mode
        yield f"condition that fails, {mode}", _one("ottl_condition", **section)
        section = {**section, "spanevent": ['attributes["litres"] > 2.5']}
        yield f"condition that fails before events, {mode}", _one("ottl_condition", **section)
    for name, texts in {
        "name": ['name == "spill"'],
        "number": ['attributes["litres"] > 2.5'],
        "its span": ['span.name == "bake" and name == "exception"'],
        "its resource": ['resource.attributes["service.name"] == "till"'],
    }.items():
        yield f"event condition on {name}", _one("ottl_condition", spanevent=texts)
    both = {"span": ['name == "bake"'], "spanevent": ['name == "spill"']}
    yield "condition on both", _one("ottl_condition", **both)


def _nested() -> Iterator[tuple[str, Config]]:
    yield "and", {"policies": [_and("a", ERRORS, SLOW)]}
    yield "and of nothing", {"policies": [_and("a")]}
    yield "and of not", {"policies": [_and("a", SLOW, _not("n", ERRORS))]}
    yield "and, inverted", {"policies": [_and("a", SLOW, policy(
        "i", "string_attribute", key="s", values=["red"], invert_match=True))]}  # fmt: skip
    yield "and that fails first", {"policies": [_and("a", BROKEN, ERRORS), RED]}
    yield "and that fails last", {"policies": [_and("a", ERRORS, BROKEN), RED]}
    for inner in (ERRORS, SLOW, RED, EVEN, ALWAYS, BROKEN):
        yield f"not {inner['name']}", {"policies": [_not("n", inner)]}
    yield "drop alone", {"policies": [_drop("d", ERRORS)]}
    yield "drop of all", {"policies": [ALWAYS, _drop("d")]}
    yield "drop last", {"policies": [ALWAYS, _drop("d", ERRORS)]}
    yield "drop of two", {"policies": [_drop("d", ERRORS, SLOW), ALWAYS]}
    yield "drop of not", {"policies": [_drop("d", _not("n", ERRORS)), ALWAYS]}
    yield "drop of share", {"policies": [_drop("d", EVEN), ALWAYS]}
    yield "drop that fails", {"policies": [_drop("d", BROKEN), ALWAYS]}
    yield "two drops", {"policies": [_drop("d", HEALTH), ALWAYS, _drop("e", RED)]}
    yield "failing beside sampling", {"policies": [BROKEN, RED]}
    yield "only failing", {"policies": [BROKEN]}
    inverted = policy("i", "string_attribute", key="s", values=["red"], invert_match=True)
    yield "inverted vetoes nobody", {"policies": [inverted, RED]}
    for first in (False, True):
        policies = [RED, ERRORS, EVEN, _drop("d", HEALTH)]
        yield f"many, first match {first}", {"sample_on_first_match": first, "policies": policies}
    for strategy in ("trace-complete", "span-ingest"):
        yield (
            f"{strategy} with a drop",
            {
                "sampling_strategy": strategy,
                "policies": [RED, ERRORS, _drop("d", HEALTH)],
            },
        )
    for size in (1, 250, 400, 600, 1000, 1500):
        yield f"at most {size} bytes", {"maximum_trace_size_bytes": size, "policies": [ALWAYS]}


def _composites() -> Iterator[tuple[str, Config]]:
    most = 10**7
    both = {"errors": 50, "slow": 50}
    yield "composite", {"policies": [_composite(most, [ERRORS, SLOW], both)]}
    order = {"policy_order": ["slow", "errors"]}
    yield "composite order", {"policies": [_composite(most, [ERRORS, SLOW], both, **order)]}
    yield "composite 0 %", {"policies": [_composite(most, [ERRORS, SLOW], {**both, "slow": 0})]}
    yield "composite missing share", {"policies": [_composite(most, [ERRORS, SLOW], {"slow": 50})]}
    yield "composite no shares", {"policies": [_composite(most, [ERRORS, SLOW], {})]}
    yield "composite -1 %", {"policies": [_composite(most, [ERRORS, SLOW], {**both, "slow": -1})]}
    yield "composite 300 %", {"policies": [_composite(most, [ERRORS, SLOW], {**both, "slow": 300})]}
    yield "composite of nothing a second", {"policies": [_composite(0, [ERRORS, SLOW], both)]}
    yield "composite first blocks", {"policies": [_composite(most, [ALWAYS, SLOW], {"slow": 100})]}
    yield (
        "composite of and",
        {
            "policies": [
                _composite(most, [_and("a", RED, _not("n", ERRORS)), SLOW], {"a": 9, "slow": 20})
            ]
        },
    )
    yield "composite that fails", {"policies": [
        _composite(most, [BROKEN, SLOW], {"broken": 50, "slow": 50})]}  # fmt: skip
    yield "composite of share", {"policies": [_composite(most, [EVEN, RED], {"half": 1, "red": 1})]}
    yield "composite beside others", {"policies": [
        _drop("d", HEALTH), _composite(most, [EVEN, SLOW], {"slow": 9}), RED]}  # fmt: skip


def _rates() -> Iterator[tuple[str, Config]]:
    eight = policy("eight", "span_count", min_spans=8, max_spans=8)
    twelve = policy("twelve", "span_count", min_spans=12)

    def spans(rate: int, burst: int) -> Config:
        return policy("r", "rate_limiting", spans_per_second=rate, burst_capacity=burst)

    yield "rate of eight", {"policies": [_and("a", eight, spans(1, 84))]}
    yield "rate of twice", {"policies": [_and("a", eight, policy(
        "r", "rate_limiting", spans_per_second=6))]}  # fmt: skip
    yield "rate below a trace", {"policies": [_and("a", twelve, spans(4, 11))]}
    yield "rate of nothing", {"policies": [spans(0, 0)]}
    yield "rate above all", {"policies": [spans(10**6, 0)]}
    yield "not below a rate", {"policies": [_and("a", twelve, _not("n", spans(1, 40)))]}
    yield "drop within a rate", {"policies": [_drop("d", eight, spans(1, 40)), eight]}

    def sized(rate: int, burst: int) -> Config:
        return policy("r", "bytes_limiting", bytes_per_second=rate, burst_capacity=burst)

    yield "bytes above all", {"policies": [sized(10**9, 0)]}
    yield "bytes below all", {"policies": [sized(1, 10)]}
    yield "bytes of nothing", {"policies": [sized(0, 0)]}
    yield "composite below a trace", {"policies": [_composite(11, [twelve], {"twelve": 100})]}
    yield "composite of eight", {"policies": [_composite(20, [eight], {"eight": 100})]}
    yield "composite share of eight", {"policies": [_composite(100, [eight], {"eight": 33})]}


WRITTEN: dict[str, Config] = {
    name: {**WAIT, **config}
    for part in (_simple(), _numeric(), _texts(), _conditions(), _nested(), _composites())
    for name, config in part
}
"""What decides each trace by itself: the same traces must be sampled."""

COUNTED: dict[str, Config] = {name: {**WAIT, **config} for name, config in _rates()}
"""What keeps a rate over traces of one size: as many traces must be sampled."""

IN_TIME: dict[str, Config] = {
    name: {"decision_wait": "6s", **config}
    for name, config in {
        "errors, both caches": {"policies": [ERRORS], "decision_cache": CACHES},
        "errors, default caches": {"policies": [ERRORS]},
        "not errors": {"policies": [_not("n", ERRORS)], "decision_cache": CACHES},
        "drop errors": {"policies": [ALWAYS, _drop("d", ERRORS)], "decision_cache": CACHES},
        "root": {
            "policies": [ERRORS],
            "decision_wait_after_root_received": "1s",
            "decision_cache": CACHES,
        },
        "root, default caches": {
            "policies": [_not("n", ERRORS)],
            "decision_wait_after_root_received": "1s",
        },
        "four spans": {
            "policies": [policy("p", "span_count", min_spans=4)],
            "decision_cache": CACHES,
        },
        "on entry": {
            "policies": [ERRORS],
            "sampling_strategy": "span-ingest",
            "decision_cache": CACHES,
        },
        "at most 300 bytes": {
            "policies": [ALWAYS],
            "maximum_trace_size_bytes": 300,
            "decision_cache": CACHES,
        },
    }.items()
}
"""For traces that come in several requests: how many spans of each come out must be equal."""


def random_config(seed: int) -> Config:
    """Up to four policies, nested at random."""
    dice = random.Random(seed)
    names = (f"p{number}" for number in count())
    policies = [_any(dice, names) for _ in range(dice.randint(1, 4))]
    return {**WAIT, "sample_on_first_match": dice.random() < 0.2, "policies": policies}


def _any(dice: random.Random, names: Iterator[str]) -> Config:
    kind = dice.choice(("leaf", "leaf", "and", "not", "drop", "composite"))
    subs = [_leaf_or_not(dice, names) for _ in range(dice.randint(1, 3))]
    if kind == "and":
        return _and(next(names), *subs)
    if kind == "not":
        return _not(next(names), _leaf(dice, names))
    if kind == "drop":
        return _drop(next(names), *subs)
    if kind == "composite":
        held = [_leaf(dice, names), _and(next(names), *subs), _leaf(dice, names)]
        shares = {one["name"]: dice.choice((0, 1, 50, -3)) for one in held if dice.random() < 0.8}
        return {**_composite(10**8, held, shares), "name": next(names)}
    return _leaf(dice, names)


def _leaf_or_not(dice: random.Random, names: Iterator[str]) -> Config:
    if dice.random() < 0.25:
        return _not(next(names), _leaf(dice, names))
    return _leaf(dice, names)


def _leaf(dice: random.Random, names: Iterator[str]) -> Config:
    """Any of the policies above, which stands by itself there."""
    while True:
        found = dice.choice(_LEAVES)
        if found["type"] not in ("and", "not", "drop", "composite"):
            return {**found, "name": next(names)}


_LEAVES = [config["policies"][0] for config in WRITTEN.values() if len(config["policies"]) == 1]
