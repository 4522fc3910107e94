"""What a request may hold before anything decodes it."""

from typing import Final, NamedTuple

ITEMS_MAX: Final = 250_000
"""4 MiB hold about 100,000 of the smallest real spans, and two million empty ones."""

VALUE_DEPTH_MAX: Final = 24
"""Lists and maps in each other; nobody writes more than a few."""

VALUE_DEPTH_LIMIT: Final = 30
"""
What protobuf's own limit of 100 messages in each other leaves: a map is three of them, and an
attribute of an exemplar stands in eight.
"""

_FIELDS_PER_ITEM: Final = 16


class RequestLimits(NamedTuple):
    """
    Bounds of one request, all found without building objects.

    `envelopes_max` bounds resources and scopes together, and `fields_max` the fields of all items
    and of their long values, each of which would become an object for whoever decodes them.
    """

    value_depth_max: int = VALUE_DEPTH_MAX
    envelopes_max: int = ITEMS_MAX
    fields_max: int = ITEMS_MAX * _FIELDS_PER_ITEM

    @property
    def values_max(self) -> int:
        """Values of a request in JSON: an attribute is two or three of them."""
        return self.fields_max // 2

    @classmethod
    def of(cls, items_max: int, value_depth_max: int) -> "RequestLimits":
        """The limits that go with a number of items."""
        return cls(value_depth_max, items_max, items_max * _FIELDS_PER_ITEM)

    def too_deep(self) -> str:
        """What the sender of a value that is nested too deep is told."""
        return (
            f"an attribute or body holds lists or maps more than {self.value_depth_max} deep in "
            "each other"
        )

    def too_many(self) -> str:
        """What the sender of a request with too many parts is told."""
        return (
            f"the request holds more than {self.envelopes_max:,} resources and scopes, or more "
            f"than {self.fields_max:,} fields: send smaller batches"
        )


UNLIMITED: Final = RequestLimits(1000, 1 << 40, 1 << 40)
"""For what was let in before: only its items are counted."""
