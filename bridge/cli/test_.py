"""``otlp-bridge test``"""

# ruff: noqa: PT028 - a verb of this name, no test
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bridge.cli.cases import Verdict, judge, read_cases
from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from bridge.cli.loading import Config, Set, load_or_print
from bridge.cli.output import Output, print_failure, print_json
from bridge.cli.try_ import show_differences
from bridge.core import ConfigError

SUFFIX = ".tests.yaml"
"""What stands in place of a configuration's ``.yaml`` in the name of its test cases."""

Cases = Annotated[list[Path] | None, Parameter(name="--cases", negative="")]


def test_(config: Config, *, cases: Cases = None, set_: Set = None, output: Output = "text") -> int:
    """
    Run the test cases of a configuration: requests, and what its processors make of them.

    Cases stand in a YAML file beside the configuration: NAME.tests.yaml for NAME.yaml.

    Exit codes: 0 every case passed, 64 wrong usage or no cases, 69 some did not, 78 the
    configuration is wrong.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order. A path, file:PATH, env:NAME or
        yaml:TEXT.
    cases
        Files of cases; by default those beside the configuration. May be repeated.
    set_
        A value to lay over the configuration, as in processors.batch.timeout=2s. May be repeated.
    output
        A line for each case, or JSON.
    """
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    from bridge.telemetry import configure_logging  # Failing statements say why.

    configure_logging(loaded.telemetry.logs)
    files = cases or list(_beside(config))
    if not files:
        print_failure("there are no test cases", f"put them into CONFIG{SUFFIX}", output)
        return EXIT_USAGE
    verdicts: list[Verdict] = []
    try:
        for file in files:
            verdicts += [judge(case, loaded, file.parent) for case in read_cases(file)]
    except ConfigError as error:
        print_failure(str(error), "", output)
        return EXIT_USAGE
    _report(verdicts, output)
    return EXIT_OK if all(one.passed for one in verdicts) else EXIT_UNAVAILABLE


def _beside(sources: Sequence[str]) -> Iterator[Path]:
    for source in sources:
        path = Path(source.removeprefix("file:"))
        beside = path.with_suffix(SUFFIX)
        if path.suffix in (".yaml", ".yml", ".json") and beside.is_file():
            yield beside


def _report(verdicts: list[Verdict], output: Output) -> None:
    failed = sum(not one.passed for one in verdicts)
    if output == "json":
        cases = [{"name": one.name, "passed": one.passed, "reason": one.reason} for one in verdicts]
        print_json({"ok": not failed, "cases": cases})
        return
    for one in verdicts:
        state = "ok" if one.passed else "FAILED"
        print(f"{state}  {one.name}" + (f": {one.reason}" if one.reason else ""))
        show_differences(one.differences)
    print(f"{len(verdicts) - failed} passed, {failed} failed")
