"""Request headers that the user adds; their values are secrets."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _from_list(value: Any) -> Any:
    """Accept the Collector's list form ``[{name: a, value: b}]`` besides the map."""
    if isinstance(value, list) and all(
        isinstance(entry, Mapping) and set(entry) <= {"name", "value"} and "name" in entry
        for entry in value
    ):
        return {entry["name"]: entry.get("value", "") for entry in value}
    if isinstance(value, Mapping):
        # YAML reads 1 and true as such; a header is text.
        return {
            name: str(entry).lower()
            if isinstance(entry, bool)
            else str(entry)
            if isinstance(entry, int | float)
            else entry
            for name, entry in value.items()
        }
    return value


def _valid(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no header name")
        text = value.get_secret_value()
        if any(ord(letter) < 0x20 and letter != "\t" for letter in text) or not text.isascii():
            raise ValueError(f"the value of {name} holds characters that a header cannot carry")
    return headers


Headers = Annotated[dict[str, SecretStr], BeforeValidator(_from_list), AfterValidator(_valid)]
"""Header names to secret values; also read in the form of a list of name and value."""


def reveal_headers(headers: Mapping[str, SecretStr]) -> dict[str, str]:
    """The headers as they are sent: lower-case names, values in the clear."""
    return {name.lower(): value.get_secret_value() for name, value in headers.items()}
