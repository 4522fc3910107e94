"""``otlp-bridge explain-trace``"""

from dataclasses import asdict
from pathlib import Path

from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_OK, EXIT_USAGE
from bridge.cli.loading import Config, Set, load_or_print
from bridge.cli.output import Output, print_failure, print_json
from bridge.cli.request_text import read_request
from bridge.cli.samplers import one_sampler
from bridge.core import Malformed, Signal
from bridge.processors.tail_sampling import Verdict, explain_traces


def explain_trace(
    config: Config,
    *,
    processor: str = "",
    request: Path | None = None,
    set_: Set = None,
    output: Output = "text",
) -> int:
    """
    Say what each policy of tail sampling thinks of a trace, and what becomes of it.

    Exit codes: 0 explained, 64 no request, 78 the configuration is wrong or has no such
    processor.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order. A path, file:PATH, env:NAME or
        yaml:TEXT.
    processor
        The tail_sampling processor that is meant, if there are several.
    request
        A file with spans as OTLP/JSON; standard input by default. Attributes may be written as a
        plain map.
    set_
        A value to lay over the configuration. May be repeated.
    output
        A table for each trace, or JSON.
    """
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    try:
        signal, body = read_request(request)
        if signal is not Signal.TRACES:
            raise Malformed(f"tail sampling takes traces, these are {signal.value}")
    except Malformed as error:
        print_failure(f"no request: {error}", "give spans as OTLP/JSON on standard input", output)
        return EXIT_USAGE
    chosen, options = one_sampler(loaded, processor)
    from bridge.testing import make_settings  # Settings of a processor that nobody runs.

    verdicts = explain_traces(options, make_settings(chosen), body)
    if output == "json":
        print_json({"processor": chosen, "traces": [asdict(verdict) for verdict in verdicts]})
    else:
        for verdict in verdicts:
            _print(verdict)
    return EXIT_OK


def _print(verdict: Verdict) -> None:
    by = f" by {verdict.by}" if verdict.by else ", no policy samples it"
    spans = "1 span" if verdict.spans == 1 else f"{verdict.spans} spans"
    print(f"trace {verdict.trace_id}, {spans}: {verdict.decision}{by}")
    names = max((len(one.policy) for one in verdict.opinions), default=0)
    says = max((len(one.says) for one in verdict.opinions), default=0)
    for one in verdict.opinions:
        settings = f"  {one.settings}" if one.settings else ""
        print(f"  {one.policy:<{names}}  {one.says:<{says}}  {one.type}{settings}")
