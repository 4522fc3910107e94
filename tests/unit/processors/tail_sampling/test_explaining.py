"""What policies would say, without a pipeline."""

from bridge.processors.tail_sampling.explaining import explain_traces
from bridge.processors.tail_sampling.options import TailSamplingOptions
from bridge.testing import RecordingMetrics, make_settings, trace_request


def test_policies_are_asked_though_one_sampled_already_and_nothing_is_counted() -> None:
    """Explaining changes no figure of the processor."""
    options = TailSamplingOptions.model_validate(
        {
            "sample_on_first_match": True,
            "policies": [
                {"name": "all", "type": "always_sample"},
                {"name": "many", "type": "span_count", "span_count": {"min_spans": 3}},
            ],
        }
    )
    metrics = RecordingMetrics()
    settings = make_settings("tail_sampling", metrics=metrics)
    verdicts = explain_traces(options, settings, trace_request(2, 4).body)

    assert [(one.spans, one.decision, one.by) for one in verdicts] == [(4, "sampled", "all")] * 2
    assert [one.says for one in verdicts[0].opinions] == ["sampled", "sampled"]
    assert verdicts[0].opinions[1].settings == "span_count: {min_spans: 3}"
    assert len(metrics.names()) > 1
    assert sum(metrics.value(name) for name in metrics.names()) == 0
