"""The base of every config model."""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from bridge.core import wants_descriptions


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
        use_attribute_docstrings=wants_descriptions(),
        # Few of the models are ever used by one process.
        defer_build=True,
        populate_by_name=True,
    )

    PROCESS_TOTALS: ClassVar[tuple[str, ...]] = ()
    """Fields that bound a whole process: of N workers each gets an Nth, so that the sum stays."""

    def share_min(self, name: str) -> int:
        """The smallest share of the total *name* that one process can work with."""
        limits = (getattr(each, "ge", None) for each in type(self).model_fields[name].metadata)
        return max((int(limit) for limit in limits if limit), default=1)

    def divided(self, parts: int) -> Self:
        """
        The same section for one of *parts* workers: totals of the process divided, also in
        sections below. A total of 0, which switches something off, stays 0; a default is never
        divided below what one process needs.

        Raises:
            ValueError: If the share of a total that was written is too small to work with.
        """
        changed: dict[str, Any] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Options):
                share: Any = value.divided(parts)
                if share is not value:
                    changed[name] = share
            elif name in self.PROCESS_TOTALS and value:
                changed[name] = self._share(name, value, parts)
        return self.model_copy(update=changed) if changed else self

    def _share(self, name: str, total: int, parts: int) -> int:
        share, least = total // parts, self.share_min(name)
        if share < least and name in self.model_fields_set:
            raise ValueError(
                f"{name} is {total}, and {parts} workers need at least {least} each: set it to "
                f"{least * parts} or more, or run fewer workers"
            )
        return max(share, least)
