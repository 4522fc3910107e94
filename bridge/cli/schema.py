"""``otlp-bridge schema``"""

from bridge.cli.exit_codes import EXIT_OK
from bridge.cli.output import Output, print_json
from bridge.config import json_schema


def schema(*, output: Output = "json") -> int:
    """
    Print the JSON Schema of a configuration with the installed components, for editors.

    Save it as bridge.schema.json and begin the configuration with
    `# yaml-language-server: $schema=bridge.schema.json`.

    Exit codes: 0 printed, 64 wrong usage.

    Parameters
    ----------
    output
        JSON in any case.
    """
    from bridge.service import Registry  # Not for --help.

    del output
    print_json(json_schema(Registry()))
    return EXIT_OK
