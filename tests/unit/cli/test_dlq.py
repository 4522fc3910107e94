"""``otlp-bridge dlq``: what it asks for and prints; with a Kafka: tests/integration."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import dlq
from bridge.cli.app import dispatch
from bridge.cli.dlq import Place
from bridge.core import ConfigError, Refused, Signal
from bridge.flow import Letter
from bridge.kafka import Filed

CONFIG = """
receivers:
  kafka: {brokers: ["kafka:9092"], group_id: processing, dead_letter: {topic: letters}}
  kafka/bare: {brokers: ["kafka:9092"], group_id: bare}
exporters: {nop: {}}
service:
  pipelines:
    traces: {receivers: [kafka, kafka/bare], exporters: [nop]}
"""
LETTER = Letter(
    "spans", 3, 7, 8, 1000, b"k\xff", b"value", (("tenant", b"a"),), Signal.TRACES, "otlp_proto",
    "processing", "Refused", "too odd", 0.0,
)  # fmt: skip


class Box:
    """A letter box with one letter and one foreign record."""

    replayed: list[Letter]

    def __init__(self, connection: Any, topic: str) -> None:
        assert (connection["bootstrap_servers"], topic) == (["kafka:9092"], "letters")
        self.replayed = []

    async def __aenter__(self) -> "Box":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def letters(self) -> AsyncIterator[Filed]:
        yield Filed("letters", 0, 0, LETTER)
        yield Filed("letters", 0, 1, None)

    async def letter_at(self, partition: int, offset: int) -> Filed:
        if offset > 1:
            raise Refused(f"there is no letters/{partition}@{offset}")
        return Filed("letters", partition, offset, None if offset else LETTER)

    async def replay(self, letter: Letter, hasher: str) -> int:
        assert hasher in ("sarama_compat", "murmur2")
        return 2


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A configuration with two receivers, and a letter box without a Kafka."""
    monkeypatch.setattr(dlq, "LetterBox", Box)
    path = tmp_path / "bridge.yaml"
    path.write_text(CONFIG)
    return str(path)


def _run(*words: str, config: str, receiver: str = "kafka") -> int:
    return dispatch(["dlq", *words, "--config", config, "--receiver", receiver])


def test_place_is_read_as_it_is_shown() -> None:
    """Topics may hold dots, hyphens and underscores."""
    assert Place.parse("my.topic-a_b/3@41") == Place("my.topic-a_b", 3, 41)


@pytest.mark.parametrize("text", ["", "spans", "spans/1", "spans@5", "spans/x@5", "/1@5", "a/1@-1"])
def test_place_that_is_none_is_refused(text: str) -> None:
    """What is wrong is said with the form that is right."""
    with pytest.raises(ConfigError, match="TOPIC/PARTITION@OFFSET"):
        Place.parse(text)


def test_list_prints_one_line_a_letter(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it is kept, where it came from, why; foreign records are named as such."""
    assert _run("list", config=config) == 0

    assert capsys.readouterr().out.splitlines() == [
        "letters/0@0  from spans/3@7  Refused: too odd",
        "letters/0@1  no dead letter of this bridge",
        "2 dead letters",
    ]


def test_list_stops_at_its_limit(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A long list says that there may be more."""
    assert _run("list", "--limit", "1", config=config) == 0

    assert capsys.readouterr().out.splitlines()[-1] == "1 dead letter or more"


def test_show_prints_everything(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Key, headers and content are shown, bytes that are no text escaped."""
    assert _run("show", "letters/0@0", config=config) == 0

    out = capsys.readouterr().out
    assert "reason: too odd" in out
    assert "key: k\\xff" in out
    assert "value_base64: dmFsdWU=" in out


def test_show_without_letter_fails(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A place without a letter is an error with a code of its own."""
    assert _run("show", "letters/0@9", config=config) == 69
    assert "there is no letters/0@9" in capsys.readouterr().err


def test_replay_tells_what_became_of_each(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Letters that cannot be given back are named, and the exit code says so."""
    assert _run("replay", "--all", "--output", "json", config=config) == 69

    assert json.loads(capsys.readouterr().out) == [
        {"place": "letters/0@0", "records": 2, "error": ""},
        {"place": "letters/0@1", "records": 0, "error": "no dead letter of this bridge"},
    ]


def test_replay_of_chosen_letters(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Letters are chosen by their places."""
    assert _run("replay", "letters/0@0", config=config) == 0
    assert capsys.readouterr().out == "letters/0@0  2 records written\n"


@pytest.mark.parametrize("words", [["replay"], ["replay", "letters/0@0", "--all"]])
def test_replay_of_nothing_or_both_is_refused(words: list[str], config: str) -> None:
    """One must say what is to be replayed."""
    assert _run(*words, config=config) == 78


def test_skip_asks_the_group(
    config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request names group, topic, partition and offset."""
    asked: list[tuple[Any, ...]] = []

    async def write_skip(connection: Any, *request: Any) -> None:
        asked.append(request)

    monkeypatch.setattr(dlq, "write_skip", write_skip)

    assert _run("skip", "spans/3@7", config=config, receiver="kafka/bare") == 0
    assert asked == [("bare", "spans", 3, 7)]
    assert "group bare to skip spans/3@7" in capsys.readouterr().out


def test_receiver_must_be_named_among_several(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which receiver is meant is not guessed."""
    assert dispatch(["dlq", "list", "--config", config]) == 78
    assert "found: kafka, kafka/bare" in capsys.readouterr().err


def test_receiver_without_dead_letters_has_no_list(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A receiver without a topic for letters says which key is missing."""
    assert _run("list", config=config, receiver="kafka/bare") == 78
    assert "dead_letter" in capsys.readouterr().err
