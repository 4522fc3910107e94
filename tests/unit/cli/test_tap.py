"""``otlp-bridge tap``; watching a running bridge is in tests/integration/test_tap.py."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bridge.cli.app import dispatch

Capture = pytest.CaptureFixture[str]

BATCH = {
    "event": "batch",
    "number": 1,
    "stage": "exporters/otlp",
    "signal": "traces",
    "items": 5,
    "matched": 1,
    "source": "kafka",
    "topic": "spans",
    "partition": 3,
    "first_offset": 7,
    "last_offset": 9,
    "request": {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "GET"}]}]}]},
}
OUTCOME = {
    "event": "outcome",
    "number": 1,
    "outcome": "Unavailable",
    "seconds": 0.25,
    "reason": "x",
}
END = {"event": "end", "reason": "limit", "seen": 9, "shown": 1, "missed": 2}


@contextmanager
def bridge(status: int, *events: object, text: str = "") -> Iterator[str]:
    """An admin endpoint that answers so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            lines = [b"\n", *(json.dumps(event).encode() + b"\n" for event in events)]
            self.wfile.write(text.encode() or b"".join(lines))

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_batch_is_shown_with_place_content_and_outcome(capsys: Capture) -> None:
    """For people."""
    with bridge(200, BATCH, OUTCOME, END) as endpoint:
        assert dispatch(["tap", "exporters/otlp", "--endpoint", endpoint]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert lines[0] == "#1 exporters/otlp: 1 of 5 spans from kafka spans/3@7-9"
    assert any('name: "GET"' in line for line in lines)
    assert "#1 Unavailable after 250.0ms: x" in lines
    assert lines[-1] == "1 of 9 batches shown, 2 could not be looked at (limit)"


def test_output_json_is_one_object_a_line(capsys: Capture) -> None:
    """As they come, so that a pipe sees each at once."""
    with bridge(200, BATCH, END) as endpoint:
        words = ["tap", "exporters/otlp", "--endpoint", endpoint, "--output", "json"]
        assert dispatch(words) == 0

    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [BATCH, END]


def test_nothing_in_time_is_try_again(capsys: Capture) -> None:
    """The condition may be right, and the traffic not there."""
    with bridge(200, {**END, "shown": 0, "reason": "timeout"}) as endpoint:
        assert dispatch(["tap", "exporters/otlp", "--endpoint", endpoint]) == 75
    assert "0 of 9 batches shown" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "code"), [(400, 64), (422, 64), (403, 69), (404, 69), (405, 69), (429, 75)]
)
def test_refusal_is_told_with_its_code(status: int, code: int, capsys: Capture) -> None:
    """In the words of the bridge."""
    with bridge(status, text="because\n") as endpoint:
        assert dispatch(["tap", "exporters/otlp", "--endpoint", endpoint]) == code
    assert "because" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["--endpoint", "localhost:x"], ["--timeout", "5"], ["--timeout", "0s"], ["--limit", "0"]],
)
def test_wrong_usage_is_told(words: list[str], capsys: Capture) -> None:
    """Before anything is asked."""
    assert dispatch(["tap", "exporters/otlp", *words]) == 64
    assert capsys.readouterr().err


def test_nobody_there_says_what_to_look_at(capsys: Capture) -> None:
    """A port that nobody listens at."""
    assert dispatch(["tap", "exporters/otlp", "--endpoint", "127.0.0.1:1"]) == 69
    assert "is admin listed under service.extensions?" in capsys.readouterr().err
