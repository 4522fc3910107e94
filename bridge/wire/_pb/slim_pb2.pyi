# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CountRequest(_message.Message):
    __slots__ = ("resources",)
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    resources: _containers.RepeatedCompositeFieldContainer[CountResource]
    def __init__(self, resources: _Optional[_Iterable[_Union[CountResource, _Mapping]]] = ...) -> None: ...

class CountResource(_message.Message):
    __slots__ = ("scopes",)
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    scopes: _containers.RepeatedCompositeFieldContainer[CountScope]
    def __init__(self, scopes: _Optional[_Iterable[_Union[CountScope, _Mapping]]] = ...) -> None: ...

class CountScope(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Opaque]
    def __init__(self, items: _Optional[_Iterable[_Union[Opaque, _Mapping]]] = ...) -> None: ...

class Opaque(_message.Message):
    __slots__ = ("never",)
    NEVER_FIELD_NUMBER: _ClassVar[int]
    never: bytes
    def __init__(self, never: _Optional[bytes] = ...) -> None: ...

class MetricsRequest(_message.Message):
    __slots__ = ("resources",)
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    resources: _containers.RepeatedCompositeFieldContainer[MetricsResource]
    def __init__(self, resources: _Optional[_Iterable[_Union[MetricsResource, _Mapping]]] = ...) -> None: ...

class MetricsResource(_message.Message):
    __slots__ = ("scopes",)
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    scopes: _containers.RepeatedCompositeFieldContainer[MetricsScope]
    def __init__(self, scopes: _Optional[_Iterable[_Union[MetricsScope, _Mapping]]] = ...) -> None: ...

class MetricsScope(_message.Message):
    __slots__ = ("metrics",)
    METRICS_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    def __init__(self, metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
    GAUGE_FIELD_NUMBER: _ClassVar[int]
    SUM_FIELD_NUMBER: _ClassVar[int]
    HISTOGRAM_FIELD_NUMBER: _ClassVar[int]
    EXPONENTIAL_HISTOGRAM_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    gauge: Points
    sum: Points
    histogram: Points
    exponential_histogram: Points
    summary: Points
    def __init__(self, gauge: _Optional[_Union[Points, _Mapping]] = ..., sum: _Optional[_Union[Points, _Mapping]] = ..., histogram: _Optional[_Union[Points, _Mapping]] = ..., exponential_histogram: _Optional[_Union[Points, _Mapping]] = ..., summary: _Optional[_Union[Points, _Mapping]] = ...) -> None: ...

class Points(_message.Message):
    __slots__ = ("points",)
    POINTS_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, points: _Optional[_Iterable[bytes]] = ...) -> None: ...

class SpanId(_message.Message):
    __slots__ = ("trace_id",)
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    trace_id: bytes
    def __init__(self, trace_id: _Optional[bytes] = ...) -> None: ...

class LogId(_message.Message):
    __slots__ = ("trace_id",)
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    trace_id: bytes
    def __init__(self, trace_id: _Optional[bytes] = ...) -> None: ...

class SpanIds(_message.Message):
    __slots__ = ("trace_ids",)
    TRACE_IDS_FIELD_NUMBER: _ClassVar[int]
    trace_ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, trace_ids: _Optional[_Iterable[bytes]] = ...) -> None: ...

class LogIds(_message.Message):
    __slots__ = ("trace_ids",)
    TRACE_IDS_FIELD_NUMBER: _ClassVar[int]
    trace_ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, trace_ids: _Optional[_Iterable[bytes]] = ...) -> None: ...
