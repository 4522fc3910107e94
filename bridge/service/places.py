"""Where a stage stands in its pipeline, for whoever looks at what passes it."""

from collections.abc import Callable
from dataclasses import dataclass

from bridge.core import Stage


@dataclass(frozen=True, slots=True)
class Place:
    """
    One stage as a pipeline uses it.

    `name` is that by which its part reports, `type_name` the kind of component, `pipeline` the id
    of the pipeline that leads to it; a receiver's is empty. `begins` says that what comes to it has
    no history: right behind a receiver, and behind a stage that gathers.
    """

    name: str
    type_name: str
    pipeline: str
    begins: bool

    @property
    def kind(self) -> str:
        """``receivers``, ``processors`` or ``exporters``."""
        return self.name.partition("/")[0]


Observe = Callable[[Stage, Place], Stage]
"""Gives the stage that stands for another one, which delivers to it and may look on."""


def unobserved(stage: Stage, place: Place) -> Stage:
    """The stage itself: nobody looks."""
    del place
    return stage
