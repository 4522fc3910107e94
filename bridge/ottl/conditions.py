"""
Comparisons and their combinations.

The common shapes (a path against a literal) get functions of their own: a filter spends its time
here.
"""

from collections.abc import Callable
from typing import Any

from bridge.ottl import glance
from bridge.ottl.errors import OttlError, OttlSyntaxError
from bridge.ottl.expressions import NEEDLES_MAX, Cursor, Expression, Needles, Place, Test
from bridge.ottl.values import COMPARE, COMPARE_SAME, type_name

_EXACT_INT_MAX = 2**53
"""Up to here an int is the same as a float, so that Python's exact comparison is Go's."""

Decide = Callable[[Cursor], bool]


def compare(operator: str, left: Expression, right: Expression) -> Test:
    """``left operator right``; two literals are compared at once."""
    apply = COMPARE[operator]
    if left.literal and right.literal:
        return Test.always(apply(left.value, right.value))
    run = _of_durations(operator, left, right)
    if run is None and right.literal:
        run = _against_literal(operator, left, right.value)
    if run is None:
        read_left, read_right = left.get, right.get

        def run(cursor: Cursor) -> bool:
            return apply(read_left(cursor), read_right(cursor))

    safe = _is_safe(left) and _is_safe(right)
    needles = _needles(operator, left, right) if safe else None
    outer = run if safe and _is_outer(left) and _is_outer(right) else None
    return Test(run, needles=needles, safe=safe, probe=_probe(operator, left, right), outer=outer)


def _of_durations(operator: str, left: Expression, right: Expression) -> Decide | None:
    """A faster function for two durations."""
    left_ns, right_ns = left.duration_ns, right.duration_ns
    if left_ns is None or right_ns is None:
        return None
    one, other, apply = left_ns, right_ns, COMPARE_SAME[operator]
    return lambda cursor: apply(one(cursor), other(cursor))


def _is_outer(expression: Expression) -> bool:
    return expression.literal or (isinstance(expression, Place) and expression.outer)


def _probe(operator: str, left: Expression, right: Expression) -> glance.Probe | None:
    """Decides by a look at the bytes, where one side is a literal."""
    apply = COMPARE[operator]
    if isinstance(left, Place) and left.glance is not None and right.literal:
        value = right.value
        return left.glance(lambda found: apply(found, value))
    if isinstance(right, Place) and right.glance is not None and left.literal:
        value = left.value
        return right.glance(lambda found: apply(value, found))
    return None


def _against_literal(operator: str, left: Expression, value: Any) -> Decide | None:
    """A faster function for ``==`` and ``!=`` against *value*, if there is one."""
    read = left.get
    if operator not in ("==", "!="):
        return None
    wanted = operator == "=="
    if value is None or type(value) is bool:
        if wanted:
            return lambda cursor: read(cursor) is value
        return lambda cursor: read(cursor) is not value
    if type(value) is str:
        if wanted:
            return lambda cursor: read(cursor) == value
        return lambda cursor: read(cursor) != value
    if type(value) is int and abs(value) <= _EXACT_INT_MAX:

        def decide(cursor: Cursor) -> bool:
            found = read(cursor)
            return (found == value and type(found) is not bool) is wanted

        return decide
    return None


def _is_safe(expression: Expression) -> bool:
    """Whether reading can never fail: literals, fields and single literal keys."""
    if expression.literal:
        return True
    return isinstance(expression, Place) and expression.safe


def _needles(operator: str, left: Expression, right: Expression) -> Needles | None:
    """What an item's bytes must hold for the comparison to be true."""
    place, literal = (left, right) if right.literal else (right, left)
    if not isinstance(place, Place) or not literal.literal:
        return None
    value = literal.value
    if value is None or operator == "!=":
        return None
    data = value.encode("utf-8", "surrogateescape") if type(value) is str else b""
    exact = (data,) if operator == "==" and data else ()
    if place.needle is not None:
        return ((place.needle, *exact),)
    if place.text_field and exact:
        return (exact,)
    return None


def from_converter(value: Expression, name: str) -> Test:
    """
    A converter as a condition: it must give a bool.

    Raises:
        OttlSyntaxError: If it is known to give something else.
    """
    if value.literal and type(value.value) is not bool:
        raise OttlSyntaxError(f"{name} gives no bool")
    read = value.get

    def run(cursor: Cursor) -> bool:
        answer = read(cursor)
        if answer is True or answer is False:
            return answer
        raise OttlError(f"{name} must give a bool as a condition but gave {type_name(answer)}")

    hint = getattr(read, "test", None)
    if isinstance(hint, Test):
        return hint
    return Test(run)


def invert(test: Test) -> Test:
    """``not test``."""
    if test.constant is not None:
        return Test.always(not test.constant)
    run = test.run
    return Test(lambda cursor: not run(cursor), safe=test.safe)


def combine_all(tests: list[Test]) -> Test:
    """``a and b``: from left to right, up to the first that is false. Constants are folded."""
    if any(test.constant is False for test in tests):
        return Test.always(False)
    left = [test for test in tests if test.constant is None]
    if not left:
        return Test.always(True)
    if len(left) == 1:
        return left[0]
    first, *rest = (test.run for test in left)

    def run(cursor: Cursor) -> bool:
        if not first(cursor):
            return False
        return all(decide(cursor) for decide in rest)

    if len(rest) == 1:
        second = rest[0]

        def run(cursor: Cursor) -> bool:
            return first(cursor) and second(cursor)

    return Test(
        run,
        needles=_needed_by_all(left),
        safe=all(test.safe for test in left),
        probe=_probe_of_all(left),
        outer=_outer_of_all(left),
    )


def _unfailing(tests: list[Test]) -> list[Test]:
    """
    The tests up to the first that may fail, and that one.

    While nothing can fail, one false part makes the whole false; behind a test that may fail
    nothing counts, since its error comes first.
    """
    for index, test in enumerate(tests):
        if not test.safe:
            return tests[: index + 1]
    return tests


def _probe_of_all(tests: list[Test]) -> glance.Probe | None:
    probes = [test.probe for test in _unfailing(tests) if test.probe is not None]
    return glance.all_of(probes) if probes else None


def _outer_of_all(tests: list[Test]) -> Decide | None:
    outers = [test.outer for test in _unfailing(tests) if test.outer is not None]
    if not outers:
        return None
    return lambda cursor: all(outer(cursor) for outer in outers)


def _needed_by_all(tests: list[Test]) -> Needles | None:
    """What the first tests need."""
    found: Needles | None = None
    for test in _unfailing(tests):
        needles = test.needles
        if needles is not None:
            if found is None:
                found = needles
            elif len(found) * len(needles) <= NEEDLES_MAX:
                found = tuple((*one, *other) for one in found for other in needles)
    return found


def combine_any(tests: list[Test]) -> Test:
    """``a or b``: from left to right, up to the first that is true. Constants are folded."""
    if any(test.constant is True for test in tests):
        return Test.always(True)
    left = [test for test in tests if test.constant is None]
    if not left:
        return Test.always(False)
    if len(left) == 1:
        return left[0]
    safe = all(test.safe for test in left)
    runs = [test.run for test in left]

    def run(cursor: Cursor) -> bool:
        return any(decide(cursor) for decide in runs)

    return Test(
        run,
        needles=needed_by_any(left),
        safe=safe,
        probe=probe_of_any(left),
        outer=outer_of_any(left),
    )


def probe_of_any(tests: list[Test]) -> glance.Probe | None:
    """A probe for "any of these holds", if each of them has one."""
    probes = [test.probe for test in tests if test.probe is not None]
    return glance.any_of(probes) if tests and len(probes) == len(tests) else None


def outer_of_any(tests: list[Test]) -> Decide | None:
    """What must hold for the scope for any of the tests to hold, if each of them has that."""
    outers = [test.outer for test in tests if test.outer is not None]
    if not tests or len(outers) < len(tests):
        return None
    return lambda cursor: any(outer(cursor) for outer in outers)


def needed_by_any(tests: list[Test]) -> Needles | None:
    """The alternatives of all tests, if each of them has some."""
    found: list[tuple[bytes, ...]] = []
    for test in tests:
        if test.needles is None:
            return None
        found.extend(test.needles)
    return tuple(found) if len(found) <= NEEDLES_MAX else None
