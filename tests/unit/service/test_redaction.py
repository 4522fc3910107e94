"""Secrets do not leave the machine."""

import base64
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from bridge.config import load
from bridge.service import Registry
from bridge.service.redaction import MASK, Scrubber, secrets_of, secrets_of_environment

CONFIG = """
receivers:
  otlp: {protocols: {grpc: {}}}
exporters:
  kafka:
    auth: {sasl: {mechanism: PLAIN, username: bridge, password: "pa55-canary"}}
    record_headers: {tenant: header-canary}
  otlp: {endpoint: "b:4317", headers: {authorization: "Bearer ${env:BACKEND}"}}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [kafka, otlp]}
"""


def test_every_secret_of_the_configuration_is_known(tmp_path: Path) -> None:
    """Passwords and the values of headers, also those that came from the environment."""
    file = tmp_path / "bridge.yaml"
    file.write_text(CONFIG)
    environ = {"BACKEND": "env-canary", "MY_TOKEN": "token-canary", "HOME": "somewhere"}
    loaded = load([str(file)], [], Registry(), environ)

    assert secrets_of(loaded, environ) == {
        "pa55-canary",
        "header-canary",
        "Bearer env-canary",
        "token-canary",
    }


def test_variables_are_secret_by_their_names() -> None:
    """What is a path or a number is shown: it says where a secret is, or how many."""
    environ = {
        "DB_PASSWORD": "a1b2",
        "API_KEY": "c3d4",
        "TOKEN_FILE": os.sep + "run",
        "TOKEN_COUNT": "12",
        "LANG": "C",
    }

    assert secrets_of_environment(environ) == {"a1b2", "c3d4"}


@pytest.mark.parametrize(
    "shown",
    [
        'pä"ss word/1',
        json.dumps('pä"ss word/1'),
        json.dumps('pä"ss word/1', ensure_ascii=False),
        quote('pä"ss word/1', safe=""),
        base64.b64encode('pä"ss word/1'.encode()).decode(),
    ],
)
def test_secret_is_found_in_every_spelling(shown: str) -> None:
    """As text, JSON, URL and Base64."""
    found = Scrubber(['pä"ss word/1']).scrub(f"before {shown} after")

    assert MASK in found
    assert shown.strip('"') not in found


def test_longer_secret_is_masked_whole() -> None:
    """Although a shorter one is its beginning."""
    assert Scrubber(["abcd", "abcdefgh"]).scrub("x abcdefgh y abcd z") == f"x {MASK} y {MASK} z"


def test_lines_of_a_secret_are_masked_one_by_one() -> None:
    """A log shows the one that a parser stumbled over."""
    assert "second" not in Scrubber(["first-line\nsecond-line"]).scrub("at second-line: bad")


def test_what_looks_like_a_secret_is_masked_unknown() -> None:
    """Private keys and credentials of requests."""
    key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----"
    found = Scrubber([]).scrub(f"{key} authorization: Bearer eyJh1.b2.c3 and basic settings")

    assert found == f"{MASK} authorization: Bearer {MASK} and basic settings"


def test_short_secrets_do_not_blank_out_words() -> None:
    """They are masked where they stand in the configuration."""
    assert Scrubber(["a", "the"]).scrub("a word of the text") == "a word of the text"
