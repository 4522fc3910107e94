"""What all tests share: the repository's root on the path, so that `tests.<helper>` imports."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiokafka.conn import AIOKafkaConnection
from hypothesis import HealthCheck, settings

from bridge.flow import Account

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

# A loaded machine makes and runs examples slowly; that says nothing of what they show.
settings.register_profile("any-load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-load")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options must be known before the folders that use them are collected."""
    parser.addoption("--interop", action="store_true", help="tests against a Collector and h2spec")


@pytest.fixture(autouse=True)
def ledger_balances(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """However a test ended: every item that came into our hands is in one column, or in flight."""
    made: list[Account] = []
    holders: list[object] = []  # They would be gone with what they hold, and nobody could ask them.
    make, watch = Account.__init__, Account.watch

    def note(account: Account, *arguments: object) -> None:
        make(account, *arguments)  # type: ignore[arg-type]  # Passed on as they came.
        made.append(account)

    def keep(account: Account, level: Callable[[], int]) -> None:
        watch(account, level)
        holders.append(level)

    monkeypatch.setattr(Account, "__init__", note)
    monkeypatch.setattr(Account, "watch", keep)
    yield
    off = [repr(account) for account in made if account.imbalance]
    assert not off, f"the ledger does not balance: {off}"


@pytest.fixture(autouse=True)
def logs_stay_as_they_were(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    A test that runs a verb in this process leaves no trace of it in the logs of the next one.

    Loggers are not kept either once they were used: they would go on writing to where the verb's
    standard error was, past whoever captures logs.
    """
    configure, before = structlog.configure, structlog.get_config()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level

    def configure_for_one_test(*arguments: Any, **options: Any) -> None:
        configure(*arguments, **{**options, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", configure_for_one_test)
    yield
    configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True)
def no_connection_outlives_its_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    Every connection of aiokafka a test opened is closed when it ends.

    Otherwise it warns when it is collected, which fails whatever test happens to run then.
    """
    made: list[AIOKafkaConnection] = []
    make = AIOKafkaConnection.__init__

    def note(connection: AIOKafkaConnection, *arguments: Any, **options: Any) -> None:
        make(connection, *arguments, **options)
        made.append(connection)

    monkeypatch.setattr(AIOKafkaConnection, "__init__", note)
    yield
    left = [connection for connection in made if connection.connected()]
    names = [repr(connection) for connection in left]
    for connection in left:
        connection._reader = None  # Said here; not once more when it is collected.
    assert not left, f"connections to Kafka were left open: {names}"
