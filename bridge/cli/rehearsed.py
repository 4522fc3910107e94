"""The outcome of a rehearsal as tables for people and as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bridge.cli.output import size_text, table_lines
from bridge.processors.tail_sampling import Amount, Exceptions, Outcome, Rehearsal, SideTotals

SERVICES_SHOWN_MAX = 20
"""Services in the table, those that change most first; JSON has all."""

_KEPT, _GAINED, _LOST, _LEFT = (True, True), (False, True), (True, False), (False, False)


def as_lines(
    rehearsal: Rehearsal, topics: Sequence[str], since: str, notes: Sequence[str]
) -> list[str]:
    """Tables, and notes on what is not in them."""
    comparison = rehearsal.comparison
    both = comparison.current is not None
    lines = [_heading(rehearsal, topics, since)]
    if not rehearsal.records:
        return [*lines, *(f"note: {note}" for note in notes)]
    lines += ["", *_totals(rehearsal)]
    lines += ["", *_policies(comparison.candidate, comparison.current)]
    lines += ["", *_services(comparison.services, both=both)]
    told = [*notes, *_remarks(rehearsal)]
    if told:
        lines += ["", *(f"note: {note}" for note in told)]
    return lines


def as_json(
    rehearsal: Rehearsal, topics: Sequence[str], since_s: float, notes: Sequence[str]
) -> dict[str, Any]:
    """Everything."""
    comparison = rehearsal.comparison
    candidate, current = rehearsal.exceptions()
    return {
        "topics": list(topics),
        "since_s": since_s,
        "records": rehearsal.records,
        "unreadable_records": rehearsal.unreadable,
        "spans": rehearsal.spans,
        "bytes": rehearsal.size_bytes,
        "first": _time(rehearsal.first_ms),
        "last": _time(rehearsal.last_ms or None),
        "candidate": _side(comparison.candidate, candidate),
        "current": None
        if comparison.current is None or current is None
        else _side(comparison.current, current),
        "outcomes": _outcomes(comparison.outcomes),
        "services": {name: _outcomes(one) for name, one in sorted(comparison.services.items())},
        "uncompared_traces": comparison.uncompared,
        "notes": list(notes),
    }


def _side(totals: SideTotals, exceptions: Exceptions) -> dict[str, Any]:
    return {
        "kept": _amount(totals.kept),
        "not_kept": _amount(totals.not_kept),
        "policies": [
            {"policy": name, "keeps": keeps, **_amount(amount)}
            for (name, keeps), amount in sorted(totals.policies.items())
        ],
        **asdict(exceptions),
    }


def _amount(amount: Amount) -> dict[str, int]:
    return {"traces": amount.traces, "spans": amount.spans, "bytes": amount.size_bytes}


_OUTCOME_NAMES: dict[Outcome, str] = {
    _KEPT: "kept_by_both",
    _GAINED: "newly_kept",
    _LOST: "no_longer_kept",
    _LEFT: "kept_by_none",
    (None, True): "kept",
    (None, False): "not_kept",
}


def _outcomes(outcomes: dict[Outcome, Amount]) -> dict[str, dict[str, int]]:
    return {_OUTCOME_NAMES[outcome]: _amount(amount) for outcome, amount in outcomes.items()}


def _heading(rehearsal: Rehearsal, topics: Sequence[str], since: str) -> str:
    names = ", ".join(topics)
    if not rehearsal.records:
        return f"{names}: no record of the last {since}"
    span = f"{_time(rehearsal.first_ms)} to {_time(rehearsal.last_ms)}"
    return (
        f"{names}, the last {since}: {rehearsal.records:,} records, {rehearsal.spans:,} spans, "
        f"{size_text(rehearsal.size_bytes)}, {span}"
    )


def _totals(rehearsal: Rehearsal) -> list[str]:
    comparison = rehearsal.comparison
    candidate, outcomes = comparison.candidate, comparison.outcomes
    rows: list[tuple[str, ...]] = [("", "traces", "spans", "bytes")]
    if comparison.current is None:
        rows += [_row("kept", candidate.kept), _row("not kept", candidate.not_kept)]
        return table_lines(rows, words=1)
    empty = Amount()
    rows += [
        _row("kept by current", comparison.current.kept),
        _row("kept by candidate", candidate.kept),
        _row("  kept by both", outcomes.get(_KEPT, empty)),
        _row("  newly kept", outcomes.get(_GAINED, empty)),
        _row("  no longer kept", outcomes.get(_LOST, empty)),
        _row("kept by none", outcomes.get(_LEFT, empty)),
    ]
    return table_lines(rows, words=1)


def _policies(candidate: SideTotals, current: SideTotals | None) -> list[str]:
    """What each policy settles: the first that samples a trace, or the one that drops it."""
    keys = dict.fromkeys([*candidate.policies, *(current.policies if current is not None else ())])
    head = ("policy", "", "traces", "spans", "bytes")
    rows: list[tuple[str, ...]] = [head if current is None else (*head, "traces now", "spans now")]
    for name, keeps in keys:
        amount = candidate.policies.get((name, keeps), Amount())
        row = _row(name, amount)
        row = (row[0], "keeps" if keeps else "drops", *row[1:])
        if current is not None:
            now = current.policies.get((name, keeps), Amount())
            row = (*row, f"{now.traces:,}", f"{now.spans:,}")
        rows.append(row)
    return table_lines(rows, words=2)


def _services(services: dict[str, dict[Outcome, Amount]], *, both: bool) -> list[str]:
    ranked = sorted(services.items(), key=lambda entry: (-_weight(entry[1]), entry[0]))
    shown, left = ranked[:SERVICES_SHOWN_MAX], len(ranked) - SERVICES_SHOWN_MAX
    if both:
        columns: list[tuple[str, tuple[Outcome, ...]]] = [
            ("kept now", (_KEPT, _LOST)),
            ("kept then", (_KEPT, _GAINED)),
            ("newly kept", (_GAINED,)),
            ("no longer", (_LOST,)),
        ]
    else:
        columns = [("kept", ((None, True),))]
    rows: list[tuple[str, ...]] = [("service", "traces", *(title for title, _ in columns))]
    for name, outcomes in shown:
        counts = [_traces(outcomes, outcomes)]
        counts += [_traces(outcomes, wanted) for _, wanted in columns]
        rows.append((name or "(none)", *(f"{count:,}" for count in counts)))
    more = [f"and {left:,} more services: --output json has all"] if left > 0 else []
    return [*table_lines(rows, words=1), *more]


def _weight(outcomes: dict[Outcome, Amount]) -> int:
    """What changes counts before what is merely much."""
    changed = _traces(outcomes, (_GAINED, _LOST))
    return changed * 1_000_000 + _traces(outcomes, outcomes)


def _traces(outcomes: dict[Outcome, Amount], wanted: Iterable[Outcome]) -> int:
    return sum(outcomes[one].traces for one in wanted if one in outcomes)


def _remarks(rehearsal: Rehearsal) -> list[str]:
    """What happened beside decisions in time."""
    remarks = []
    if rehearsal.unreadable:
        remarks.append(f"{rehearsal.unreadable:,} records cannot be decoded and were left out")
    candidate, current = rehearsal.exceptions()
    for who, found in (("candidate", candidate), ("current", current)):
        if found is None:
            continue
        remarks += [
            f"{who}: {count:,} traces decided early ({cause})"
            for cause, count in found.early.items()
            if count
        ]
        if found.open_at_end:
            remarks.append(
                f"{who}: {found.open_at_end:,} traces were still waiting where the topic ends, "
                "and were decided on what is there"
            )
        if found.late_kept or found.late_dropped:
            remarks.append(
                f"{who}: late spans followed earlier decisions: {found.late_kept:,} kept, "
                f"{found.late_dropped:,} dropped; they are not in the tables"
            )
        if found.policy_errors:
            remarks.append(f"{who}: policies failed {found.policy_errors:,} times")
    if rehearsal.comparison.uncompared:
        count = rehearsal.comparison.uncompared
        remarks.append(f"{count:,} traces were decided by one side only")
    return remarks


def _row(title: str, amount: Amount) -> tuple[str, ...]:
    return title, f"{amount.traces:,}", f"{amount.spans:,}", size_text(amount.size_bytes)


def _time(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
