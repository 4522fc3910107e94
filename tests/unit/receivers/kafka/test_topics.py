"""Which topics are read, and what they hold."""

import re

import pytest

from bridge.core import ConfigError, Signal
from bridge.kafka import Subscription
from bridge.receivers.kafka import KafkaReceiverOptions
from bridge.receivers.kafka.topics import TopicPlan, plan_topics


def _plan(*signals: Signal, **section: object) -> TopicPlan:
    return plan_topics(KafkaReceiverOptions.model_validate(section), signals)


def test_plan_defaults_are_the_collectors() -> None:
    """Without topics each wanted signal has its own, and no other is subscribed to."""
    plan = _plan(Signal.TRACES, Signal.LOGS)

    assert plan.subscription == Subscription(("otlp_spans", "otlp_logs"))
    assert plan.signal_of("otlp_logs") is Signal.LOGS
    assert plan.signal_of("otlp_metrics") is None


@pytest.mark.parametrize("section", [{"topic": "old"}, {"traces": {"topic": "old"}}])
def test_plan_older_spellings_name_the_topic(section: dict[str, object]) -> None:
    """`topic` of the receiver or of the signal is its topic."""
    assert _plan(Signal.TRACES, **section).subscription == Subscription(("old",))


def test_plan_one_topic_for_two_signals_is_refused() -> None:
    """A record cannot be read as two signals."""
    with pytest.raises(ConfigError, match="read as traces and as metrics"):
        _plan(Signal.TRACES, Signal.METRICS, topic="all")


def test_plan_patterns_match_as_in_go() -> None:
    """One pattern makes all of a signal's topics patterns; others are searched anywhere."""
    plan = _plan(
        Signal.TRACES,
        Signal.LOGS,
        traces={"topics": ["^spans-", "late"], "exclude_topics": ["-debug$"]},
        logs={"topics": ["plain.logs"]},
    )
    pattern = plan.subscription.pattern
    assert pattern is not None
    names = ["spans-a", "my-late-one", "spans-debug", "plain.logs", "plainxlogs", "__spans-late"]

    assert [bool(re.match(pattern, name)) for name in names] == [
        True,
        True,
        False,
        True,
        False,
        False,
    ]
    assert plan.signal_of("spans-a") is Signal.TRACES
    assert plan.signal_of("plain.logs") is Signal.LOGS
    assert plan.signal_of("spans-debug") is None
