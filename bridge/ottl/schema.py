"""
Narrow message classes: OTLP as far as OTTL looks into it.

Whatever is not read as a rule is declared as ``bytes`` (attributes, events, links, bodies), so that
protobuf copies it instead of building objects; fields that are not declared at all survive as
unknown ones. Text is declared as ``bytes`` too: protobuf would refuse text that is no UTF-8, which
the Collector passes on.

Source: perf/results on narrow decoding; field numbers from opentelemetry-proto 1.x.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FieldProto = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "bridge.ottl"

# One line a message: number name type, `*` for repeated, `?` for explicit presence, `|` for a oneof
# named value.
_MESSAGES = """
AnyValue       |1 text bytes, |2 truth bool, |3 integer int64, |4 number double, |5 list List, |6 map Map, |7 binary bytes
List           *1 values AnyValue
Map            *1 values Pair
Pair           1 key bytes, 2 value AnyValue
KeyValue       1 key bytes, 2 value bytes

Request        *1 resources ResourceGroup
ResourceGroup  1 resource bytes, *2 scopes ScopeGroup, 3 schema_url bytes
ScopeGroup     1 scope bytes, *2 items bytes, 3 schema_url bytes
Resource       *1 attributes bytes, 2 dropped_attributes_count uint32
Scope          1 name bytes, 2 version bytes, *3 attributes bytes, 4 dropped_attributes_count uint32

Span           1 trace_id bytes, 2 span_id bytes, 3 trace_state bytes, 4 parent_span_id bytes, 5 name bytes, 6 kind int32, 7 start_time_unix_nano fixed64, 8 end_time_unix_nano fixed64, *9 attributes bytes, 10 dropped_attributes_count uint32, *11 events bytes, 12 dropped_events_count uint32, *13 links bytes, 14 dropped_links_count uint32, 15 status Status, 16 flags fixed32
SpanGlance     5 name bytes, 6 kind int32, 7 start_time_unix_nano fixed64, 8 end_time_unix_nano fixed64, 15 status Status
Status         2 message bytes, 3 code int32
Event          1 time_unix_nano fixed64, 2 name bytes, *3 attributes bytes, 4 dropped_attributes_count uint32

LogRecord      1 time_unix_nano fixed64, 2 severity_number int32, 3 severity_text bytes, 5 body bytes, *6 attributes bytes, 7 dropped_attributes_count uint32, 8 flags fixed32, 9 trace_id bytes, 10 span_id bytes, 11 observed_time_unix_nano fixed64, 12 event_name bytes
LogGlance      2 severity_number int32, 3 severity_text bytes, 12 event_name bytes

Metric         1 name bytes, 2 description bytes, 3 unit bytes, |5 gauge Gauge, |7 sum Sum, |9 histogram Histogram, |10 exponential_histogram ExponentialHistogram, |11 summary Summary, *12 metadata bytes
MetricGlance   1 name bytes, 2 description bytes, 3 unit bytes
Gauge          *1 data_points NumberPoint
Sum            *1 data_points NumberPoint, 2 aggregation_temporality int32, 3 is_monotonic bool
Histogram      *1 data_points HistogramPoint, 2 aggregation_temporality int32
ExponentialHistogram *1 data_points ExponentialPoint, 2 aggregation_temporality int32
Summary        *1 data_points SummaryPoint
NumberPoint    2 start_time_unix_nano fixed64, 3 time_unix_nano fixed64, |4 as_double double, *5 exemplars bytes, |6 as_int sfixed64, *7 attributes bytes, 8 flags uint32
HistogramPoint 2 start_time_unix_nano fixed64, 3 time_unix_nano fixed64, 4 count fixed64, ?5 sum double, *6 bucket_counts fixed64, *7 explicit_bounds double, *8 exemplars bytes, *9 attributes bytes, 10 flags uint32, ?11 min double, ?12 max double
ExponentialPoint *1 attributes bytes, 2 start_time_unix_nano fixed64, 3 time_unix_nano fixed64, 4 count fixed64, ?5 sum double, 6 scale sint32, 7 zero_count fixed64, 8 positive Buckets, 9 negative Buckets, 10 flags uint32, *11 exemplars bytes, ?12 min double, ?13 max double, 14 zero_threshold double
Buckets        1 offset sint32, *2 bucket_counts uint64
SummaryPoint   2 start_time_unix_nano fixed64, 3 time_unix_nano fixed64, 4 count fixed64, 5 sum double, *6 quantile_values Quantile, *7 attributes bytes, 8 flags uint32
Quantile       1 quantile double, 2 value double
Exemplar       |3 as_double double, |6 as_int sfixed64
"""  # noqa: E501 - a table


def _declare() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="bridge/ottl/narrow.proto", package=_PACKAGE, syntax="proto3"
    )
    for line in _MESSAGES.strip().splitlines():
        if line:
            name, fields = line.split(maxsplit=1)
            _add_message(file, name, fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{message.name}")
        )
        for message in file.message_type
    }


def _add_message(file: descriptor_pb2.FileDescriptorProto, name: str, fields: str) -> None:
    message = file.message_type.add(name=name)
    optional = []
    for words in fields.split(", "):
        number, field_name, kind = words.split()
        mark = number[0]
        field = message.field.add(name=field_name, number=int(number.lstrip("*?|")))
        field.label = _FieldProto.LABEL_REPEATED if mark == "*" else _FieldProto.LABEL_OPTIONAL
        if kind[0].isupper():
            field.type = _FieldProto.TYPE_MESSAGE
            field.type_name = f".{_PACKAGE}.{kind}"
        else:
            field.type = _FieldProto.Type.Value(f"TYPE_{kind.upper()}")
        if mark == "|":
            if not message.oneof_decl:
                message.oneof_decl.add(name="value")
            field.oneof_index = 0
        elif mark == "?":
            field.proto3_optional = True
            optional.append(field)
    # Protobuf wants the oneofs that stand for explicit presence behind the real ones.
    for field in optional:
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{field.name}")


_CLASSES = _declare()

AnyValue = _CLASSES["AnyValue"]
KeyValue = _CLASSES["KeyValue"]
Request = _CLASSES["Request"]
Resource = _CLASSES["Resource"]
Scope = _CLASSES["Scope"]
Span = _CLASSES["Span"]
SpanGlance = _CLASSES["SpanGlance"]
Event = _CLASSES["Event"]
LogRecord = _CLASSES["LogRecord"]
LogGlance = _CLASSES["LogGlance"]
Metric = _CLASSES["Metric"]
MetricGlance = _CLASSES["MetricGlance"]
Exemplar = _CLASSES["Exemplar"]
