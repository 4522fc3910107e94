"""What ``otlp-bridge top`` shows of ``/api/status``. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.cli.output import size_text

Told = Mapping[str, Any]

_WELL = ("StatusOK", "StatusStarting")
_STYLES = {"flowing": "green", "idle": "green", "holding": "bold red"}
_EVENTS_SHOWN = 8
_LETTERS_SHOWN = 5
_COLUMNS = (
    *("received", "consumed", "taken", "acknowledged", "refused", "invalid", "delivered"),
    *("dead_lettered", "dropped", "rejected", "returned", "duplicates"),
)


def view(told: Told) -> RenderableType:
    """All of it, in the order in which one asks at night: what is wrong, what flows, what waits."""
    return Group(*_parts(told))


def _parts(told: Told) -> Iterator[RenderableType]:
    yield _head(told)
    yield from _troubles(told)
    yield _flow(told)
    if told["partitions"]:
        yield _partitions(told)
    if told["tail_sampling"]["stages"]:
        yield from _sampling(told)
    yield _ledger(told)
    yield from _letters(told)
    yield from _events(told)


def _head(told: Told) -> Text:
    ready = ("ready", "bold green") if told["ready"] else ("not ready", "bold red")
    off = [one for one in told["ledger"] if one["imbalance"]]
    balance = ("the ledger is off", "bold red") if off else ("the ledger balances", "green")
    facts = f"up {seconds(told['uptime_s'])}  {size_text(told['memory_bytes'])}"
    workers = f"  {len(told['workers'])} workers" if told["workers"] else ""
    return Text.assemble(("otlp-bridge  ", "bold"), ready, "  ", balance, "  ", facts, workers)


def _troubles(told: Told) -> Iterator[Text]:
    for one in told["components"]:
        if one["state"] not in _WELL:
            yield Text(f"{one['name']}: {one['reason'] or one['state']}", style="red")
            if one["hint"]:
                yield Text(f"  {one['hint']}")


def _flow(told: Told) -> Table:
    table = _table("", "component", "in/s", "out/s", "refused, failed/s", "in flight", "total")
    for one in told["receivers"]:
        table.add_row(
            *("receiver", one["id"], number(one["accepted_per_s"]), ""),
            *(
                number(one["refused_per_s"]),
                size_text(one["in_flight_bytes"]),
                whole(one["accepted"]),
            ),
        )
    for one in told["processors"]:
        if "dropped" in one:
            total = f"{whole(one['dropped'])} dropped"
            row = ("", "", number(one["dropped_per_s"]), "", total)
        else:
            incoming, outgoing = one["incoming_per_s"], one["outgoing_per_s"]
            row = (number(incoming), number(outgoing), "", "", whole(one["outgoing"]))
        table.add_row("processor", one["id"], *row)
    for one in told["exporters"]:
        table.add_row(
            *("exporter", one["id"], "", number(one["sent_per_s"]), number(one["failed_per_s"])),
            *(size_text(one["buffered_bytes"]), whole(one["sent"])),
        )
    return table


def _partitions(told: Told) -> Table:
    table = _table(
        *("partition", "state", "lag", "lag in time", "records/s", "unfinished", "oldest", "why"),
        left=(0, 1, 7),
    )
    for one in told["partitions"]:
        at = f"at offset {one['offset']}: " if "offset" in one else ""
        why = "; ".join([at + one["reason"], *(f"waits for {each}" for each in one["waits_for"])])
        table.add_row(
            f"{one['topic']}/{one['partition']}",
            Text(one["state"], style=_STYLES.get(one["state"], "yellow")),
            *(whole(one["lag_records"]), seconds(one["lag_s"]), number(one["records_per_s"])),
            *(whole(one["unfinished_records"]), seconds(one["oldest_unfinished_s"])),
            Text(why.strip("; ")),
        )
    return table


def _sampling(told: Told) -> Iterator[Table]:
    stages = _table("gathers traces", "undecided", "bytes", "undelivered", "oldest", left=(0,))
    for one in told["tail_sampling"]["stages"]:
        worker = "" if one["worker"] is None else f" (worker {one['worker']})"
        stages.add_row(
            f"{one['processor']}@{one['pipeline']}{worker}",
            *(whole(one["undecided_traces"]), size_text(one["undecided_bytes"])),
            *(size_text(one["undelivered_bytes"]), seconds(one["oldest_undecided_s"])),
        )
    yield stages
    policies = _table("policy", "sampled", "not sampled", "sampled/s", "errors", left=(0,))
    for one in told["tail_sampling"]["policies"]:
        policies.add_row(
            *(one["policy"], whole(one["sampled"]), whole(one["not_sampled"])),
            *(number(one["sampled_per_s"]), whole(one["errors"])),
        )
    yield policies


def _ledger(told: Told) -> Table:
    used = [name for name in _COLUMNS if any(one["columns"].get(name) for one in told["ledger"])]
    heads = [name.replace("_", " ") for name in used]
    table = _table("ledger", "signal", *heads, "in flight", "off by", left=(0, 1))
    for one in told["ledger"]:
        columns = one["columns"]
        if any(columns.values()):
            table.add_row(
                *(one["component"], one["signal"]),
                *(whole(columns[name]) if name in columns else "" for name in used),
                whole(one["in_flight"]),
                Text(whole(one["imbalance"]), style="bold red" if one["imbalance"] else "green"),
            )
    return table


def _letters(told: Told) -> Iterator[RenderableType]:
    letters = told["dead_letters"]
    if letters["records"]:
        reasons = ", ".join(f"{count} {why}" for why, count in letters["by_reason"].items())
        noun = "dead letter" if letters["records"] == 1 else "dead letters"
        yield Text(f"{whole(letters['records'])} {noun}: {reasons}", style="yellow")
        for one in letters["latest"][:_LETTERS_SHOWN]:
            where = f"{one['topic']}/{one['partition']}@{one['offset']}"
            yield Text(f"  {where}  {one['reason']}: {one['error']}")


def _events(told: Told) -> Iterator[Text]:
    loud = [one for one in told["events"] if one.get("level") in ("warning", "error", "critical")]
    for one in loud[-_EVENTS_SHOWN:]:
        shown = {**one}
        stamp, level = str(shown.pop("timestamp", ""))[11:19], shown.pop("level", "")
        event = shown.pop("event", "")
        rest = "  ".join(f"{key}={value}" for key, value in shown.items())
        style = "yellow" if level == "warning" else "red"
        line = Text.assemble((f"{stamp} {level} ", style), (str(event), "bold"), f"  {rest}")
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line


def _table(*heads: str, left: Sequence[int] = (0, 1)) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for at, head in enumerate(heads):
        is_text = at in left
        table.add_column(
            head,
            justify="left" if is_text else "right",
            no_wrap=not is_text,
            overflow="fold" if is_text else "ellipsis",
        )
    return table


def whole(value: float) -> str:
    """A count with thousands told apart."""
    return f"{round(value):,}"


def number(value: float) -> str:
    """A rate: short, exact enough."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def seconds(value: float) -> str:
    """A duration in the unit that one would say."""
    if value >= 7200:
        return f"{value / 3600:.1f} h"
    return f"{value / 60:.1f} min" if value >= 120 else f"{value:.1f} s"
