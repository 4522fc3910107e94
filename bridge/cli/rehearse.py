"""``otlp-bridge rehearse``"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_OK
from bridge.cli.kafka_receivers import one_group_of
from bridge.cli.loading import Config, Set, load_or_print, quiet_logs
from bridge.cli.output import Output, print_json
from bridge.cli.progress import Progress
from bridge.cli.rehearsed import as_json, as_lines
from bridge.cli.samplers import one_sampler
from bridge.config import LoadedConfig
from bridge.core import ComponentId, ConfigError, Settings, Signal
from bridge.kafka import read_retained
from bridge.options import parse_duration_s
from bridge.processors.tail_sampling import Rehearsal, Retained
from bridge.receivers.kafka import RecordReader, find_decoder, plan_topics

Topics = Annotated[list[str] | None, Parameter(name="--from-topic", negative="")]
Current = Annotated[list[str] | None, Parameter(name="--current", negative="")]

_CHANGES_NO_SPANS = frozenset({"batch", "memory_limiter", "groupbytrace"})
"""Processors whose absence changes no decision."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the records are read from, and how they are written there."""

    connection: dict[str, Any]
    topics: tuple[str, ...]
    encoding: str


def rehearse(
    config: Config,
    *,
    current: Current = None,
    from_topic: Topics = None,
    since: str = "1h",
    processor: str = "",
    receiver: str = "",
    set_: Set = None,
    output: Output = "text",
) -> int:
    """
    Try tail sampling policies on what Kafka still holds, and deliver nothing.

    Reads the topic from a time on up to its end as it is now, without joining a group, and lets
    the candidate's policies decide in the time of the records. With --current the policies in force
    decide beside them, and what would change is told by policy and service.

    Exit codes: 0 rehearsed, 64 wrong usage, 75 the brokers do not answer, 77 they do not let us,
    78 a configuration is wrong, or has no such processor, receiver or topic.

    Parameters
    ----------
    config
        The candidate's configuration sources; several are merged in order.
    current
        The configuration sources in force, to compare with. May be repeated.
    from_topic
        Topic to read; by default those of the Kafka receiver for traces. May be repeated.
    since
        How far back to read, such as 30m or 1h.
    processor
        The tail_sampling processor that is meant, if there are several.
    receiver
        Id of the Kafka receiver whose brokers and encoding are used, if there are several.
    set_
        A value to lay over the candidate. May be repeated.
    output
        Tables, or JSON.
    """
    try:
        since_s = parse_duration_s(since)
    except ValueError as error:
        raise ConfigError(f"--since {since}: {error}") from error
    if since_s <= 0:
        raise ConfigError(f"--since {since}: write how far back to read, such as 1h")
    loaded = load_or_print(config, set_, output)
    in_force = load_or_print(current, None, output) if current else None
    if loaded is None or (current and in_force is None):
        return EXIT_CONFIG
    quiet_logs()
    name, candidate = one_sampler(loaded, processor)
    source = _source(loaded, receiver, from_topic or ())
    beside = one_sampler(in_force, processor)[1] if in_force is not None else None
    rehearsal = Rehearsal(candidate, beside, (_settings(name), _settings(name)), _now_ms())
    progress = Progress("reading", "records")
    try:
        asyncio.run(_read(source, _now_ms() - round(since_s * 1000), rehearsal, progress))
    finally:
        progress.end()
    notes = _notes(loaded, name)
    if output == "json":
        print_json(as_json(rehearsal, source.topics, since_s, notes))
    else:
        for line in as_lines(rehearsal, source.topics, since, notes):
            print(line)
    return EXIT_OK


async def _read(source: _Source, since_ms: int, rehearsal: Rehearsal, progress: Progress) -> None:
    reader = RecordReader(Signal.TRACES, find_decoder(Signal.TRACES, source.encoding), None)
    async for stretch in read_retained(source.connection, source.topics, since_ms):
        records = []
        for record in stretch.records:
            read = reader.read(record)
            records.append(Retained(read.offset, read.timestamp_ms, read.body, read.items))
        rehearsal.take(stretch.topic, stretch.partition, records)
        rehearsal.advance(stretch.read_to_ms)
        progress.show(stretch.done, stretch.total)
    rehearsal.end()


def _source(loaded: LoadedConfig, receiver: str, topics: Sequence[str]) -> _Source:
    group = one_group_of(loaded, receiver)
    options: Any = loaded.component("receivers", ComponentId.parse(group.receiver)).options
    if not topics:
        topics = tuple(plan_topics(options, {Signal.TRACES}).signals)
    if not topics:
        raise ConfigError("the receiver finds its topics by pattern: name one with --from-topic")
    return _Source(group.connection, tuple(topics), options.encoding_of(Signal.TRACES))


def _notes(loaded: LoadedConfig, sampler: str) -> list[str]:
    """What a rehearsal leaves out."""
    wanted = ComponentId.parse(sampler)
    notes = []
    for name, pipeline in loaded.pipelines.items():
        if wanted not in pipeline.processors:
            continue
        before = pipeline.processors[: pipeline.processors.index(wanted)]
        told = [str(one) for one in before if one.type not in _CHANGES_NO_SPANS]
        if told:
            notes.append(
                f"{name}: records are taken as they are in the topic, without {', '.join(told)}"
            )
    return notes


def _settings(name: str) -> Settings:
    from bridge.testing import make_settings  # Settings of a processor that nobody runs.

    return make_settings(name)


def _now_ms() -> int:
    return round(time.time() * 1000)
