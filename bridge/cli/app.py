"""The verbs by name, and what a process exits with."""

import importlib.util
import os
import sys
from collections.abc import Sequence

import cyclopts
from cyclopts.exceptions import CycloptsError

from bridge import __version__
from bridge.cli.exit_codes import EXIT_OK, EXIT_USAGE, exit_code
from bridge.cli.output import Output, print_failure
from bridge.core import BridgeError, Denied, Unavailable

_VERBS = (
    ("init", "bridge.cli.init:init", "Write a commented configuration to begin with."),
    ("run", "bridge.cli.run:run", "Run the pipelines of a configuration."),
    ("validate", "bridge.cli.validate:validate", "Check a configuration and say what is wrong."),
    ("config", "bridge.cli.config:app", "Show the values in force and where they come from."),
    ("explain", "bridge.cli.explain:explain", "Explain a key or the code of a problem."),
    ("components", "bridge.cli.components:components", "List the installed components."),
    ("defaults", "bridge.cli.defaults:defaults", "List defaults that are not the Collector's."),
    ("schema", "bridge.cli.schema:schema", "Print the JSON Schema of configurations."),
    ("graph", "bridge.cli.graph:graph", "Draw the pipelines."),
    ("demo", "bridge.cli.demo:demo", "Run the whole bridge on this machine, without Kafka."),
    ("health", "bridge.cli.health:health", "Ask a running bridge whether it does its work."),
    ("top", "bridge.cli.top:top", "Watch a running bridge in the terminal."),
    ("doctor", "bridge.cli.doctor:doctor", "Look at brokers, rights, topics, backends, machine."),
    ("send", "bridge.cli.send:send", "Send traces into a running system and follow them."),
    ("tap", "bridge.cli.tap:tap", "Watch the batches that enter a stage of a running bridge."),
    ("bundle", "bridge.cli.bundle:bundle", "Gather diagnostics without secrets in an archive."),
    ("lag", "bridge.cli.lag:lag", "Show how far the Kafka receivers are behind."),
    ("offsets", "bridge.cli.offsets:app", "Show and reset where the Kafka receivers go on."),
    ("dlq", "bridge.cli.dlq:app", "List, show, replay and skip dead letters."),
    ("completion", "bridge.cli.completion:completion", "Print a script for the shell's Tab key."),
    ("try", "bridge.cli.try_:try_", "Put spans through a processor and see what becomes of them."),
    (
        "explain-trace",
        "bridge.cli.explain_trace:explain_trace",
        "Say how a trace is sampled.",
    ),
    (
        "rehearse",
        "bridge.cli.rehearse:rehearse",
        "Try tail sampling policies on what Kafka still holds.",
    ),
    ("test", "bridge.cli.test_:test_", "Run the test cases of a configuration."),
)
"""Name, where the verb is, and a line of help; a verb that is not installed is left out."""


_LOOK = "otlp-bridge doctor --config FILE looks for the reason"


def build_app() -> cyclopts.App:
    """The command with all verbs; importing none of them."""
    app = cyclopts.App(
        name="otlp-bridge",
        help="OTLP in, Kafka keyed by trace id, processors behind a consumer group, OTLP out.",
        version=__version__,
    )
    for name, target, line in _VERBS:
        if importlib.util.find_spec(target.partition(":")[0]) is not None:
            app.command(target, name=name, help=line)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """
    Run one verb and leave the process with its exit code.

    Args:
        arguments:
            The command line without the program; `None` takes the process's.

    Raises:
        SystemExit: Always. 0 success, 1 warnings were found, 64 wrong usage, 69 something is not
            available, 75 try again, 77 not permitted, 78 the configuration cannot be run.
    """
    raise SystemExit(dispatch(sys.argv[1:] if arguments is None else arguments))


def dispatch(arguments: Sequence[str]) -> int:
    """Run one verb and return its exit code; what goes wrong is printed."""
    output = _wanted_output(arguments)
    try:
        result = build_app()(
            list(arguments), exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        from bridge.cli.usage import explain_usage  # Not for a line that is well.

        print_failure(*explain_usage(error), output)
        return EXIT_USAGE
    except BridgeError as error:
        print_failure(str(error), _advice(error), output)
        return exit_code(error)
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does: that is no failure. Python would
        # complain once more when it flushes at its end, so the end of the pipe is replaced.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    return result if isinstance(result, int) else EXIT_OK


def _advice(error: BridgeError) -> str:
    """What mends *error*; who is not let in is helped by whoever looks at each step of it."""
    if isinstance(error, Denied):
        return error.hint
    return _LOOK if isinstance(error, Unavailable) else ""


def _wanted_output(arguments: Sequence[str]) -> Output:
    """What --output asks for, read by hand: usage errors are to be printed that way too."""
    words = list(arguments)
    for index, word in enumerate(words):
        if word == "--output=json" or words[index : index + 2] == ["--output", "json"]:
            return "json"
    return "text"
