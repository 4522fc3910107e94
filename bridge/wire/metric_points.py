"""Cutting one metric into several with the same name, unit and kind but fewer data points."""

from collections.abc import Iterator

from google.protobuf.message import DecodeError

from bridge.core import Malformed
from bridge.wire._pb.slim_pb2 import Metric


def split_points(metric: bytes, *, first: int, others: int) -> Iterator[tuple[bytes, int]]:
    """
    Parts of an encoded metric: *first* data points, then *others* each, with their numbers.

    Everything but the points is in each part: fields that the schema does not name are kept.

    Raises:
        Malformed: If *metric* is no valid protobuf.
    """
    try:
        decoded = Metric.FromString(metric)
    except DecodeError as error:
        raise Malformed("a metric is no valid protobuf") from error
    kind = decoded.WhichOneof("data")
    if not kind:
        yield metric, 0
        return
    data = getattr(decoded, kind)
    points = list(data.points)
    start, size = 0, first
    while start < len(points) or not start:
        part = points[start : start + size]
        del data.points[:]
        data.points.extend(part)
        yield decoded.SerializeToString(), len(part)
        start, size = start + max(size, 1), others
