"""``otlp-bridge top``, against the real endpoint over a service that tests make up."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from bridge.cli import admin_client
from bridge.cli.app import dispatch
from bridge.cli.output import size_text
from bridge.cli.top_view import number, seconds, whole
from bridge.core import Deadline, State, Status, SystemClock, View
from bridge.extensions.admin import Admin, AdminOptions
from bridge.testing import FakeHost, make_settings

Capture = pytest.CaptureFixture[str]

KAFKA = {"component": "receivers/kafka", "signal": "traces"}
FIGURES = [
    ("otelcol_receiver_accepted_spans", "counter", "", (), {"receiver": "kafka"}, 1234),
    ("otelcol_exporter_sent_spans", "counter", "", (), {"exporter": "otlp"}, 1200),
    ("otelcol_processor_incoming_items", "counter", "", (), {"processor": "batch"}, 7),
    ("otelcol_processor_filter_spans_filtered", "counter", "", (), {"filter": "filter/x"}, 34),
    ("bridge_kafka_receiver_dead_letters", "counter", "", (), {"receiver": "kafka"}, 1),
    ("bridge_ledger_items", "counter", "", (), {**KAFKA, "column": "consumed"}, 1240),
    ("bridge_ledger_items", "counter", "", (), {**KAFKA, "column": "delivered"}, 1234),
    ("bridge_ledger_in_flight_items", "gauge", "", (), KAFKA, 6),
    (
        *("bridge_processor_tail_sampling_undecided_traces", "gauge", "", ()),
        {"processor": "tail_sampling", "pipeline": "traces"},
        77,
    ),
    (
        *("otelcol_processor_tail_sampling_count_traces_sampled", "counter", "", ()),
        {"policy": "errors", "sampled": "true"},
        55,
    ),
]
DETAILS = {
    "receivers/kafka": {
        "partitions": [
            {
                "topic": "spans",
                "partition": 3,
                "state": "holding",
                "reason": "too odd",
                "offset": 9,
            }
        ],
        "dead_letters": {
            "by_reason": {"Malformed": 1},
            "latest": [
                {
                    "at_s": 1.0,
                    "topic": "spans",
                    "partition": 0,
                    "offset": 4,
                    "reason": "Malformed",
                    "error": "no request",
                    "preview": "x",
                }
            ],
        },
    }
}
EVENTS = [
    {"event": "quiet", "level": "info"},
    {"event": "kafka_partition_held", "level": "error", "timestamp": "2026-01-02T03:04:05.6Z"},
]


@pytest.fixture
async def endpoint() -> AsyncIterator[str]:
    """The admin endpoint of a bridge with one held partition."""
    held = Status(State.PERMANENT, "spans/3@9 holds", "otlp-bridge dlq skip", "receivers/kafka")
    host = FakeHost(reported=[held], shown=[View(None, FIGURES, DETAILS, EVENTS)], is_ready=False)
    admin = Admin(AdminOptions(endpoint="127.0.0.1:0"), make_settings("admin", host=host))
    await admin.start()
    yield f"127.0.0.1:{admin.port}"
    await admin.stop(Deadline.after(1, SystemClock()))


async def test_once_shows_what_is_wrong_what_flows_and_the_ledger(
    endpoint: str, capsys: Capture
) -> None:
    """Everything that the page shows, without colours into a pipe."""
    assert await asyncio.to_thread(dispatch, ["top", endpoint, "--once"]) == 0

    text = capsys.readouterr().out
    for shown in (
        *("not ready", "the ledger balances", "spans/3@9 holds", "otlp-bridge dlq skip"),
        *("1,234", "1,200", "34 dropped", "holding", "at offset 9: too odd", "77", "55"),
        *("1 dead letter: 1 Malformed", "spans/0@4  Malformed: no request"),
        "03:04:05 error kafka_partition_held",
    ):
        assert shown in text, f"{shown}\n{text}"
    assert "quiet" not in text
    assert "\x1b" not in text


async def test_once_as_json_is_the_document_of_the_endpoint(endpoint: str, capsys: Capture) -> None:
    """For scripts: one document."""
    arguments = ["top", endpoint, "--once", "--output", "json"]
    assert await asyncio.to_thread(dispatch, arguments) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["partitions"][0]["state"] == "holding"
    assert told["ledger"][0]["imbalance"] == 0


def test_nobody_there_names_the_extension(capsys: Capture) -> None:
    """Code 69, with what to look at, in text and JSON."""
    assert dispatch(["top", "127.0.0.1:1", "--once"]) == 69
    assert "admin" in capsys.readouterr().err

    assert dispatch(["top", "127.0.0.1:1", "--once", "--output", "json"]) == 69
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_wrong_endpoint_is_wrong_usage(capsys: Capture) -> None:
    """Code 64."""
    assert dispatch(["top", "nonsense"]) == 64
    assert "port" in capsys.readouterr().err


async def test_following_ends_when_the_bridge_is_gone(
    endpoint: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with a traceback: with the last figures, the reason and code 69."""
    answers = [await asyncio.to_thread(admin_client.ask, endpoint, "/api/status")]

    def ask(where: str, path: str) -> object:
        if not answers:
            raise admin_client.NoBridge("no bridge answers")
        return answers.pop()

    monkeypatch.setattr("bridge.cli.top.ask", ask)
    assert dispatch(["top", endpoint, "--interval", "0s", "--output", "json"]) == 69

    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[0])["schema"] == 1
    assert "no bridge answers" in "".join(lines[1:])


def test_answer_of_somebody_else_is_no_bridge() -> None:
    """The text says what came instead."""
    with pytest.raises(admin_client.NoBridge, match="no bridge answers"):
        admin_client.ask("127.0.0.1:1", "/")


def test_default_endpoint_is_that_of_the_extension() -> None:
    """So that nothing has to be typed."""
    assert AdminOptions().endpoint == admin_client.ENDPOINT


def test_figures_are_as_one_would_say_them() -> None:
    """Units that fit, thousands told apart."""
    assert (whole(1234567.0), number(0.55), number(1234.5)) == ("1,234,567", "0.6", "1,234")
    assert (seconds(3.0), seconds(180), seconds(7200)) == ("3.0 s", "3.0 min", "2.0 h")
    assert (size_text(512), size_text(3 << 20)) == ("512 B", "3.0 MiB")
