"""What --config and --set name, as text and nodes."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from bridge.config.merging import DELIMITER, nest
from bridge.config.nodes import MapNode, ScalarNode
from bridge.config.parsing import TEXT_BYTES_MAX, parse
from bridge.config.position import Position, Source
from bridge.config.problems import Problem
from bridge.config.rendering import mask_secrets

# A single letter is a drive, as in the Collector.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


class Unreadable(Exception):
    """A file or variable is not to be had; the text says why and the hint what helps."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def read_source(uri: str, environment: Mapping[str, str]) -> Source | Problem:
    """
    Read one --config value: a path, ``file:PATH``, ``env:NAME`` or ``yaml:TEXT``.

    A path that exists is a path, also when its name looks like a scheme.
    """
    match = _SCHEME.match(uri)
    if match is None or os.path.exists(uri):
        return _from_file(uri)
    scheme, rest = match[1].lower(), uri[match.end() :]
    if scheme == "file":
        return _from_file(rest)
    if scheme == "yaml":
        return Source("yaml:", rest)
    if scheme == "env":
        text = environment.get(rest)
        if text is None:
            return Problem("BR-1001", f"--config {uri}: the environment variable is not set")
        return Source(uri, text)
    hint = ""
    if scheme in ("http", "https"):
        hint = "fetch it first and give the file: a configuration from the network is not read"
    return Problem("BR-1007", f"--config {uri}: the scheme {scheme} is not supported", hint=hint)


def read_set(option: str) -> tuple[MapNode | None, list[Problem]]:
    """
    Read one --set value.

    Returns:
        A tree that holds nothing but the value, `None` if it cannot be read, and what is wrong.
    """
    shown = mask_secrets(option)
    source = Source(f"--set {shown}", option)
    key, equals, text = option.partition("=")
    keys = [part.strip() for part in key.split(DELIMITER if DELIMITER in key else ".")]
    position = Position(source, 1, 1, max(1, len(key)))
    if not equals or not all(keys):
        return None, [Problem("BR-1008", f"--set {shown}: this is not KEY=VALUE", position)]
    value = Source(source.name, text)
    node, problems = parse(value)
    # Columns count within the option, behind the equals sign; nobody needs them more exactly.
    if node is None:
        if problems:
            message = f"--set {key}: the value is not YAML: {problems[0].message}"
            return None, [Problem("BR-1008", message, position)]
        node = ScalarNode(None, position)
    elif isinstance(node, ScalarNode):
        node = ScalarNode(node.value, position, node.text, node.quoted)
    return nest(keys, position, node), problems


def read_text(path: str) -> str:
    """
    The text of a file, without a byte order mark.

    Raises:
        Unreadable: If it is missing, too large, may not be read, or is not UTF-8.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(TEXT_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise Unreadable(f"no such file: {path}", _nearby(path)) from error
    except PermissionError as error:
        hint = f"it must be readable by uid {os.geteuid()}"
        raise Unreadable(f"no permission to read {path}", hint) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unreadable(f"cannot read {path}: {reason}") from error
    if len(data) > TEXT_BYTES_MAX:
        raise Unreadable(f"{path} is larger than {TEXT_BYTES_MAX} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Unreadable(f"{path} is not UTF-8: line {line}", "save the file as UTF-8") from error


def _from_file(path: str) -> Source | Problem:
    try:
        return Source(path, read_text(path))
    except Unreadable as error:
        return Problem("BR-1001", f"--config: {error}", hint=error.hint)


def _nearby(path: str) -> str:
    """Other YAML files in the same folder, since the name is usually only misspelt."""
    folder = Path(path).parent
    try:
        found = sorted(
            str(other) for other in folder.iterdir() if other.suffix in (".yaml", ".yml")
        )
    except OSError:
        return f"there is no folder {folder} to read" if not folder.exists() else ""
    return f"there is {', '.join(found[:5])}" if found else ""
