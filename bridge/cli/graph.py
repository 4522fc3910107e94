"""``otlp-bridge graph``"""

from dataclasses import asdict
from typing import Literal

from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_OK
from bridge.cli.loading import Config, Set, load_or_print
from bridge.cli.output import Output, print_json
from bridge.config import graph as build_graph
from bridge.config import to_dot, to_mermaid


def graph(
    config: Config,
    *,
    set_: Set = None,
    format: Literal["mermaid", "dot"] = "mermaid",
    output: Output = "text",
) -> int:
    """
    Draw the pipelines of a configuration.

    Exit codes: 0 drawn, 64 wrong usage, 78 the configuration is wrong.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order. A path, file:PATH, env:NAME or
        yaml:TEXT.
    set_
        A value to lay over the configuration, as in processors.batch.timeout=2s. May be repeated.
    format
        Mermaid for Markdown, or DOT for Graphviz.
    output
        Text, or the nodes and edges as JSON.
    """
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    picture = build_graph(loaded)
    if output == "json":
        print_json(asdict(picture))
    else:
        print(to_mermaid(picture) if format == "mermaid" else to_dot(picture))
    return EXIT_OK
