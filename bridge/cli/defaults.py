"""``otlp-bridge defaults``"""

import textwrap
from dataclasses import asdict

from bridge.cli.exit_codes import EXIT_OK
from bridge.cli.output import Output, print_json
from bridge.config import differences

_WIDTH = 96


def defaults(*, output: Output = "text") -> int:
    """
    List the defaults that differ from the Collector's, and why.

    Parameters
    ----------
    output
        Text for people, or JSON.
    """
    from bridge.service import Registry  # Not for --help.

    found = differences(Registry())
    if output == "json":
        print_json([asdict(difference) for difference in found])
        return EXIT_OK
    for difference in found:
        print(difference.key)
        print(f"  here: {difference.ours}   Collector: {difference.collectors}")
        print(textwrap.fill(difference.reason, _WIDTH, initial_indent="  ", subsequent_indent="  "))
        print()
    print("Everything else has the Collector's default; write a key to choose for yourself.")
    return EXIT_OK
