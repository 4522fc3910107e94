"""``otlp-bridge offsets show|reset``"""

import asyncio
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from bridge.cli.kafka_receivers import GroupOfReceiver, groups_of, one_group_of
from bridge.cli.loading import Config, Set, load_or_print, quiet_logs
from bridge.cli.output import Output, print_failure, print_json, print_table
from bridge.core import Clock, ConfigError, SystemClock
from bridge.kafka import (
    GroupFacts,
    OffsetMove,
    PartitionLag,
    ResetTarget,
    describe_group,
    plan_reset,
    read_lag,
    reset_offsets,
)
from bridge.options import parse_duration_s

app = cyclopts.App(name="offsets", help="Show and reset where the Kafka receivers go on.")

Flag = Annotated[bool, Parameter(negative="")]

_SHOW = ("receiver", "topic", "partition", "begin", "committed", "end", "beyond")
_MOVE = ("topic", "partition", "begin", "end", "committed", "new", "again", "skipped")


@app.command
def show(config: Config, *, receiver: str = "", set_: Set = None, output: Output = "text") -> int:
    """
    Show for each partition what is committed, and who is in the group.

    Columns: the ends of the log, the committed offset between them, and how many records beyond
    it are finished already. ``otlp-bridge lag`` shows how old what is left is.

    Exit codes: 0 shown, 64 wrong usage, 75 the brokers do not answer, 77 they do not let us, 78
    the configuration is wrong or has no such receiver.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order.
    receiver
        Id of one Kafka receiver; all by default.
    set_
        A value to lay over the configuration. May be repeated.
    output
        A table, or JSON.
    """
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    quiet_logs()
    found = asyncio.run(_look(groups_of(loaded, receiver)))
    if output == "json":
        print_json(
            [
                {
                    "receiver": one.receiver,
                    **_group_json(facts),
                    "partitions": [asdict(lag) for lag in lags],
                }
                for one, facts, lags in found
            ]
        )
        return EXIT_OK
    rows = [_shown(one.receiver, lag) for one, _, lags in found for lag in lags]
    print_table(_SHOW, rows)
    for one, facts, _ in found:
        print(f"{one.receiver}: group {one.group} {_members(facts)}")
    return EXIT_OK


@app.command
def reset(
    config: Config,
    *,
    to_earliest: Flag = False,
    to_latest: Flag = False,
    to_time: str = "",
    to_offset: int | None = None,
    topic: str = "",
    partition: int | None = None,
    receiver: str = "",
    dry_run: Flag = False,
    yes: Flag = False,
    set_: Set = None,
    output: Output = "text",
) -> int:
    """
    Let a Kafka receiver's group go on somewhere else, once nobody is in it.

    Going back delivers records again; going forward skips records for good. Both are shown before
    anything is changed.

    Exit codes: 0 done, or shown with --dry-run; 64 wrong usage, or not confirmed; 69 somebody is in
    the group, or the offset does not exist; 75 the brokers do not answer, 77 they do not let us, 78
    the configuration is wrong or has no such receiver or topic.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order.
    to_earliest
        The oldest record that is there.
    to_latest
        The end: everything that is there now is skipped.
    to_time
        The first record of this time or later: 2026-11-28T07:00:00Z (UTC if it names no zone), or
        how long ago, as in 90m.
    to_offset
        This offset; with --topic and --partition unless all have it.
    topic
        Only this topic.
    partition
        Only this partition; needs --topic.
    receiver
        Id of the Kafka receiver, if the configuration has several.
    dry_run
        Show what would change, and change nothing.
    yes
        Do not ask.
    set_
        A value to lay over the configuration. May be repeated.
    output
        A table, or JSON; JSON never asks.
    """
    try:
        target = _target(to_earliest, to_latest, to_time, to_offset, SystemClock())
        if partition is not None and not topic:
            raise ValueError("--partition needs --topic")
    except ValueError as problem:
        advice = "write for example: otlp-bridge offsets reset -c FILE --to-time 90m --dry-run"
        print_failure(str(problem), advice, output)
        return EXIT_USAGE
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    quiet_logs()
    one = _narrowed(one_group_of(loaded, receiver), topic)
    facts, moves = asyncio.run(_plan(one, target, partition))
    if not moves:
        what = f"{topic}/{partition}" if partition is not None else topic or "its topics"
        raise ConfigError(f"{what} does not exist: otlp-bridge offsets show lists what does")
    if facts.active and not dry_run:
        print_failure(
            f"group {one.group} {_members(facts)}: its members would write over the reset",
            "stop them (systemctl stop otlp-bridge, or kubectl scale --replicas=0), then run this "
            "again; --dry-run shows what would change",
            output,
        )
        return EXIT_UNAVAILABLE
    if output == "text":
        _print_moves(moves)
    if not dry_run:
        if not yes and not _confirmed(moves, output):
            print_failure("nothing was changed", "confirm, or write --yes", output)
            return EXIT_USAGE
        asyncio.run(reset_offsets(one.connection, one.group, moves))
    if output == "json":
        rows = [{**asdict(move), "again": move.again, "skipped": move.skipped} for move in moves]
        print_json({"ok": True, "changed": not dry_run, **_group_json(facts), "partitions": rows})
    else:
        print("nothing was changed" if dry_run else f"group {one.group} goes on at the new offsets")
    return EXIT_OK


def parse_time_ms(text: str, clock: Clock) -> int:
    """
    Milliseconds since the epoch of a moment, or of how long ago it was.

    Raises:
        ValueError: If *text* is neither.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            ago_s = parse_duration_s(text)
        except ValueError:
            raise ValueError(
                f"--to-time: {text!r} is neither a time such as 2026-11-28T07:00:00Z nor how long "
                "ago, such as 90m"
            ) from None
        return round((clock.wall() - abs(ago_s)) * 1000)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


async def _look(
    groups: list[GroupOfReceiver],
) -> list[tuple[GroupOfReceiver, GroupFacts, list[PartitionLag]]]:
    return [
        (
            one,
            await describe_group(one.connection, one.group),
            await read_lag(one.connection, one.group, one.topics, one.patterns),
        )
        for one in groups
    ]


async def _plan(
    one: GroupOfReceiver, target: ResetTarget, partition: int | None
) -> tuple[GroupFacts, list[OffsetMove]]:
    facts = await describe_group(one.connection, one.group)
    moves = await plan_reset(one.connection, one.group, one.topics, one.patterns, target, partition)
    return facts, moves


def _target(
    earliest: bool, latest: bool, time: str, offset: int | None, clock: Clock
) -> ResetTarget:
    """
    The one target that is named.

    Raises:
        ValueError: If none or several are, or one makes no sense.
    """
    named = [earliest, latest, bool(time), offset is not None]
    if sum(named) != 1:
        raise ValueError("name one of --to-earliest, --to-latest, --to-time and --to-offset")
    if offset is not None and offset < 0:
        raise ValueError("--to-offset must not be negative")
    time_ms = parse_time_ms(time, clock) if time else None
    return ResetTarget(earliest, latest, time_ms, offset)


def _narrowed(one: GroupOfReceiver, topic: str) -> GroupOfReceiver:
    if not topic:
        return one
    if not one.reads(topic):
        known = ", ".join((*one.topics, *(pattern.pattern for pattern in one.patterns)))
        raise ConfigError(f"receiver {one.receiver} does not read topic {topic}; it reads {known}")
    return GroupOfReceiver(one.receiver, one.group, one.connection, (topic,), ())


def _confirmed(moves: list[OffsetMove], output: Output) -> bool:
    if output == "json" or not sys.stdin.isatty():
        return False
    again, skipped = sum(one.again for one in moves), sum(one.skipped for one in moves)
    question = f"deliver {again} records again and skip {skipped} for good? [y/N] "
    return input(question).strip().lower() in ("y", "yes")


def _print_moves(moves: list[OffsetMove]) -> None:
    print_table(
        _MOVE,
        [
            (
                move.topic,
                *map(str, (move.partition, move.begin, move.end)),
                _committed(move.committed),
                *map(str, (move.target, move.again, move.skipped)),
            )
            for move in moves
        ],
    )
    again, skipped = sum(one.again for one in moves), sum(one.skipped for one in moves)
    print(f"{again} records are delivered again, {skipped} are skipped for good")


def _shown(receiver: str, lag: PartitionLag) -> tuple[str, ...]:
    figures = (lag.partition, lag.begin, _committed(lag.committed), lag.end, lag.beyond)
    return (receiver, lag.topic, *map(str, figures))


def _committed(offset: int | None) -> str:
    return "-" if offset is None else str(offset)


def _members(facts: GroupFacts) -> str:
    if not facts.active:
        return "has no members"
    shown = ", ".join(f"{client}@{host}" for client, host in facts.members[:5])
    more = " and more" if len(facts.members) > 5 else ""
    count = "1 member" if len(facts.members) == 1 else f"{len(facts.members)} members"
    return f"has {count} ({shown}{more})"


def _group_json(facts: GroupFacts) -> dict[str, object]:
    return {
        "group": facts.name,
        "state": facts.state,
        "members": [{"client": client, "host": host} for client, host in facts.members],
    }
