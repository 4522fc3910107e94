"""The one exception that carries everything that is wrong."""

from collections.abc import Iterable

from bridge.config.problems import Problem, in_order
from bridge.config.rendering import render_plain
from bridge.core import ConfigError


class ConfigErrors(ConfigError):
    """
    Everything that is wrong with a configuration, found in one run.

    `problems` holds at least one error, and the warnings beside it. `str()` is the plain
    rendering.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(in_order(problems))
        super().__init__(render_plain(self.problems))
