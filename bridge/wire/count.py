"""Counting what a request holds, and checking that it is one."""

from google.protobuf.message import DecodeError

from bridge.core import Malformed, Signal
from bridge.wire import native, scan
from bridge.wire._pb.slim_pb2 import CountRequest, Metric, MetricsRequest
from bridge.wire.limits import UNLIMITED, RequestLimits


def count_items(signal: Signal, body: bytes, limits: RequestLimits = UNLIMITED) -> int:
    """
    Count the spans, data points or log records of an export request.

    The framing is checked down to the fields of each span, log record and metric; what these
    fields hold is looked at only as far as *limits* ask for.

    Raises:
        Malformed: If *body* is no such request, or has values that are nested too deep.
        TooLarge: If it has more envelopes or fields than *limits* allow.
    """
    found = native.count(signal, body, limits)
    return count_in_python(signal, body, limits) if found is None else found


def count_many(
    signal: Signal, bodies: list[bytes | None], limits: RequestLimits
) -> list[int | None]:
    """
    Count the items of each of *bodies* as `count_items` does.

    Returns:
        `None` at the place of what is no request within *limits*: `count_items` says why.
    """
    return native.count_many(signal, bodies, limits) or [None] * len(bodies)


def count_in_python(signal: Signal, body: bytes, limits: RequestLimits = UNLIMITED) -> int:
    """`count_items` without the compiled form."""
    if limits is not UNLIMITED:
        scan.check(signal, body, limits)
    try:
        if signal is Signal.METRICS:
            request = MetricsRequest.FromString(body)
            return sum(
                count_points(metric)
                for resource in request.resources
                for scope in resource.scopes
                for metric in scope.metrics
            )
        return sum(
            len(scope.items)
            for resource in CountRequest.FromString(body).resources
            for scope in resource.scopes
        )
    except DecodeError as error:
        raise Malformed(f"the body is no valid OTLP {signal.value} request") from error


def count_encoded_points(metric: bytes) -> int:
    """
    Count the data points of one encoded metric.

    Raises:
        Malformed: If *metric* is no valid protobuf.
    """
    try:
        return count_points(Metric.FromString(metric))
    except DecodeError as error:
        raise Malformed("a metric is no valid protobuf") from error


def count_points(metric: Metric) -> int:
    """Count the data points of one metric; 0 if it has no data."""
    kind = metric.WhichOneof("data")
    return len(getattr(metric, kind).points) if kind else 0
