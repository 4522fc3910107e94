"""``otlp-bridge defaults``"""

import textwrap
from dataclasses import asdict

from bridge.cli.exit_codes import EXIT_OK
from bridge.cli.output import Output, print_json
from bridge.config import Difference, differences, other_differences

_WIDTH = 96


def defaults(*, output: Output = "text") -> int:
    """
    List the defaults that differ from the Collector's, and why.

    Exit codes: 0 listed, 64 wrong usage.

    Parameters
    ----------
    output
        Text for people, or JSON.
    """
    from bridge.service import Registry  # Not for --help.

    registry = Registry()
    found, others = differences(registry), other_differences(registry)
    if output == "json":
        print_json(
            {
                "against_loss": [asdict(difference) for difference in found],
                "other": [asdict(difference) for difference in others],
            }
        )
        return EXIT_OK
    print("The Collector's default would lose or split data:\n")
    for difference in found:
        _print(difference)
    print("Limits and times with another default:\n")
    for difference in others:
        _print(difference)
    print("Write a key to choose for yourself.")
    return EXIT_OK


def _print(difference: Difference) -> None:
    print(difference.key)
    print(f"  here: {difference.ours}   Collector: {difference.collectors}")
    print(textwrap.fill(difference.reason, _WIDTH, initial_indent="  ", subsequent_indent="  "))
    print()
