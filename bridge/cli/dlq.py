"""``otlp-bridge dlq list|show|replay|skip``"""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cyclopts

from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_OK, EXIT_UNAVAILABLE
from bridge.cli.loading import Config, Set, load_or_print, quiet_logs
from bridge.cli.output import Output, print_json
from bridge.config import LoadedConfig
from bridge.core import ComponentId, ConfigError, Malformed, Refused
from bridge.kafka import Filed, Hasher, LetterBox, connection_kwargs, write_skip

app = cyclopts.App(name="dlq", help="List, show, replay and skip dead letters.")

LIST_MAX = 100


@dataclass(frozen=True, slots=True)
class Place:
    """``TOPIC/PARTITION@OFFSET``."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> "Place":
        """
        Read a place as logs and statuses name it.

        Raises:
            ConfigError: If it is none.
        """
        where, at, offset = text.rpartition("@")
        topic, slash, partition = where.rpartition("/")
        if not (topic and at and slash and partition.isdecimal() and offset.isdecimal()):
            raise ConfigError(f"{text!r} is no place: write TOPIC/PARTITION@OFFSET")
        return cls(topic, int(partition), int(offset))


@dataclass(frozen=True, slots=True)
class Target:
    """The receiver whose dead letters are meant."""

    connection: Mapping[str, Any]
    group: str
    topic: str

    @property
    def letters(self) -> str:
        """
        The topic of the dead letters.

        Raises:
            ConfigError: If the receiver has none.
        """
        if not self.topic:
            raise ConfigError("the receiver has no dead_letter: {topic: ...}")
        return self.topic


@app.command(name="list")
def list_(
    config: Config,
    *,
    set_: Set = None,
    receiver: str = "",
    limit: int = LIST_MAX,
    output: Output = "text",
) -> int:
    """
    List the dead letters: where each is kept, where it came from, and why it was set aside.

    Exit codes: 0 listed, 64 wrong usage, 75 the brokers do not answer, 77 they do not let us,
    78 the configuration is wrong or has no dead_letter.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order.
    set_
        A value to lay over the configuration. May be repeated.
    receiver
        Id of the Kafka receiver, if the configuration has several.
    limit
        Letters to list at most.
    output
        Text for people, or JSON.
    """
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    quiet_logs()
    found = asyncio.run(_read(_target(loaded, receiver), limit))
    if output == "json":
        print_json([_summary(filed) for filed in found])
        return EXIT_OK
    for filed in found:
        print(_line(filed))
    more = " or more" if len(found) >= limit else ""
    print(f"{len(found)} dead letter{'' if len(found) == 1 else 's'}{more}")
    return EXIT_OK


@app.command
def show(
    place: str,
    config: Config,
    *,
    set_: Set = None,
    receiver: str = "",
    output: Output = "text",
) -> int:
    """
    Show one dead letter with its headers and its content.

    Exit codes: 0 shown, 64 wrong usage, 69 there is no such letter, 75 the brokers do not
    answer, 77 they do not let us, 78 the configuration or the place is wrong.

    Parameters
    ----------
    place
        Where it is kept, as ``list`` shows it: TOPIC/PARTITION@OFFSET.
    config
        Configuration sources; several are merged in order.
    set_
        A value to lay over the configuration. May be repeated.
    receiver
        Id of the Kafka receiver, if the configuration has several.
    output
        Text for people, or JSON.
    """
    where = Place.parse(place)
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    quiet_logs()
    filed = asyncio.run(_read_one(_target(loaded, receiver), where))
    details = _summary(filed) | _content(filed)
    if output == "json":
        print_json(details)
    else:
        for name, value in details.items():
            print(f"{name}: {value}")
    return EXIT_OK


@app.command
def replay(
    config: Config,
    *places: str,
    set_: Set = None,
    receiver: str = "",
    all_: bool = False,
    hasher: Hasher = "sarama_compat",
    output: Output = "text",
) -> int:
    """
    Give dead letters back to their topics. They stay where they are as well.

    Exit codes: 0 all were given back, 64 wrong usage, 69 some were not, 75 the brokers do not
    answer, 77 they do not let us, 78 the configuration or a place is wrong.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order.
    places
        Where the letters are kept, as ``list`` shows it: TOPIC/PARTITION@OFFSET.
    set_
        A value to lay over the configuration. May be repeated.
    receiver
        Id of the Kafka receiver, if the configuration has several.
    all_
        All letters that are kept.
    hasher
        How the topic's writers place trace ids: record_partitioner of the Kafka exporter.
    output
        Text for people, or JSON.
    """
    if all_ == bool(places):
        raise ConfigError("name the letters to replay, or write --all")
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    quiet_logs()
    wanted = [Place.parse(place) for place in places]
    outcomes = asyncio.run(_replay(_target(loaded, receiver), wanted, hasher))
    failed = [outcome for outcome in outcomes if outcome["error"]]
    if output == "json":
        print_json(outcomes)
    else:
        for outcome in outcomes:
            count = outcome["records"]
            told = outcome["error"] or f"{count} record{'s' if count != 1 else ''} written"
            print(f"{outcome['place']}  {told}")
    return EXIT_UNAVAILABLE if failed else EXIT_OK


@app.command
def skip(
    place: str,
    config: Config,
    *,
    set_: Set = None,
    receiver: str = "",
    output: Output = "text",
) -> int:
    """
    Let a held partition go on without one record, which is lost then.

    Exit codes: 0 asked for, 64 wrong usage, 75 the brokers do not answer, 77 they do not let
    us, 78 the configuration or the place is wrong.

    Parameters
    ----------
    place
        The record that holds its partition, as the status names it: TOPIC/PARTITION@OFFSET.
    config
        Configuration sources; several are merged in order.
    set_
        A value to lay over the configuration. May be repeated.
    receiver
        Id of the Kafka receiver, if the configuration has several.
    output
        Text for people, or JSON.
    """
    where = Place.parse(place)
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    quiet_logs()
    target = _target(loaded, receiver)
    asyncio.run(
        write_skip(target.connection, target.group, where.topic, where.partition, where.offset)
    )
    if output == "json":
        print_json({"ok": True, "place": place, "group": target.group})
    else:
        print(f"asked group {target.group} to skip {place}; whoever holds it goes on in seconds")
    return EXIT_OK


def _target(loaded: LoadedConfig, receiver: str) -> Target:
    found = {
        component_id: component
        for component_id, component in loaded.receivers.items()
        if component.factory.type_name == "kafka"
    }
    if receiver:
        wanted = ComponentId.parse(receiver)
        found = {key: component for key, component in found.items() if key == wanted}
    if len(found) != 1:
        ids = ", ".join(str(component_id) for component_id in found) or "none"
        raise ConfigError(f"name one Kafka receiver with --receiver; found: {ids}")
    (component,) = found.values()
    options = component.options
    topic = options.dead_letter.topic if options.dead_letter is not None else ""
    return Target(connection_kwargs(options), options.group_id, topic)


async def _read(target: Target, limit: int) -> list[Filed]:
    found: list[Filed] = []
    async with LetterBox(target.connection, target.letters) as box:
        async for filed in box.letters():
            if len(found) >= limit:
                break
            found.append(filed)
    return found


async def _read_one(target: Target, where: Place) -> Filed:
    async with LetterBox(target.connection, where.topic or target.letters) as box:
        return await box.letter_at(where.partition, where.offset)


async def _replay(target: Target, places: list[Place], hasher: Hasher) -> list[dict[str, Any]]:
    async with LetterBox(target.connection, target.letters) as box:
        if not places:
            return [await _replay_one(box, filed, hasher) async for filed in box.letters()]
        return [
            await _replay_one(box, await box.letter_at(place.partition, place.offset), hasher)
            for place in places
        ]


async def _replay_one(box: LetterBox, filed: Filed, hasher: Hasher) -> dict[str, Any]:
    records, error = 0, ""
    if filed.letter is None:
        error = "no dead letter of this bridge"
    else:
        try:
            records = await box.replay(filed.letter, hasher)
        except (Refused, Malformed) as refusal:
            error = str(refusal)
    return {"place": filed.place, "records": records, "error": error}


def _summary(filed: Filed) -> dict[str, Any]:
    letter = filed.letter
    if letter is None:
        return {"place": filed.place, "error": "no dead letter of this bridge"}
    return {
        "place": filed.place,
        "from": f"{letter.topic}/{letter.partition}@{letter.offset}",
        "signal": letter.signal.value,
        "encoding": letter.encoding,
        "group": letter.group,
        "error": letter.error,
        "reason": letter.reason,
        "first_seen_s": letter.first_seen_s,
        "bytes": len(letter.value or b""),
    }


def _content(filed: Filed) -> dict[str, Any]:
    letter = filed.letter
    if letter is None:
        return {}
    return {
        "offset_stop": letter.offset_stop,
        "timestamp_ms": letter.timestamp_ms,
        "key": None if letter.key is None else letter.key.decode(errors="backslashreplace"),
        "headers": [
            [name, None if value is None else value.decode(errors="backslashreplace")]
            for name, value in letter.headers
        ],
        "value_base64": base64.b64encode(letter.value or b"").decode(),
    }


def _line(filed: Filed) -> str:
    letter = filed.letter
    if letter is None:
        return f"{filed.place}  no dead letter of this bridge"
    came = f"{letter.topic}/{letter.partition}@{letter.offset}"
    return f"{filed.place}  from {came}  {letter.error}: {letter.reason}"
