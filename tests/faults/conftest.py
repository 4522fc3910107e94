"""
The cluster, the seed and the table of the fault scenarios.

``make test`` runs the scenarios that carry the mark `quick`; the others are deselected, and pytest
says how many. ``make faults`` runs all and writes the table.
"""

import logging
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.clock import Clock, build_clock
from tests.faults.cluster import Cluster, ProxiedKafka
from tests.faults.scene import Scene
from tests.faults.table import Row, Table

_HERE = Path(__file__).parent
_TABLE = pytest.StashKey[Table]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Only known when the scenarios are named on the command line, as ``make faults`` does."""
    parser.addoption("--faults", action="store_true", help="all fault scenarios, with a table")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, and choose the seed."""
    config.addinivalue_line("markers", "faults(number): a scenario of the fault matrix")
    config.addinivalue_line("markers", "quick: a scenario that `make test` runs too")
    seed = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().getrandbits(31))
    config.stash[_TABLE] = Table(seed)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long scenarios out, visibly, unless all are wanted."""
    if config.getoption("--faults", default=False):
        return
    long = [i for i in items if _HERE in i.path.parents and _is_long(i)]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def _is_long(item: pytest.Item) -> bool:
    return (
        item.get_closest_marker("quick") is None and item.get_closest_marker("faults") is not None
    )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the seed, and write the table of a whole run."""
    table = config.stash.get(_TABLE, None)
    if table is None or not table.rows:
        return
    terminalreporter.write_line(f"fault scenarios: seed {table.seed} (FAULTS_SEED repeats it)")
    if config.getoption("--faults", default=False):
        terminalreporter.write_line(f"table: {table.write()}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Note how each scenario ended."""
    report = yield
    table = item.config.stash.get(_TABLE, None)
    mark = item.get_closest_marker("faults")
    if table is not None and mark is not None and (report.when == "call" or not report.passed):
        row = table.row(mark.args[0], item.name.removeprefix("test_"))
        row.result = report.outcome
        row.what = (item.function.__doc__ or "").strip().partition("\n\n")[0]
        row.seconds = row.seconds or report.duration
        if report.skipped and isinstance(report.longrepr, tuple):
            row.result = "not possible here"
            row.notes.append(str(report.longrepr[2]).removeprefix("Skipped: "))
    return report


@pytest.fixture(scope="session")
def _cluster() -> Iterator[Cluster]:
    with ProxiedKafka() as server:
        yield Cluster(server)


@pytest.fixture
def cluster(_cluster: Cluster) -> Cluster:
    """Three nodes, all of them up."""
    # The watch asks brokers that are away, several times a second.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    _cluster.server.heal()
    return _cluster


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of this scenario, made from the run's; printed when it fails."""
    table = request.config.stash[_TABLE]
    print(f"FAULTS_SEED={table.seed}")
    return table.seed ^ (hash_name(request.node.name) & 0x7FFFFFFF)


def hash_name(name: str) -> int:
    """A number that is the same in every process."""
    import zlib

    return zlib.crc32(name.encode())


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    """This scenario's row of the table."""
    mark = request.node.get_closest_marker("faults")
    assert mark is not None, "every scenario carries its number"
    table = request.config.stash[_TABLE]
    return table.row(mark.args[0], request.node.name.removeprefix("test_"))


@pytest.fixture
def scene(cluster: Cluster, tmp_path: Path, seed: int, row: Row) -> Callable[..., Scene]:
    """Makes the scene of this scenario; keywords are fields of `Scene`."""

    def make(**fields: Any) -> Scene:
        return Scene(cluster, tmp_path, seed, row, **fields)

    return make


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that the scenario moves, for the processes that it starts."""
    return build_clock(tmp_path, monkeypatch)
