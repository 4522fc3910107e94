"""
The editors and converters, by family. Importing this package fills the registry.

A builder gets its compiled arguments and returns what runs for an item; whatever is wrong with the
arguments themselves it says with a `ValueError`.
"""

from bridge.ottl.functions import (
    aggregation,
    collections,
    conversions,
    editors,
    encodings,
    flattening,
    hashes,
    histograms,
    identities,
    metrics,
    parsing,
    percentiles,
    replacements,
    semconv,
    texts,
    times,
    types,
    urls,
)
from bridge.ottl.functions.registry import FUNCTIONS
from bridge.ottl.signature import Function

__all__ = [
    "FUNCTIONS",
    "STATEMENT_FUNCTIONS",
    "CONDITION_FUNCTIONS",
    "FAMILIES",
]

STATEMENT_FUNCTIONS: dict[str, Function] = {
    name: one for name, one in FUNCTIONS.items() if one.in_statements
}
"""What statements of the transform processor may call."""

CONDITION_FUNCTIONS: dict[str, Function] = {
    name: one for name, one in FUNCTIONS.items() if one.in_conditions and not one.is_editor
}
"""What conditions of filters and of groups may call."""

FAMILIES = {
    "Editors": (editors, flattening, replacements),
    "Types": (types, conversions),
    "Text": (texts, encodings, urls),
    "Parsing": (parsing,),
    "Lists and maps": (collections,),
    "Time": (times,),
    "Hashes and ids": (hashes, identities),
    "Spans": (semconv,),
    "Metrics": (metrics, aggregation, histograms, percentiles),
}
"""The modules of the reference page, in its order."""
