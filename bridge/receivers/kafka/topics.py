"""Which topics are read, and which signal each of them holds. Pure."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from bridge.core import ConfigError, Signal
from bridge.kafka import Subscription
from bridge.receivers.kafka.config import KafkaReceiverOptions, SignalTopics


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """
    What to subscribe to.

    `signals` names the topics that are known beforehand; `patterns` say which signal a topic has
    that was found by pattern, in the order of precedence.
    """

    subscription: Subscription
    signals: dict[str, Signal]
    patterns: tuple[tuple[Signal, re.Pattern[str]], ...]

    def signal_of(self, topic: str) -> Signal | None:
        """The signal of *topic*, `None` if it is none of ours."""
        known = self.signals.get(topic)
        if known is not None:
            return known
        return next((signal for signal, pattern in self.patterns if pattern.match(topic)), None)


def plan_topics(config: KafkaReceiverOptions, wanted: Collection[Signal]) -> TopicPlan:
    """
    The plan for the signals that some pipeline wants.

    Raises:
        ConfigError: If two signals would be read from one topic.
    """
    signals: dict[str, Signal] = {}
    patterns: list[tuple[Signal, str]] = []
    for signal in Signal:
        if signal not in wanted:
            continue
        section = config.section(signal)
        if section.is_pattern:
            patterns.append((signal, _joined(section)))
            continue
        for topic in config.topics_of(signal):
            if topic in signals:
                raise ConfigError(
                    f"topic {topic} is to be read as {signals[topic].value} and as {signal.value}: "
                    "write topics of its own for each signal"
                )
            signals[topic] = signal
    compiled = tuple((signal, re.compile(pattern)) for signal, pattern in patterns)
    return TopicPlan(_subscription(signals, [text for _, text in patterns]), signals, compiled)


def _subscription(signals: Collection[str], patterns: list[str]) -> Subscription:
    if not patterns:
        return Subscription(tuple(signals))
    exact = [f"{re.escape(topic)}$" for topic in signals]
    return Subscription(pattern="|".join(f"(?:{text})" for text in (*exact, *patterns)))


def _joined(section: SignalTopics) -> str:
    """One pattern, matched from the beginning of a name, for a section's patterns."""
    # Go searches anywhere unless a pattern begins with ^; so must we.
    parts = [
        f"(?:{pattern})" if pattern.startswith("^") else f"(?:.*?(?:{pattern}))"
        for pattern in section.topics
    ]
    excluded = "|".join(f"(?:{pattern})" for pattern in section.exclude_topics)
    guard = f"(?!.*?(?:{excluded}))" if excluded else ""
    # Topics of Kafka's own are never telemetry.
    return f"(?!__){guard}(?:{'|'.join(parts)})"
