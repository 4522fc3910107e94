"""``otlp-bridge config show``"""

import cyclopts

from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_OK
from bridge.cli.loading import Config, Set, load_or_print
from bridge.cli.output import Output, print_json
from bridge.config import to_tree, to_yaml, values

app = cyclopts.App(name="config", help="Look at a configuration.")


@app.command
def show(
    config: Config,
    *,
    set_: Set = None,
    origin: bool = False,
    redacted: bool = True,
    defaults: bool = True,
    output: Output = "text",
) -> int:
    """
    Print every value in force, defaults included.

    Exit codes: 0 shown, 64 wrong usage, 78 the configuration is wrong.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order. A path, file:PATH, env:NAME or
        yaml:TEXT.
    set_
        A value to lay over the configuration, as in processors.batch.timeout=2s. May be repeated.
    origin
        Say where each value comes from: file and line, --set, or default.
    redacted
        Show secrets as asterisks; --no-redacted shows them.
    defaults
        Show also what nobody wrote; --no-defaults leaves it out.
    output
        YAML for people, or JSON.
    """
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    found = [
        value
        for value in values(loaded, redacted=redacted)
        if defaults or value.origin != "default"
    ]
    if output == "text":
        print(to_yaml(found, origin=origin))
    elif origin:
        print_json(
            [
                {"path": list(value.path), "value": value.value, "origin": value.origin}
                for value in found
            ]
        )
    else:
        print_json(to_tree(found))
    return EXIT_OK
