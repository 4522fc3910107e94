"""
A small OTLP backend over gRPC and HTTP that keeps what it gets and answers as told.

In the process:

    async with Backend() as backend:
        backend.grpc_endpoint, backend.http_endpoint      # "127.0.0.1:port"
        backend.book.answer(UNAVAILABLE, OK)
        backend.book.span_ids                             # id to how often it came

As a process of its own: ``python -m bridge.testing.backend --grpc-port 0 --http-port 0`` prints one
line of JSON with its endpoints when it listens. The HTTP port also has ``/control/summary``,
``/control/span_ids`` (24 bytes for each time a span came), ``/control/answer`` (POST a JSON list of
`Answer` fields, or ``{"otherwise": {...}}``) and ``/control/clear``. It ends with SIGTERM.

It stands on grpcio and aiohttp, on purpose not on the servers that it is used to test.
"""

import argparse
import asyncio
import contextlib
import json
import signal as signals
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]  # no types
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # no types
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bridge.core import Signal
from bridge.testing.backend_book import Answer, Book, Received, read_items

BODY_BYTES_MAX = 256 * 1024 * 1024
STOP_GRACE_S = 1.0

_METHODS = {
    f"/opentelemetry.proto.collector.{name}.v1.{service}/Export": signal
    for signal, name, service in (
        (Signal.TRACES, "trace", "TraceService"),
        (Signal.METRICS, "metrics", "MetricsService"),
        (Signal.LOGS, "logs", "LogsService"),
    )
}


class Backend:
    """
    The server. `start` binds and listens; `stop` ends open requests after a second.

    Args:
        grpc_port, http_port:
            0 takes a free one.
    """

    def __init__(self, grpc_port: int = 0, http_port: int = 0, host: str = "127.0.0.1") -> None:
        self.book = Book()
        self._host = host
        self._ports = (grpc_port, http_port)
        # What changes: the running servers, where they listen, and whether they answer.
        self._answering = asyncio.Event()
        self._answering.set()
        self._grpc: Any = None
        self._http: web.AppRunner | None = None
        self.grpc_endpoint = ""
        self.http_endpoint = ""

    async def start(self) -> None:
        """
        Listen on both ports.

        Raises:
            RuntimeError: If grpcio is not installed, or a port is taken.
        """
        self.grpc_endpoint = f"{self._host}:{await self._start_grpc(self._ports[0])}"
        self.http_endpoint = f"{self._host}:{await self._start_http(self._ports[1])}"

    async def stop(self) -> None:
        """Stop listening. Safe twice; what was received stays in the book."""
        server, self._grpc = self._grpc, None
        runner, self._http = self._http, None
        if server is not None:
            await server.stop(STOP_GRACE_S)
        if runner is not None:
            await runner.cleanup()

    def hold(self) -> None:
        """Let requests wait, before they are taken, until `release`."""
        self._answering.clear()

    def release(self) -> None:
        """Take and answer the requests that wait."""
        self._answering.set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _start_grpc(self, port: int) -> int:
        try:
            import grpc  # type: ignore[import-untyped]  # grpcio ships no types
        except ImportError as error:
            raise RuntimeError(
                "the test backend needs grpcio: pip install 'otlp-kafka-bridge[demo]'"
            ) from error
        options = [
            ("grpc.max_receive_message_length", BODY_BYTES_MAX),
            ("grpc.so_reuseport", 0),
        ]
        self._grpc = grpc.aio.server(options=options)
        self._grpc.add_generic_rpc_handlers((_handler(grpc, self._serve_grpc),))
        bound = self._grpc.add_insecure_port(f"{self._host}:{port}")
        await self._grpc.start()
        return int(bound)

    async def _serve_grpc(self, signal: Signal, body: bytes, context: Any) -> bytes:
        metadata = {
            key: value for key, value in context.invocation_metadata() if isinstance(value, str)
        }
        answer, items = await self._receive(signal, body, "grpc", metadata)
        if answer.grpc_status == 0:
            return _response(answer)
        import grpc

        if answer.retry_after_s is not None:
            details = ("grpc-status-details-bin", _status(answer).SerializeToString())
            context.set_trailing_metadata((details,))
        code = next(c for c in grpc.StatusCode if c.value[0] == answer.grpc_status)
        await context.abort(code, answer.message)
        raise AssertionError(f"abort raises; {items} items")

    async def _start_http(self, port: int) -> int:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        for signal in Signal:
            app.router.add_post(f"/v1/{signal.value}", self._http_handler(signal))
        app.router.add_get("/control/summary", self._summary)
        app.router.add_get("/control/span_ids", self._span_ids)
        app.router.add_post("/control/answer", self._answer)
        app.router.add_post("/control/clear", self._clear)
        self._http = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_GRACE_S)
        await self._http.setup()
        await web.TCPSite(self._http, self._host, port).start()
        return int(self._http.addresses[0][1])

    def _http_handler(self, signal: Signal) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            # aiohttp has undone Content-Encoding already.
            body = await request.read()
            metadata = {key.lower(): value for key, value in request.headers.items()}
            answer, _ = await self._receive(signal, body, "http", metadata)
            headers = {"Content-Type": "application/x-protobuf"}
            if answer.retry_after_s is not None:
                headers["Retry-After"] = f"{answer.retry_after_s:.0f}"
            ok = answer.http_status < 300
            content = _response(answer) if ok else _status(answer).SerializeToString()
            return web.Response(status=answer.http_status, body=content, headers=headers)

        return handle

    async def _receive(
        self, signal: Signal, body: bytes, transport: str, metadata: dict[str, str]
    ) -> tuple[Answer, int]:
        await self._answering.wait()
        answer = self.book.next_answer()
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        try:
            items, ids = read_items(signal, body)
        except ValueError as error:
            return Answer(3, 400, str(error)), 0
        if answer.takes:
            self.book.take(Received(signal, body, items, transport, metadata), ids)
        return answer, items

    async def _summary(self, _: web.Request) -> web.Response:
        book = self.book
        return web.json_response(
            {
                "requests": dict(book.requests),
                "items": {signal.value: book.items[signal] for signal in Signal},
                "spans": len(book.span_ids),
                "duplicates": book.duplicates,
            }
        )

    async def _span_ids(self, _: web.Request) -> web.Response:
        return web.Response(body=b"".join(self.book.span_ids.elements()))

    async def _answer(self, request: web.Request) -> web.Response:
        told = await request.json()
        if isinstance(told, dict):
            self.book.otherwise = Answer(**told["otherwise"])
        else:
            self.book.answer(*(Answer(**fields) for fields in told))
        return web.json_response({"scripted": len(self.book.script)})

    async def _clear(self, _: web.Request) -> web.Response:
        self.book.clear()
        return web.json_response({})


def _handler(grpc: Any, serve: Callable[[Signal, bytes, Any], Any]) -> Any:
    """A generic handler that leaves bodies as bytes: the book decodes them by itself."""

    class Export(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
        def service(self, details: Any) -> Any:
            signal = _METHODS.get(details.method)
            if signal is None:
                return None

            async def export(body: bytes, context: Any) -> bytes:
                return await serve(signal, body, context)  # type: ignore[no-any-return]  # bytes

            return grpc.unary_unary_rpc_method_handler(export)

    return Export()


def _response(answer: Answer) -> bytes:
    # The three response messages have the same fields under the same numbers.
    response = ExportTraceServiceResponse()
    if answer.rejected_items or answer.message:
        response.partial_success.rejected_spans = answer.rejected_items
        response.partial_success.error_message = answer.message
    return response.SerializeToString()


def _status(answer: Answer) -> Status:
    status = Status(code=answer.grpc_status, message=answer.message)
    if answer.retry_after_s is not None:
        seconds, fraction = divmod(answer.retry_after_s, 1)
        delay = Duration(seconds=int(seconds), nanos=int(fraction * 1e9))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return status


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signals.SIGTERM, signals.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Backend(arguments.grpc_port, arguments.http_port) as backend:
        endpoints = {"grpc": backend.grpc_endpoint, "http": backend.http_endpoint}
        print(json.dumps(endpoints), flush=True)
        await stop.wait()


def main() -> None:
    """Run one backend until SIGTERM."""
    parser = argparse.ArgumentParser(description="An OTLP backend for tests.")
    parser.add_argument("--grpc-port", type=int, default=0)
    parser.add_argument("--http-port", type=int, default=0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
