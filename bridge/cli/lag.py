"""``otlp-bridge lag``"""

import asyncio
from dataclasses import asdict

from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_OK
from bridge.cli.kafka_receivers import GroupOfReceiver, groups_of
from bridge.cli.loading import Config, Set, load_or_print, quiet_logs
from bridge.cli.output import Output, print_json, print_table
from bridge.kafka import PartitionLag, read_lag

_HEAD = ("receiver", "topic", "partition", "committed", "end", "records", "seconds", "beyond")


def lag(config: Config, *, receiver: str = "", set_: Set = None, output: Output = "text") -> int:
    """
    Show how far the Kafka receivers of a configuration are behind, for each partition.

    Asks the brokers without joining the group: it may run anywhere, also while nothing else does.
    Columns: the offset committed and the end of the log, records not finished, the age in seconds
    of the first of them, and how many beyond the committed offset are finished already.

    Exit codes: 0 shown, 64 wrong usage, 75 the brokers do not answer, 77 they do not let us, 78 the
    configuration is wrong or has no such receiver.

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
    groups = groups_of(loaded, receiver)
    found = asyncio.run(_ask(groups))
    if output == "json":
        print_json(
            [
                {
                    "receiver": name,
                    "group": group,
                    "partitions": [asdict(one) for one in lags],
                    "missing_topics": _missing(asked, lags),
                }
                for asked, (name, group, lags) in zip(groups, found, strict=True)
            ]
        )
        return EXIT_OK
    print_table(_HEAD, [_row(name, one) for name, _, lags in found for one in lags])
    for asked, (name, group, lags) in zip(groups, found, strict=True):
        for topic in _missing(asked, lags):
            print(f"{name}: there is no topic {topic}: otlp-bridge doctor tells how to create it")
        records = sum(one.records for one in lags)
        print(f"{name}: group {group} has {records} records to go in {len(lags)} partitions")
    return EXIT_OK


async def _ask(groups: list[GroupOfReceiver]) -> list[tuple[str, str, list[PartitionLag]]]:
    return [
        (
            one.receiver,
            one.group,
            await read_lag(one.connection, one.group, one.topics, one.patterns),
        )
        for one in groups
    ]


def _missing(asked: GroupOfReceiver, lags: list[PartitionLag]) -> list[str]:
    """The topics that are named and have no partition; one found by pattern is never missing."""
    return sorted(set(asked.topics) - {one.topic for one in lags})


def _row(name: str, one: PartitionLag) -> tuple[str, ...]:
    committed = "-" if one.committed is None else str(one.committed)
    seconds = "-" if one.seconds is None else f"{one.seconds:.1f}"
    figures = (one.partition, committed, one.end, one.records, seconds, one.beyond)
    return (name, one.topic, *map(str, figures))
