"""
What Kafka says, in our words: the one place where aiokafka's errors become `DeliveryError`.

Three questions decide: may the same bytes be sent again (`Unavailable`), is it about the bytes
(`TooLarge`, `Refused`), or about us (`Denied`, with the command that mends it)? What is not known
is taken as `Unavailable`: data is kept and tried again rather than dropped on a guess.
"""

import re
import ssl

import aiokafka.errors as kafka

from bridge.core import DeliveryError, Denied, TooLarge, Unavailable

_CREDENTIALS = (
    kafka.AuthenticationFailedError,
    kafka.SaslAuthenticationFailed,
    kafka.IllegalSaslStateError,
)
_NOT_SUPPORTED = (
    kafka.UnsupportedVersionError,
    kafka.IncompatibleBrokerVersion,
    kafka.UnrecognizedBrokerVersion,
    kafka.UnsupportedForMessageFormatError,
    kafka.UnsupportedCodecError,
)

_BOOTSTRAP = re.compile(r"Unable to bootstrap from (\[.*\])")
_HOST = re.compile(r"\('([^']+)', (\d+),")
"""The library shows its own tuples there."""

_ANY_BROKER = "HOST:9092"
_NO_GROUP = "GROUP"


def map_kafka_error(
    error: BaseException,
    *,
    what: str,
    topic: str = "",
    group: str = "",
    principal: str = "",
    broker: str = "",
) -> DeliveryError:
    """
    Translate an error of aiokafka, the network or TLS. The caller chains the cause.

    Args:
        what: What was tried, as it reads after "cannot": ``write to topic otlp_spans``.
        topic: The topic concerned, for the hint.
        group: The consumer group concerned, for the hint.
        principal: Who we are, such as ``User:bridge``; a placeholder is shown without it.
        broker: A bootstrap broker for the hint's command; a placeholder is shown without it.

    Returns:
        The error to raise. `DeliveryError` passes through unchanged.
    """
    if isinstance(error, DeliveryError):
        return error
    reason = _reason(error)
    hint = _hint(error, topic or "TOPIC", group or _NO_GROUP, principal or "User:NAME").replace(
        _ANY_BROKER, broker or _ANY_BROKER
    )
    if hint:
        return Denied(f"cannot {what}: {reason}", hint=hint)
    if isinstance(error, kafka.MessageSizeTooLargeError | kafka.RecordListTooLargeError):
        return TooLarge(
            f"cannot {what}: {reason}; the topic's max.message.bytes is smaller than the batch"
        )
    return Unavailable(f"cannot {what}: {reason}")


def is_denied(error: BaseException) -> bool:
    """Whether somebody must change credentials, an ACL or a topic before it can work."""
    return isinstance(error, Denied) or bool(_hint(error, "", "", ""))


def _hint(error: BaseException, topic: str, group: str, principal: str) -> str:
    """The command or change that mends *error*; empty if waiting may mend it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "check tls.ca_file and the host name in brokers against the broker's certificate"
    if isinstance(error, ssl.SSLError):
        return "check the tls section against the listener: openssl s_client -connect HOST:PORT"
    if isinstance(error, kafka.UnsupportedSaslMechanismError):
        return "set auth.sasl.mechanism to one that the listener has in sasl.enabled.mechanisms"
    if isinstance(error, _CREDENTIALS):
        return (
            f"check auth.sasl of {principal}; for SCRAM: kafka-configs --alter --entity-type users "
            f"--entity-name {principal.removeprefix('User:')} --add-config 'SCRAM-SHA-512=[...]'"
        )
    return _resource_hint(error, topic, group, principal)


def _resource_hint(error: BaseException, topic: str, group: str, principal: str) -> str:
    allow = f"kafka-acls --bootstrap-server {_ANY_BROKER} --add --allow-principal {principal}"
    if isinstance(error, kafka.TopicAuthorizationFailedError):
        # Whoever has a group reads; nobody needs more than what was tried.
        does = "Write" if group == _NO_GROUP else "Read"
        return f"{allow} --operation {does} --operation Describe --topic {topic}"
    if isinstance(error, kafka.GroupAuthorizationFailedError):
        return f"{allow} --operation Read --operation Describe --group {group}"
    if isinstance(error, kafka.ClusterAuthorizationFailedError):
        return f"{allow} --operation IdempotentWrite --operation DescribeConfigs --cluster"
    if isinstance(error, kafka.UnknownTopicOrPartitionError):
        return (
            f"kafka-topics --bootstrap-server {_ANY_BROKER} --create --topic {topic} "
            "--partitions 12"
        )
    if isinstance(error, kafka.InvalidTopicError):
        return "a topic name has 1 to 249 letters, digits, dots, underscores or hyphens"
    if isinstance(error, kafka.InvalidTimestampError):
        # Time stamps are ours, not the sender's: its data must not be refused for them.
        return (
            "set the clock of this machine, or let the brokers stamp records: kafka-configs "
            f"--bootstrap-server {_ANY_BROKER} --alter --entity-type topics --entity-name {topic} "
            "--add-config message.timestamp.type=LogAppendTime"
        )
    if isinstance(error, kafka.InvalidRequiredAcksError):
        return "set producer.required_acks to all, 1 or 0"
    if isinstance(error, kafka.PolicyViolationError):
        return f"the brokers' policy refuses it: see create.topic.policy and topic {topic}"
    if isinstance(error, _NOT_SUPPORTED):
        return "the brokers are too old for this request: Kafka 2.1 or newer is needed"
    return ""


def _reason(error: BaseException) -> str:
    if isinstance(error, kafka.UnknownTopicOrPartitionError):
        return "the topic or partition does not exist"
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    text = " ".join(str(error).split()) or type(error).__name__
    if (unreached := _BOOTSTRAP.search(text)) is not None:
        brokers = ", ".join(f"{host}:{port}" for host, port in _HOST.findall(unreached[1]))
        text = f"no broker lets us in at {brokers}"
    if isinstance(error, kafka.UnsupportedSaslMechanismError):
        text = "the SASL mechanism is not enabled"
    return "; ".join((text, *getattr(error, "__notes__", ())))
