"""The instruments themselves: what they must notice, they notice."""

import asyncio
import contextlib
import re
import time
from pathlib import Path

import pytest

from bridge.testing import trace_request
from tests.faults.oracle import Oracle
from tests.faults.proxy import Network, Proxy
from tests.faults.table import Row, Table, rows_of
from tests.faults.watch import Sample, Stored, early_commits, read_at, uncommitted_at

FIRST, SECOND = (b"t" * 16 + bytes([n]) * 8 for n in (1, 2))


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(100):
            writer.write(data)
    writer.close()


@pytest.fixture
async def proxy():
    """A proxy in front of an echo."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with Proxy(server.sockets[0].getsockname()) as made:
        yield made
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0)  # The last ends reach the echo.


async def test_proxy_passes_on_both_ways_and_the_end(proxy: Proxy) -> None:
    """A healthy proxy is not noticed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    writer.write_eof()

    assert await reader.read() == b"hello"
    writer.close()


async def test_proxy_black_hole_delays_until_healed(proxy: Proxy) -> None:
    """Nothing comes and nothing breaks; afterwards everything comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.network.black_hole = True
    writer.write(b"hello")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await reader.read(5)
    proxy.heal()

    assert await reader.readexactly(5) == b"hello"
    writer.close()


async def test_proxy_reset_reaches_both_sides(proxy: Proxy) -> None:
    """A reset is an error and no end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    await reader.readexactly(5)
    proxy.reset()

    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_proxy_resets_instead_of_answering(proxy: Proxy) -> None:
    """The far side has the request, the near side no answer."""
    proxy.network = Network(reset_answers=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")

    with pytest.raises(ConnectionResetError):
        await reader.read()
    assert proxy.resets == 1
    writer.close()


async def test_proxy_half_open_tells_the_near_side_nothing(proxy: Proxy) -> None:
    """The far side is gone; who asks gets neither an answer nor an error at first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    await reader.readexactly(5)
    proxy.half_open()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await reader.read()
    writer.close()


async def test_proxy_delay_and_bandwidth_take_their_time(proxy: Proxy) -> None:
    """Both directions are slowed."""
    proxy.network = Network(delay_s=0.02, bytes_per_s=1000)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    began = time.monotonic()
    writer.write(bytes(50))
    await reader.readexactly(50)

    assert time.monotonic() - began >= 2 * (0.02 + 0.05)
    writer.close()


def test_oracle_notices_one_changed_byte() -> None:
    """A span that comes with another attribute value is altered."""
    made = trace_request(1, 2, seed=3)
    oracle = Oracle()
    oracle.mint(made)
    oracle.deliver(made.body.replace(b"checkout", b"checkouT"))

    assert oracle.altered == set(made.span_ids)


def test_oracle_misses_what_was_acknowledged_only() -> None:
    """Acknowledged and delivered nowhere is missing; refused is not."""
    lost, refused = trace_request(seed=1), trace_request(seed=2)
    oracle = Oracle()
    oracle.acknowledge(oracle.mint(lost))
    oracle.refuse(oracle.mint(refused))

    assert oracle.missing == set(lost.span_ids)


def _delivered(*times: tuple[bytes, float]) -> Oracle:
    oracle = Oracle()
    oracle.delivered_at.update(times)
    return oracle


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ([(9.0, 1)], ["committed 1.000 s before"]),
        ([(11.0, 1)], []),
        ([(11.0, 2)], ["committed inf s before"]),
        ([(11.0, 1), (12.0, 0)], ["went back from 1 to 0"]),
    ],
    ids=["early", "in time", "never resolved", "backwards"],
)
def test_watch_judges_commits_by_what_was_resolved(
    samples: list[tuple[float, int]], words: list[str]
) -> None:
    """A commit may be read only after everything below it is resolved."""
    records = [Stored(0, 0, (FIRST,)), Stored(0, 1, (SECOND,))]
    seen = [Sample(at, {0: offset}) for at, offset in samples]
    found = early_commits(seen, records, _delivered((FIRST, 10.0)))

    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))


def test_watch_counts_delivered_and_uncommitted_spans() -> None:
    """Those may come twice when the process ends at that moment."""
    records = [Stored(0, 0, (FIRST,)), Stored(0, 1, (SECOND,))]
    oracle = _delivered((FIRST, 10.0), (SECOND, 11.0))

    assert uncommitted_at(10.5, [], records, oracle) == 1
    assert uncommitted_at(11.5, [], records, oracle) == 2
    assert uncommitted_at(11.5, [Sample(11.0, {0: 1})], records, oracle) == 1


def test_what_a_reader_may_have_read_is_between_commit_and_end() -> None:
    """Neither what was committed when it stopped, nor what was written afterwards."""
    records = [Stored(0, offset, (FIRST, SECOND)) for offset in range(6)]
    samples = [Sample(1.0, {0: 1}), Sample(2.0, {0: 2}), Sample(9.0, {0: 6})]

    assert read_at(5.0, {0: 5}, samples, records) == 6
    assert read_at(5.0, {}, samples, records) == 0


def test_table_keeps_rows_of_earlier_runs_of_the_day(tmp_path: Path) -> None:
    """A run of some scenarios replaces its own rows and leaves the others as they were."""
    first, again = Table(1), Table(2)
    for table, names in ((first, ("one", "other")), (again, ("other",))):
        for name in names:
            row = table.row("F7, all", name)
            row.result, row.what, row.sent, row.seconds = "passed", "Stop | go.", 12_345, 1.5
            row.notes = [f"seed was {table.seed}", "and more"]
    first.write(tmp_path)
    page = again.write(tmp_path).read_text()
    one, other = (Row.of_line(line) for line in rows_of(page))

    assert "2 of 2 passed" in page
    assert one.line == first.rows["one"].line
    assert other.line == again.rows["other"].line
    assert (one.seed, other.seed) == (1, 2)


def test_every_fault_that_the_matrix_asks_for_has_a_scenario() -> None:
    """A number may have several."""
    asked = {*range(1, 10), *range(11, 15), *range(16, 21), 22, 23, *range(25, 35)}
    asked |= {36, 37, 40, 41, 42, *range(44, 48)}
    files = Path(__file__).parent.glob("test_*.py")
    marked = re.findall(r'mark\.faults\("F(\d+)', "".join(file.read_text() for file in files))

    assert asked <= {int(number) for number in marked}
