"""Config values that the processors share."""

from typing import Annotated, Any

from pydantic import BeforeValidator


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Texts = Annotated[list[str], BeforeValidator(_listed)]
"""Several texts; a single one may stand without the list, as in the Collector."""
