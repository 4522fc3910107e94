"""JSON and text as the Collector's Go code writes them."""

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from bridge.core import Malformed
from bridge.exporters.kafka.encodings.go_json import to_json, to_text


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (3.0, "3"),
        (2.5, "2.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-10, "1.5e-10"),
        (-1.25e300, "-1.25e+300"),
    ],
)
def test_floats_are_written_as_go_does(number: float, expected: str) -> None:
    """Whole numbers without a fraction, exponents from 1e21 on and below 1e-6."""
    assert expected == to_json(AnyValue(double_value=number))


def test_maps_have_sorted_keys_and_escaped_text() -> None:
    """As JSON that may stand in HTML."""
    value = AnyValue()
    value.kvlist_value.values.add(key="b").value.array_value.values.add().bool_value = True
    value.kvlist_value.values.add(key="a").value.string_value = "<&>\u2028ü"
    value.kvlist_value.values.add(key="c").value.bytes_value = b"\x00"
    value.kvlist_value.values.add(key="d")

    assert to_json(value) == '{"a":"\\u003c\\u0026\\u003e\\u2028ü","b":[true],"c":"AA==","d":null}'
    assert to_text(value) == to_json(value)


def test_text_of_scalars_has_no_quotes() -> None:
    """For tags."""
    assert to_text(AnyValue(string_value="a<b")) == "a<b"
    assert to_text(AnyValue(bytes_value=b"\x00")) == "AA=="
    assert to_text(AnyValue(int_value=7)) == "7"
    assert to_text(AnyValue()) == ""


def test_numbers_that_json_has_not_are_malformed() -> None:
    """A record that nobody could read is not written."""
    with pytest.raises(Malformed, match="nan"):
        to_json(AnyValue(double_value=float("nan")))
