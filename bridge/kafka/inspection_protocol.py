"""
Requests that the client library does not have: those that tell our own rights, and KIP-848 groups.

Brokers since Kafka 2.3 add to their answers what the asking principal may do (KIP-430), so that
rights can be checked without writing, reading or joining anything.
"""

from collections.abc import Sequence

from aiokafka.protocol.admin import DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)

_TEXT = String("utf-8")

OPERATIONS = {
    3: "Read",
    4: "Write",
    5: "Create",
    6: "Delete",
    7: "Alter",
    8: "Describe",
    10: "DescribeConfigs",
    11: "AlterConfigs",
    12: "IdempotentWrite",
}
"""Operations by the bit that stands for them, spelled as ``kafka-acls --operation`` takes them."""

_NOT_TOLD = -(1 << 31)


def decode_operations(bits: int) -> frozenset[str] | None:
    """The operations that *bits* allow; `None` if the broker did not tell."""
    if bits == _NOT_TOLD:
        return None
    return frozenset(name for bit, name in OPERATIONS.items() if bits >> bit & 1)


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka is not annotated
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT))),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", _TEXT),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataRequest(RequestStruct):  # type: ignore[misc]  # aiokafka is not annotated
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(_TEXT)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class RightsRequest(Request[_MetadataRequest]):  # type: ignore[misc]  # aiokafka is not annotated
    """Brokers and topics with what we may do there; `None` asks about all topics."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str] | None) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequest]) -> _MetadataRequest:
        """The request; it never brings a topic into being."""
        topics = None if self._topics is None else list(self._topics)
        return request_struct_class(topics, False, False, True)


class _GroupsRequest(RequestStruct):  # type: ignore[misc]  # aiokafka is not annotated
    API_KEY = 15
    API_VERSION = 3
    # The library pairs its own request of this version with the answer of the version before.
    RESPONSE_TYPE = DescribeGroupsResponse_v3
    SCHEMA = Schema(("groups", Array(_TEXT)), ("include_authorized_operations", Boolean))


class GroupRightsRequest(Request[_GroupsRequest]):  # type: ignore[misc]  # the same
    """A group's members with what we may do there."""

    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[_GroupsRequest]) -> _GroupsRequest:
        """The request, for the group's coordinator."""
        return request_struct_class([self._group], True)


_COMPACT = CompactString("utf-8")

_ASSIGNMENT = Schema(
    (
        "topic_partitions",
        CompactArray(
            ("topic_id_high", Int64),
            ("topic_id_low", Int64),
            ("topic_name", _COMPACT),
            ("partitions", CompactArray(Int32)),
            ("tags", TaggedFields),
        ),
    ),
    ("tags", TaggedFields),
)


class _ConsumerGroupsResponse(Response):  # type: ignore[misc]  # aiokafka is not annotated
    API_KEY = 69
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            CompactArray(
                ("error_code", Int16),
                ("error_message", _COMPACT),
                ("group_id", _COMPACT),
                ("group_state", _COMPACT),
                ("group_epoch", Int32),
                ("assignment_epoch", Int32),
                ("assignor_name", _COMPACT),
                (
                    "members",
                    CompactArray(
                        ("member_id", _COMPACT),
                        ("instance_id", _COMPACT),
                        ("rack_id", _COMPACT),
                        ("member_epoch", Int32),
                        ("client_id", _COMPACT),
                        ("client_host", _COMPACT),
                        ("subscribed_topic_names", CompactArray(_COMPACT)),
                        ("subscribed_topic_regex", _COMPACT),
                        ("assignment", _ASSIGNMENT),
                        ("target_assignment", _ASSIGNMENT),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _ConsumerGroupsRequest(RequestStruct):  # type: ignore[misc]  # aiokafka is not annotated
    API_KEY = 69
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _ConsumerGroupsResponse
    SCHEMA = Schema(
        ("group_ids", CompactArray(_COMPACT)),
        ("include_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class ConsumerGroupRequest(Request[_ConsumerGroupsRequest]):  # type: ignore[misc]  # the same
    """A group of the consumer protocol (KIP-848, Kafka 4), which the older question calls dead."""

    API_KEY = 69

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[_ConsumerGroupsRequest]) -> _ConsumerGroupsRequest:
        """The request, for the group's coordinator."""
        return request_struct_class([self._group], True, {})
