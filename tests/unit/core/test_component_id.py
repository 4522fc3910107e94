"""Component ids in the Collector's spelling."""

import pytest

from bridge.core import ComponentId


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("otlp", ComponentId("otlp")),
        ("otlp/backend", ComponentId("otlp", "backend")),
        ("tail_sampling/2", ComponentId("tail_sampling", "2")),
        (" otlp / a b ", ComponentId("otlp", "a b")),
    ],
)
def test_component_id_parses_collector_spelling(text: str, expected: ComponentId) -> None:
    """Type and name are split at the first slash, and spaces around them do not count."""

    assert expected == ComponentId.parse(text)


@pytest.mark.parametrize("text", ["", "/", "otlp/", "9lives", "ot-lp", "a" * 64])
def test_component_id_malformed_names_the_text(text: str) -> None:
    """What is no id is refused with the text that was given."""
    with pytest.raises(ValueError, match="no component id"):
        ComponentId.parse(text)


def test_component_id_text_round_trips() -> None:
    """`str` gives back what `parse` reads."""

    assert str(ComponentId.parse("kafka/in")) == "kafka/in"
    assert str(ComponentId.parse("kafka")) == "kafka"
