"""The judge that has no opinion."""

from bridge.processors._gathering.decision import Decision, KeepAll


def test_keep_all_samples() -> None:
    """Everything is sampled."""
    assert Decision.SAMPLED is KeepAll().decide(b"", [], 0)
