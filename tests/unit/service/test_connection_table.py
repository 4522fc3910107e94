"""Whose turn a connection is."""

import random

import pytest

from bridge.service.connection_table import ABSENT, ConnectionTable, table_bytes


def make_table(workers: int) -> ConnectionTable:
    table = ConnectionTable(memoryview(bytearray(table_bytes(workers))), workers)
    for worker in range(workers):
        table.leave(worker)
    return table


def test_connection_stays_where_it_came_unless_another_has_fewer() -> None:
    """Passing on costs: equal loads are no reason."""
    table = make_table(3)
    for worker, served in enumerate((2, 2, 5)):
        table.serve("grpc", worker, served)

    assert [table.least("grpc", worker) for worker in range(3)] == [0, 1, 0]


def test_worker_that_is_absent_gets_nothing() -> None:
    """It is starting, stopping or dead."""
    table = make_table(2)
    table.serve("grpc", 0, 7)

    assert table.least("grpc", 0) == 0
    assert table.load("grpc", 1) == ABSENT


def test_connection_under_way_counts_for_whom_it_goes_to() -> None:
    """A burst is spread before the other worker has looked at any of it."""
    table = make_table(2)
    table.serve("grpc", 0, 0)
    table.serve("grpc", 1, 0)
    taken = [0, 0]
    for _ in range(16):
        whose = table.least("grpc", 0)
        taken[whose] += 1
        if whose == 0:
            table.serve("grpc", 0, taken[0])
        else:
            table.hand("grpc", 0, 1)

    assert taken == [8, 8]
    for served in range(1, 9):
        table.serve("grpc", 1, served)
        table.receive("grpc", 1, 0)
    assert table.load("grpc", 1) == 8


def test_kinds_are_counted_apart() -> None:
    """A health check over HTTP is no gRPC connection of a Collector."""
    table = make_table(2)
    for worker in (0, 1):
        table.serve("grpc", worker, 0)
        table.serve("http", worker, 0)
    table.serve("http", 0, 30)

    assert table.least("grpc", 0) == 0
    assert table.least("http", 0) == 1


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_cells_of_a_table_do_not_overlap(workers: int) -> None:
    """Each is written by one worker alone; what is handed from one to another says nothing else."""
    table, drawn = make_table(workers), random.Random(workers)
    served = {(kind, w): drawn.randrange(100) for kind in ("grpc", "http") for w in range(workers)}
    handed = dict.fromkeys(
        ((kind, a, b) for kind in ("grpc", "http") for a in range(workers) for b in range(workers)),
        0,
    )
    for (kind, worker), count in served.items():
        table.serve(kind, worker, count)
    for _ in range(300):
        cell = drawn.choice(list(handed))
        table.hand(*cell)
        handed[cell] += 1

    for (kind, worker), count in served.items():
        way = sum(handed[kind, sender, worker] for sender in range(workers))
        assert table.load(kind, worker) == count + way
