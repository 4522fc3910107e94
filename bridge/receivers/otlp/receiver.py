"""The OTLP receiver: two listeners, one budget, a pipeline for each signal."""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence

import structlog

from bridge.core import Deadline, Settings, Signal, Stage, State, Status
from bridge.flow import OF_OTLP, Account, ByteBudget
from bridge.http1 import Http1Limits, Http1Protocol, Lane
from bridge.http2 import (
    GrpcCalls,
    GrpcHandler,
    Http2Limits,
    Http2Protocol,
    QuietLog,
    Server,
    Timeouts,
)
from bridge.receivers.otlp.authentication import Authenticator, find_authenticator
from bridge.receivers.otlp.config import MIB, GrpcOptions, HttpOptions, OtlpReceiverOptions
from bridge.receivers.otlp.grpc_service import (
    SERVICES,
    OtlpAnswers,
    WholeExports,
    make_beginning,
    make_export,
    make_guard,
    make_methods,
)
from bridge.receivers.otlp.health import Health
from bridge.receivers.otlp.http_calls import OtlpHttpCalls
from bridge.receivers.otlp.http_service import OtlpHttpHandler
from bridge.receivers.otlp.intake import Intake, Outcomes
from bridge.receivers.otlp.listen import bind

log = structlog.get_logger()

_CLOSE_REASONS = (
    "peer",
    "age",
    "idle",
    "stop",
    "refused",
    "protocol_error",
    "calm",
    "head_timeout",
    "body_timeout",
    "write_timeout",
    "keepalive_timeout",
    "failure",
)


class OtlpReceiver:
    """
    Takes OTLP over gRPC and HTTP and answers when the stage behind has taken custody.

    Args:
        downstream:
            The stage of each signal that some pipeline wants; requests of other signals are
            answered UNIMPLEMENTED or 404.
    """

    def __init__(
        self, config: OtlpReceiverOptions, settings: Settings, downstream: Mapping[Signal, Stage]
    ) -> None:
        self._config = config
        self._settings = settings
        self._where = f"receivers.{settings.id}.protocols"
        self._downstream = downstream
        self._budget = ByteBudget(
            config.max_in_flight_mib * MIB, retry_after_s=config.overload_retry_delay
        )
        self._health = Health(SERVICES[signal] for signal in downstream)
        self._outcomes = {name: Outcomes(settings, name) for name in ("grpc", "http")}
        accounts = {
            signal: Account(settings.metrics, f"receivers/{settings.id}", signal, OF_OTLP)
            for signal in downstream
        }
        items_max = config.max_items_per_request
        self._intakes = {
            name: {
                signal: Intake(
                    signal,
                    stage,
                    settings,
                    name,
                    items_max,
                    accounts[signal],
                    config.max_value_depth,
                )
                for signal, stage in downstream.items()
            }
            for name in ("grpc", "http")
        }
        # What changes: the listeners, while they listen.
        self._servers: dict[str, Server] = {}
        self._endpoints: dict[str, tuple[str, int]] = {}
        self._sockets: dict[str, list[socket.socket]] = {}
        self._borrowed: dict[str, Sequence[socket.socket]] = {}
        self._show_gauges()

    def endpoints(self) -> dict[str, tuple[str, int]]:
        """Host and port that each protocol listens at, by ``grpc`` and ``http``."""
        return dict(self._endpoints)

    async def start(self) -> None:
        """
        Listen.

        Raises:
            ConfigError: If a port cannot be had, a certificate not be read, or an authenticator
                does not exist.
        """
        protocols = self._config.protocols
        try:
            if protocols.grpc is not None:
                await self._start_grpc(protocols.grpc)
            if protocols.http is not None:
                await self._start_http(protocols.http)
        except BaseException:
            await self.stop(Deadline.after(0, self._settings.clock))
            raise
        self._return_ports()
        self._settings.report(Status(State.OK))

    def lend_ports(self) -> Mapping[str, Sequence[socket.socket]]:
        """Copies of the listening sockets; see `bridge.core.PortHolder`."""
        return {key: [each.dup() for each in held] for key, held in self._sockets.items()}

    def borrow_ports(self, ports: Mapping[str, Sequence[socket.socket]]) -> None:
        """Take over those whose endpoint is ours; see `bridge.core.PortHolder`."""
        self._return_ports()
        self._borrowed = dict(ports)

    async def stop(self, deadline: Deadline) -> None:
        """Take nothing new; finish the requests in flight until *deadline*, then close."""
        self._health.stop()
        servers, self._servers = self._servers, {}
        self._endpoints.clear()
        self._sockets.clear()
        self._return_ports()
        async with asyncio.TaskGroup() as group:
            for server in servers.values():
                group.create_task(server.stop(deadline))

    async def _start_grpc(self, config: GrpcOptions) -> None:
        where = f"{self._where}.grpc"
        answers = OtlpAnswers(self._outcomes["grpc"], where)
        authenticator = self._find_authenticator(config, where)
        intakes, shared = self._intakes["grpc"], (self._outcomes["grpc"], answers)
        metadata = config.include_metadata
        methods = make_methods(
            intakes, lambda intake: make_export(intake, *shared, include_metadata=metadata)
        )
        beginnings = make_methods(
            intakes, lambda intake: make_beginning(intake, *shared, include_metadata=metadata)
        )
        handler = GrpcHandler(
            {**methods, **self._health.methods},
            clock=self._settings.clock,
            budget=self._budget,
            message_bytes_max=config.message_bytes_max,
            answer_s=self._config.answer_timeout,
            answers=answers,
            guard=None if authenticator is None else make_guard(authenticator, answers),
            beginnings={**beginnings, **self._health.beginnings},
            streams=self._health.beginnings.keys(),
        )
        calls = GrpcCalls(
            make_methods(
                intakes, lambda intake: WholeExports(intake, *shared, include_metadata=metadata)
            ),
            clock=self._settings.clock,
            budget=self._budget,
            message_bytes_max=config.message_bytes_max,
            answer_s=self._config.answer_timeout,
        )
        limits = Http2Limits(
            concurrent_streams_max=config.concurrent_streams_max,
            header_list_bytes_max=config.max_header_size,
            resets_max_per_10s=config.max_resets_per_10s,
            control_frames_max_per_10s=config.max_control_frames_per_10s,
        )
        keepalive = config.keepalive.server_parameters
        timeouts = Timeouts(
            handshake_s=config.handshake_timeout,
            head_s=config.read_header_timeout,
            body_s=config.body_progress_timeout,
            write_s=config.write_timeout,
            idle_s=keepalive.max_connection_idle,
            age_s=keepalive.max_connection_age,
            age_grace_s=keepalive.max_connection_age_grace,
            ping_s=keepalive.time,
            ping_ack_s=keepalive.timeout,
        )
        server = self._make_server(
            "grpc", config, timeouts, lambda server: Http2Protocol(server, handler, limits, calls)
        )
        await self._listen("grpc", server, config, where, alpn=("h2",))

    async def _start_http(self, config: HttpOptions) -> None:
        where = f"{self._where}.http"
        paths = {
            Signal.TRACES: config.traces_url_path,
            Signal.METRICS: config.metrics_url_path,
            Signal.LOGS: config.logs_url_path,
        }
        intakes = {paths[signal].encode(): each for signal, each in self._intakes["http"].items()}
        shared = (config, intakes, self._outcomes["http"])
        clock, answer_s = self._settings.clock, self._config.answer_timeout
        handler = OtlpHttpHandler(
            *shared,
            clock=clock,
            budget=self._budget,
            answer_s=answer_s,
            where=where,
            authenticator=self._find_authenticator(config, where),
        )
        calls = OtlpHttpCalls(handler, *shared, clock=clock, budget=self._budget, answer_s=answer_s)
        lane = Lane(calls)
        limits = Http1Limits(head_bytes_max=config.max_header_size)
        timeouts = Timeouts(
            handshake_s=config.handshake_timeout,
            head_s=config.read_header_timeout,
            body_s=config.body_progress_timeout,
            request_s=config.read_timeout,
            write_s=config.write_timeout,
            idle_s=config.idle_timeout,
            age_s=config.max_connection_age,
        )
        server = self._make_server(
            "http", config, timeouts, lambda server: Http1Protocol(server, handler, limits, lane)
        )
        await self._listen("http", server, config, where, alpn=("http/1.1",))

    def _find_authenticator(
        self, config: GrpcOptions | HttpOptions, where: str
    ) -> Authenticator | None:
        if config.auth is None:
            return None
        name = config.auth.authenticator
        return find_authenticator(self._settings.host, name, f"{where}.auth.authenticator")

    def _make_server(
        self,
        transport: str,
        config: GrpcOptions | HttpOptions,
        timeouts: Timeouts,
        make_connection: Callable[[Server], asyncio.Protocol],
    ) -> Server:
        labels = self._labels(transport)
        counter = self._settings.metrics.counter
        closed = {
            reason: counter("bridge_receiver_connections_closed", {**labels, "reason": reason})
            for reason in _CLOSE_REASONS
        }
        server = Server(
            make_connection,
            self._settings.clock,
            timeouts,
            connections_max=config.max_connections,
            count_closed=lambda reason: closed[reason].add(),
            log=QuietLog(self._settings.clock, **labels),
        )
        self._settings.metrics.gauge(
            "bridge_receiver_connections", labels, lambda: len(server.connections)
        )
        return server

    async def _listen(
        self,
        transport: str,
        server: Server,
        config: GrpcOptions | HttpOptions,
        where: str,
        alpn: tuple[str, ...],
    ) -> None:
        context = config.tls.context(alpn) if config.tls is not None else None
        shared = self._config.reuse_port
        key = f"{transport} {config.transport} {config.endpoint} {shared}"
        sockets = [*self._borrowed.pop(key, ())]
        sockets = sockets or bind(config.endpoint, config.transport, where, reuse_port=shared)
        self._sockets[key] = sockets
        self._servers[transport] = server
        self._endpoints[transport] = sockets[0].getsockname()[:2]
        name = f"{self._settings.id}/{transport}"
        await server.start(sockets, context, self._settings.host.joining(name, transport))
        host, port = self._endpoints[transport]
        log.info(
            "receiver_listening",
            receiver=str(self._settings.id),
            transport=transport,
            host=host,
            port=port,
            tls=context is not None,
        )

    def _return_ports(self) -> None:
        """Close what was borrowed and is not as configured."""
        borrowed, self._borrowed = self._borrowed, {}
        for held in borrowed.values():
            for each in held:
                each.close()

    def _show_gauges(self) -> None:
        labels = {"receiver": str(self._settings.id)}
        gauge = self._settings.metrics.gauge
        gauge("bridge_receiver_in_flight_bytes", labels, lambda: self._budget.used_bytes)
        gauge("bridge_receiver_in_flight_limit_bytes", labels, lambda: self._budget.limit_bytes)

    def _labels(self, transport: str) -> dict[str, str]:
        return {"receiver": str(self._settings.id), "transport": transport}
