"""The base of every config model."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """
    A section of the configuration.

    Unknown keys are errors, values are immutable once read, and a failing value is never shown in
    the error text, since it may be a secret. Every field carries its unit, default and meaning in
    its description: `otlp-bridge explain` and the JSON Schema are made from them.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        populate_by_name=True,
    )
