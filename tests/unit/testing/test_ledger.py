"""The oracle of loss."""

from bridge.testing import Ledger


def _ledger(acknowledged: str, sent: str = "abcdef") -> Ledger:
    ledger = Ledger()
    ledger.sent(sent)
    ledger.acknowledged(acknowledged)
    return ledger


def test_ledger_acknowledged_without_trace_is_missing() -> None:
    """What was answered with OK and came nowhere is named."""
    ledger = _ledger("abc")
    ledger.delivered("ab")

    balance = ledger.balance()

    assert balance.missing == {"c"}
    assert not balance.lossless


def test_ledger_duplicates_never_make_up_for_loss() -> None:
    """Two deliveries of one id leave the other one missing."""
    ledger = _ledger("ab")
    ledger.delivered("aa")

    balance = ledger.balance()

    assert (balance.duplicates, balance.missing) == (1, {"b"})


def test_ledger_every_class_accounts_for_its_ids() -> None:
    """Delivered, dead-lettered, dropped by rule and rejected ids are not lost."""
    ledger = _ledger("abcd")
    ledger.delivered("a")
    ledger.dead_lettered("b")
    ledger.dropped("c")
    ledger.rejected("d")

    assert ledger.balance().lossless


def test_ledger_unacknowledged_may_be_anywhere() -> None:
    """An id without an answer is no loss, whether it came or not."""
    ledger = _ledger("a")
    ledger.delivered("ab")

    balance = ledger.balance()

    assert balance.lossless
    assert balance.unacknowledged == 5


def test_ledger_delivered_but_never_sent_is_unknown() -> None:
    """Spans out of nowhere are as wrong as lost ones."""
    ledger = _ledger("a", sent="a")
    ledger.delivered("az")

    balance = ledger.balance()

    assert balance.unknown == {"z"}
    assert not balance.lossless
    assert "missing 0, duplicates 0, unknown 1" in str(balance)
