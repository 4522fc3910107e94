"""Component ids in the Collector's form ``type`` or ``type/name``."""

import re
from dataclasses import dataclass

_TYPE = re.compile(r"[a-zA-Z][0-9a-zA-Z_]{0,62}")
_NAME_LENGTH_MAX = 1024


@dataclass(frozen=True, slots=True, order=True)
class ComponentId:
    """The identity of one configured component; `str()` gives the Collector's spelling."""

    type: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.type}/{self.name}" if self.name else self.type

    @classmethod
    def parse(cls, text: str) -> "ComponentId":
        """
        Read ``type`` or ``type/name``.

        Raises:
            ValueError: If the type is no identifier, or a slash is followed by no name.
        """
        kind, slash, name = text.strip().partition("/")
        kind, name = kind.strip(), name.strip()
        if not _TYPE.fullmatch(kind):
            raise ValueError(
                f"{text!r} is no component id: the type must be a letter followed by letters, "
                "digits or underscores, as in otlp or otlp/backend"
            )
        if slash and (not name or len(name) > _NAME_LENGTH_MAX):
            raise ValueError(f"{text!r} is no component id: a name must follow the slash")
        return cls(kind, name)
