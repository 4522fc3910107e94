"""The way into the command: short for ``run``, by the parser of command lines for the rest."""

import sys
from collections.abc import Sequence

from bridge.cli.plain_run import parse_plain_run


def main(arguments: Sequence[str] | None = None) -> None:
    """
    Run one verb and leave the process with its exit code; see `bridge.cli.app.main`.

    A plainly written ``run``, as in every unit file and manifest, goes past the parser of command
    lines, whose import alone takes a tenth of the start.

    Raises:
        SystemExit: Always.
    """
    words = sys.argv[1:] if arguments is None else arguments
    plain = parse_plain_run(words)
    if plain is None:
        from bridge.cli.app import main as main_of_all_verbs

        main_of_all_verbs(words)
    else:
        from bridge.core import put_off, start_lean

        start_lean()
        # With the messages of all signals; most senders write protobuf.
        put_off("bridge.wire.otlp_json")
        from bridge.cli.starting import start_guarded

        raise SystemExit(start_guarded(plain))
