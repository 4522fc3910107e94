"""``run`` as unit files and manifests write it, read without the parser of command lines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SHUTDOWN_TIMEOUT = "25s"
"""Five seconds less than the 30 s that Kubernetes grants."""

WORKERS_MAX = 256
"""More processes than any machine has cores for is a slip of the finger."""

_NAMES = {
    "--config": "config",
    "-c": "config",
    "--set": "sets",
    "--workers": "workers",
    "--ready-file": "ready_file",
    "--shutdown-timeout": "shutdown_timeout",
    "--output": "output",
}
_REPEATED = ("config", "sets")


@dataclass(slots=True)
class RunArguments:
    """What ``run`` was told; see `bridge.cli.run.run` for each."""

    config: list[str] = field(default_factory=list)
    sets: list[str] = field(default_factory=list)
    workers: int = 1
    ready_file: Path | None = None
    shutdown_timeout: str = SHUTDOWN_TIMEOUT
    output: str = "text"


def parse_plain_run(words: Sequence[str]) -> RunArguments | None:
    """
    The arguments of a ``run`` that leaves nothing to interpret.

    Returns:
        `None` for other verbs and for everything that is wrong or out of the ordinary: the parser
        of all verbs reads that, and explains what it does not like.
    """
    if not words or words[0] != "run":
        return None
    found = RunArguments()
    given: set[str] = set()
    for option, value in _pairs(words[1:]):
        name = _NAMES.get(option)
        if name is None or not value or value.startswith("-"):
            return None
        if name in given and name not in _REPEATED:
            return None
        given.add(name)
        if not _take(found, name, value):
            return None
    return found if found.config else None


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Options with their values, written ``--name value`` or ``--name=value``."""
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        yield (option, value) if equals and option.startswith("--") else (word, next(rest, ""))


def _take(found: RunArguments, name: str, value: str) -> bool:
    """Put *value* where it belongs; false if it needs the other parser's judgement."""
    if name in _REPEATED:
        getattr(found, name).append(value)
    elif name == "workers":
        plain = value.isascii() and value.isdecimal() and len(value) <= len(str(WORKERS_MAX))
        found.workers = int(value) if plain else 0
        return 1 <= found.workers <= WORKERS_MAX
    elif name == "ready_file":
        found.ready_file = Path(value)
    elif name == "output":
        found.output = value
        return value in ("text", "json")
    else:
        found.shutdown_timeout = value
    return True
