"""
YAML text to the events of its parser.

`ruamel.yaml.YAML` gives the same events and carries all that makes objects of them and writes them
again: 0.8 MiB in every process that reads its configuration once.
"""

from collections.abc import Iterator
from typing import Any

from ruamel.yaml.docinfo import DocInfo
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.scanner import Scanner


def yaml_events(text: str) -> Iterator[Any]:
    """
    The events of all documents of *text*, as of ``YAML(typ="safe", pure=True).parse``.

    Raises:
        YAMLError: If it holds a character that YAML does not allow.
        MarkedYAMLError: If it is no YAML, with the place.
    """
    parser = _Parts(text).parser
    while parser.check_event():
        yield parser.get_event()


class _Parts:
    """Reader, scanner, parser and resolver, which find each other in this object by these names."""

    typ = ("safe",)
    version = None
    comment_handling = None

    def __init__(self, text: str) -> None:
        self.doc_infos = [DocInfo(requested_version=None)]
        self.tags: dict[str, str] = {}
        self.resolver = VersionedResolver(None, loader=self)
        self.reader = Reader(text, loader=self)
        self.scanner = Scanner(loader=self)
        self.parser = Parser(loader=self)
