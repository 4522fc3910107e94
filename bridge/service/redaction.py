"""Taking secrets out of text that is to leave the machine."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from bridge.config import LoadedConfig, values

MASK = "[REDACTED]"

_LENGTH_MIN = 4
"""Characters below which a secret is no pattern: it would blank out half of all words."""

_SECRET_NAME = re.compile(r"pass|secret|token|credential|api_?key|private|auth|jaas", re.IGNORECASE)
_PEM = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+(?=\S*\d)[\w.~+/=-]{8,}")


def secrets_of(loaded: LoadedConfig, environ: Mapping[str, str]) -> set[str]:
    """
    Every secret that is known: of the configuration, and of environment variables named like one.
    """
    hidden = values(loaded, redacted=True)
    shown = values(loaded, redacted=False)
    found = {
        str(plain.value)
        for masked, plain in zip(hidden, shown, strict=True)
        if masked.value != plain.value
    }
    return found | secrets_of_environment(environ)


def secrets_of_environment(environ: Mapping[str, str]) -> set[str]:
    """The values of variables whose names sound like a secret; paths and numbers are none."""
    return {
        value
        for name, value in environ.items()
        if _SECRET_NAME.search(name) and not value.startswith("/") and not value.isdecimal()
    }


class Scrubber:
    """
    Replaces known secrets, also as JSON, URLs and Base64 write them, and what looks like one.

    Args:
        secrets: Values that must not be seen; those below four characters are left to whoever
            masks them where they stand.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # The longest first: a secret may be the beginning of another.
        ordered = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def scrub(self, text: str) -> str:
        """*text* without any of them."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        text = _PEM.sub(MASK, text)
        return _BEARER.sub(lambda match: f"{match[1]} {MASK}", text)


def _forms(secret: str) -> set[str]:
    lines = {secret, *secret.splitlines()}
    found: set[str] = set()
    for line in lines:
        if len(line) < _LENGTH_MIN:
            continue
        encoded = base64.b64encode(line.encode()).decode()
        found |= {
            line,
            json.dumps(line)[1:-1],
            json.dumps(line, ensure_ascii=False)[1:-1],
            quote(line, safe=""),
            # The end depends on what follows; the rest is enough to be recognized.
            encoded.rstrip("=")[: len(line) * 4 // 3] if len(line) > 8 else encoded,
        }
    return found
