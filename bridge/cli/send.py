"""``otlp-bridge send``"""

import asyncio
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from pydantic import ValidationError

from bridge.cli.durations import positive_s
from bridge.cli.exit_codes import (
    EXIT_CONFIG,
    EXIT_OK,
    EXIT_TRY_AGAIN,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
)
from bridge.cli.loading import Set, load_or_print, quiet_logs
from bridge.cli.output import Output, print_failure, print_json, print_table, progress
from bridge.core import SystemClock
from bridge.options import TlsClient, format_duration

if TYPE_CHECKING:
    from bridge.service.probe import Entrance, Route, Sent, TraceReceipt, Wanted

COUNT_MAX = 10_000
SPANS_MAX = 1_000
TIMEOUT_S = 30.0
EACH_MAX = 20
"""Traces up to which each is shown in a line of its own."""

OptionalConfig = Annotated[list[str] | None, Parameter(name=["--config", "-c"], negative="")]
Flag = Annotated[bool, Parameter(negative="")]


def send(
    config: OptionalConfig = None,
    *,
    endpoint: str = "",
    count: Annotated[int, Parameter(validator=Number(gte=1, lte=COUNT_MAX))] = 100,
    spans: Annotated[int, Parameter(validator=Number(gte=1, lte=SPANS_MAX))] = 3,
    service: str = "otlp-bridge-send",
    failed: Flag = False,
    verify: Flag = False,
    timeout: str = format_duration(TIMEOUT_S),
    header: Annotated[list[str] | None, Parameter(name="--header", negative="")] = None,
    ca_file: str = "",
    insecure_skip_verify: Flag = False,
    set_: Set = None,
    output: Output = "text",
) -> int:
    """
    Send synthetic traces into a running system, one a request, and say what became of each.

    With --verify they are followed: readable in the topic at which partition and offset, and
    committed by the group, which means delivered, dead-lettered or dropped by a rule; with the
    extension admin also when the backend took them. Latencies count from the sending. Their
    resource carries otlp_bridge.send.run with an id that is shown.

    Exit codes: 0 every trace passed every hop; 64 wrong usage; 69 refused for good, or its spans
    are on several partitions; 75 not in time, or the bridge says to come back; 77 the brokers do
    not let us; 78 the configuration is wrong.

    Parameters
    ----------
    config
        Configuration sources of the running system; with several, both halves can be followed.
    endpoint
        Where to send to instead of the configured OTLP receiver: host:port for gRPC, a URL for
        HTTP.
    count
        Traces to send.
    spans
        Spans of each.
    service
        Their service.name.
    failed
        Let each root span end in an error, so that samplers keep it.
    verify
        Follow them through Kafka.
    timeout
        Time for everything, as in 30s; how long processors hold traces comes on top.
    header
        A header for each request, as in authorization='Bearer ...'. May be repeated.
    ca_file
        PEM file with the authority of the bridge's certificate.
    insecure_skip_verify
        Accept any certificate of the bridge.
    set_
        A value to lay over the configuration. May be repeated.
    output
        Tables, or JSON with every trace.
    """
    from bridge.service.probe import Route, Wanted, entrance_at, route_of, send_traces

    loaded = None
    if config:
        loaded = load_or_print(config, set_, output)
        if loaded is None:
            return EXIT_CONFIG
    try:
        timeout_s = positive_s("--timeout", timeout)
        headers = dict(_header(one) for one in header or ())
        if loaded is not None:
            route = route_of(loaded, endpoint)
        elif endpoint:
            route = Route(entrance_at(endpoint))
        else:
            raise ValueError("name --config or --endpoint")
        if verify and route.client is None:
            raise ValueError("--verify needs a --config whose traces go through Kafka")
        tls = _tls(route.entrance, ca_file, insecure_skip_verify)
    except (ValueError, ValidationError) as problem:
        advice = "write for example: otlp-bridge send --config FILE --count 10 --verify"
        print_failure(str(problem), advice, output)
        return EXIT_USAGE
    wanted = Wanted(
        run=secrets.token_hex(8),
        service=service,
        count=count,
        spans=spans,
        failed=failed,
        timeout_s=timeout_s + (route.hold_s if verify else 0.0),
        tls=tls,
        headers=headers,
    )
    quiet_logs()
    with progress(output) as tell:
        sent = asyncio.run(send_traces(route, wanted, SystemClock(), tell, verify=verify))
    hops = _hops(route, verify, sent)
    return _show(route, wanted, sent, hops, output)


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError("--header is written NAME=VALUE")
    return name.strip(), value


def _tls(entrance: "Entrance", ca_file: str, insecure_skip_verify: bool) -> TlsClient:
    if not entrance.tls and not ca_file:
        return TlsClient(insecure=True)
    return TlsClient(ca_file=ca_file, insecure_skip_verify=insecure_skip_verify)


def _hops(route: "Route", verify: bool, sent: "Sent") -> list[str]:
    if not verify:
        return ["answered"]
    delivered = ["delivered"] if sent.delivered_known else []
    return ["answered", "readable", *delivered, *(["committed"] if route.groups else [])]


def _show(
    route: "Route",
    wanted: "Wanted",
    sent: "Sent",
    hops: list[str],
    output: Output,
) -> int:
    from bridge.service.probe import by_partition, faults, summarize

    receipts = sent.receipts
    wrong = faults(receipts, hops)
    code = _exit_code(receipts, wrong)
    if output == "json":
        print_json(
            {
                "ok": code == EXIT_OK,
                "run": wanted.run,
                "endpoint": route.entrance.address,
                "topic": route.topic,
                "groups": [group.name for group in route.groups],
                "faults": wrong,
                "delivered_unknown": sent.problem,
                "hops": [asdict(one) for one in summarize(receipts, hops)],
                "traces": [_row_json(one, hops) for one in receipts],
            }
        )
        return code
    if len(receipts) <= EACH_MAX:
        places = ("partition", "offset") if "readable" in hops else ()
        rows = [_row(one, hops) for one in receipts]
        print_table(("trace", *places, *hops), rows)
    else:
        placed = by_partition(receipts)
        if placed:
            print_table(
                ("partition", "traces", "first offset", "last offset"),
                [tuple(map(str, (number, *row))) for number, row in placed.items()],
            )
    print_table(
        ("hop", "traces", "least", "median", "p95", "most"),
        [
            (one.hop, str(one.traces), *(_ms(time) if one.traces else "-" for time in one.times_s))
            for one in summarize(receipts, hops)
        ],
    )
    for group in route.groups if "committed" in hops else ():
        held = f", whose processors hold traces for {format_duration(group.hold_s)}"
        print(f"committed by group {group.name}{held if group.hold_s else ''}")
    if sent.problem:
        print(f"delivered is not known: {sent.problem}")
    for line in wrong:
        print(f"wrong: {line}")
    verdict = "all of them well" if not wrong else "not all of them well"
    print(f"run {wanted.run}: {len(receipts)} traces to {route.entrance.address}, {verdict}")
    return code


def _exit_code(receipts: "list[TraceReceipt]", wrong: list[str]) -> int:
    if any(one.permanent or one.split for one in receipts):
        return EXIT_UNAVAILABLE
    return EXIT_TRY_AGAIN if wrong else EXIT_OK


def _row(one: "TraceReceipt", hops: list[str]) -> tuple[str, ...]:
    places: tuple[str, ...] = ()
    if "readable" in hops:
        partitions = ",".join(str(number) for number in sorted({place[0] for place in one.places}))
        offsets = ",".join(str(place[1]) for place in one.places)
        places = (partitions or "-", offsets or "-")
    times = [one.latency_s(hop) for hop in hops]
    return (one.trace_id.hex(), *places, *("-" if time is None else _ms(time) for time in times))


def _row_json(one: "TraceReceipt", hops: list[str]) -> dict[str, object]:
    return {
        "trace_id": one.trace_id.hex(),
        "places": [{"partition": partition, "offset": offset} for partition, offset in one.places],
        **{f"{hop}_s": one.latency_s(hop) for hop in hops},
        "refused": one.refused,
    }


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f}ms" if seconds < 1 else f"{seconds:.2f}s"
