"""``otlp-bridge health``"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bridge.cli.app import dispatch

Capture = pytest.CaptureFixture[str]

WAITING = {
    "ready": False,
    "not_ready": [{"component": "exporters/kafka", "reason": "no broker", "hint": "start it"}],
}


@contextmanager
def _bridge(readyz: int, body: object) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            live = self.path == "/livez"
            self.send_response(200 if live else readyz)
            self.end_headers()
            self.wfile.write(json.dumps({"status": "ok"} if live else body).encode())

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


def test_ready_bridge_is_success(capsys: Capture) -> None:
    """Exit code 0 is all that a container's health check looks at."""
    with _bridge(200, {"ready": True, "not_ready": []}) as endpoint:
        assert dispatch(["health", endpoint]) == 0
    assert capsys.readouterr().out == "ready\n"


def test_bridge_that_waits_says_for_what(capsys: Capture) -> None:
    """Code 69, with component, reason and hint."""
    with _bridge(503, WAITING) as endpoint:
        assert dispatch(["health", endpoint]) == 69
        assert dispatch(["health", endpoint, "--live"]) == 0
    assert capsys.readouterr().out == ("not ready\n  exporters/kafka: no broker (start it)\nlive\n")


def test_output_json_is_one_document(capsys: Capture) -> None:
    """The answer of the bridge, with the verdict."""
    with _bridge(503, WAITING) as endpoint:
        assert dispatch(["health", endpoint, "--output", "json"]) == 69
    assert json.loads(capsys.readouterr().out) == {"ok": False, **WAITING}


def test_nobody_there_says_what_to_look_at(capsys: Capture) -> None:
    """A port that nobody listens at."""
    assert dispatch(["health", "127.0.0.1:1"]) == 69
    assert "no bridge answers at 127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize("body", [[1], "text"])
def test_something_else_there_is_not_healthy(body: object, capsys: Capture) -> None:
    """Another program at that port answers 200 too."""
    with _bridge(200, body) as endpoint:
        assert dispatch(["health", endpoint]) == 69
    assert "answers as something else" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["localhost:x"], ["--timeout", "3"]])
def test_wrong_usage_is_told(words: list[str], capsys: Capture) -> None:
    """Before anything is asked."""
    assert dispatch(["health", *words]) == 64
    assert capsys.readouterr().err
