"""``otlp-bridge validate``"""

from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_OK
from bridge.cli.loading import Config, Set, load_or_print
from bridge.cli.output import Output, print_json, print_problems
from bridge.config import LoadedConfig, render_json


def validate(
    config: Config, *, set_: Set = None, strict: bool = False, output: Output = "text"
) -> int:
    """
    Check a configuration without running it; every problem is found at once.

    Exit codes: 0 it can be run, 78 it cannot, or has warnings and --strict was given; 64 wrong
    usage.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order. A path, file:PATH, env:NAME or
        yaml:TEXT.
    set_
        A value to lay over the configuration, as in processors.batch.timeout=2s. May be repeated.
    strict
        Let warnings fail too.
    output
        Text for people, or JSON.
    """
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    failed = strict and bool(loaded.warnings)
    if output == "json":
        print_json(_summary(loaded, ok=not failed))
    else:
        if loaded.warnings:
            print_problems(loaded.warnings, output)
        for name, pipeline in loaded.pipelines.items():
            stages = [pipeline.receivers, *([name] for name in pipeline.processors)]
            parts = [", ".join(map(str, stage)) for stage in (*stages, pipeline.exporters)]
            print(f"{name}: {' -> '.join(parts)}")
        verdict = "not ok" if failed else "ok"
        pipelines = _counted(len(loaded.pipelines), "pipeline")
        print(f"{verdict}: {pipelines}, {_counted(len(loaded.warnings), 'warning')}")
    return EXIT_CONFIG if failed else EXIT_OK


def _summary(loaded: LoadedConfig, *, ok: bool) -> dict[str, object]:
    return {
        "ok": ok,
        "pipelines": {
            str(name): {
                "receivers": [str(member) for member in pipeline.receivers],
                "processors": [str(member) for member in pipeline.processors],
                "exporters": [str(member) for member in pipeline.exporters],
            }
            for name, pipeline in loaded.pipelines.items()
        },
        "problems": render_json(loaded.warnings),
    }


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
