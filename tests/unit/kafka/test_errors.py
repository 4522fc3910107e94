"""What Kafka says becomes what we say, with the command that mends it."""

import ssl

import aiokafka.errors as kafka
import pytest

from bridge.core import Denied, Malformed, TooLarge, Unavailable
from bridge.kafka import is_denied, map_kafka_error

DENIED = [
    (kafka.TopicAuthorizationFailedError(), "--allow-principal User:me --operation Read"),
    (kafka.GroupAuthorizationFailedError(), "--group spans-group"),
    (kafka.ClusterAuthorizationFailedError(), "--operation IdempotentWrite"),
    (
        kafka.UnknownTopicOrPartitionError(),
        "kafka-topics --bootstrap-server b:1 --create --topic t",
    ),
    (kafka.InvalidTopicError(), "1 to 249"),
    (kafka.SaslAuthenticationFailed(), "auth.sasl of User:me"),
    (kafka.AuthenticationFailedError(), "kafka-configs"),
    (kafka.UnsupportedSaslMechanismError(), "sasl.enabled.mechanisms"),
    (kafka.UnsupportedVersionError(), "Kafka 2.1"),
    (kafka.InvalidRequiredAcksError(), "required_acks"),
    (kafka.InvalidTimestampError(), "clock of this machine"),
    (kafka.PolicyViolationError(), "policy"),
    (ssl.SSLCertVerificationError("unable to get local issuer"), "tls.ca_file"),
    (ssl.SSLError("wrong version number"), "openssl s_client"),
]


@pytest.mark.parametrize(("error", "hint"), DENIED)
def test_error_about_us_is_denied_with_a_hint(error: BaseException, hint: str) -> None:
    """The hint names the principal, resource and broker to type."""
    mapped = map_kafka_error(
        error, what="write", topic="t", group="spans-group", principal="User:me", broker="b:1"
    )

    assert isinstance(mapped, Denied)
    assert hint in mapped.hint
    assert is_denied(error)


@pytest.mark.parametrize(
    "error",
    [
        kafka.NotLeaderForPartitionError(),
        kafka.UnknownError(),
        kafka.KafkaConnectionError("x"),
        kafka.OutOfOrderSequenceNumber(),
        ConnectionResetError("gone"),
        TimeoutError(),
        RuntimeError("unheard of"),
    ],
)
def test_error_that_may_pass_is_unavailable(error: BaseException) -> None:
    """What is not known is kept and tried again, never dropped."""
    mapped = map_kafka_error(error, what="write to topic t")

    assert isinstance(mapped, Unavailable)
    assert str(mapped).startswith("cannot write to topic t: ")
    assert not is_denied(error)


def test_error_about_the_data_is_permanent() -> None:
    """Sizes."""
    assert isinstance(map_kafka_error(kafka.MessageSizeTooLargeError(), what="write"), TooLarge)


def test_error_of_ours_passes_through() -> None:
    """Nothing is translated twice."""
    error = Malformed("x")

    assert error is map_kafka_error(error, what="write")
    assert is_denied(Denied("x"))


def test_missing_acl_asks_for_no_more_than_was_tried() -> None:
    """Whoever writes is told of Write, whoever reads in a group of Read."""
    error = kafka.TopicAuthorizationFailedError("t")
    writing = map_kafka_error(error, what="write", topic="t")
    reading = map_kafka_error(error, what="read", topic="t", group="g")

    assert isinstance(writing, Denied)
    assert isinstance(reading, Denied)
    assert "--operation Write --operation Describe" in writing.hint
    assert "--operation Read --operation Describe" in reading.hint


def test_brokers_that_let_nobody_in_are_named_as_people_write_them() -> None:
    """Not as the tuples of a library."""
    family = "<AddressFamily.AF_UNSPEC: 0>"
    text = f"Unable to bootstrap from [('kafka-1', 9092, {family}), ('::1', 9093, {family})]"
    mapped = map_kafka_error(kafka.KafkaConnectionError(text), what="look")

    assert str(mapped) == "cannot look: no broker lets us in at kafka-1:9092, ::1:9093"
