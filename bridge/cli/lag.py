"""``otlp-bridge lag``"""

import asyncio
import re
from dataclasses import asdict
from typing import Any

from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_OK
from bridge.cli.loading import Config, Set, load_or_print
from bridge.cli.output import Output, print_json
from bridge.config import LoadedConfig
from bridge.core import ComponentId, ConfigError, Signal
from bridge.kafka import PartitionLag, connection_kwargs, read_lag
from bridge.receivers.kafka import plan_topics

_HEAD = ("receiver", "topic", "partition", "committed", "end", "records", "seconds", "beyond")


def lag(config: Config, *, receiver: str = "", set_: Set = None, output: Output = "text") -> int:
    """
    Show how far the Kafka receivers of a configuration are behind, for each partition.

    Asks the brokers without joining the group: it may run anywhere, also while nothing else does.
    Columns: the offset committed and the end of the log, records not finished, the age in seconds
    of the first of them, and how many beyond the committed offset are finished already.

    Exit codes: 0 shown, 75 the brokers do not answer, 77 they do not let us, 78 the
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
    found = asyncio.run(_ask(loaded, receiver))
    if output == "json":
        print_json(
            [
                {"receiver": name, "group": group, "partitions": [asdict(one) for one in lags]}
                for name, group, lags in found
            ]
        )
        return EXIT_OK
    rows = [_row(name, one) for name, _, lags in found for one in lags]
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
    for row in (_HEAD, *rows):
        padded = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())
    for name, group, lags in found:
        records = sum(one.records for one in lags)
        print(f"{name}: group {group} has {records} records to go in {len(lags)} partitions")
    return EXIT_OK


async def _ask(loaded: LoadedConfig, receiver: str) -> list[tuple[str, str, list[PartitionLag]]]:
    found = []
    for component_id, signals in _receivers(loaded, receiver).items():
        options: Any = loaded.receivers[component_id].options
        plan = plan_topics(options, signals)
        patterns: list[re.Pattern[str]] = [pattern for _, pattern in plan.patterns]
        lags = await read_lag(
            connection_kwargs(options), options.group_id, list(plan.signals), patterns
        )
        found.append((str(component_id), options.group_id, lags))
    return found


def _receivers(loaded: LoadedConfig, receiver: str) -> dict[ComponentId, set[Signal]]:
    """
    The Kafka receivers in use, with the signals that some pipeline wants of them.

    Raises:
        ConfigError: If there is none, or not the one that is meant.
    """
    found: dict[ComponentId, set[Signal]] = {}
    for pipeline_id, pipeline in loaded.pipelines.items():
        for name in pipeline.receivers:
            if loaded.receivers[name].factory.type_name == "kafka":
                found.setdefault(name, set()).add(pipeline_id.signal)
    if receiver:
        wanted = ComponentId.parse(receiver)
        if wanted not in found:
            known = ", ".join(map(str, found)) or "none"
            raise ConfigError(
                f"there is no Kafka receiver {receiver} in a pipeline; there is {known}"
            )
        return {wanted: found[wanted]}
    if not found:
        raise ConfigError("no pipeline has a Kafka receiver: there is no lag")
    return found


def _row(name: str, one: PartitionLag) -> tuple[str, ...]:
    committed = "-" if one.committed is None else str(one.committed)
    seconds = "-" if one.seconds is None else f"{one.seconds:.1f}"
    figures = (one.partition, committed, one.end, one.records, seconds, one.beyond)
    return (name, one.topic, *map(str, figures))
