"""``otlp-bridge init``"""

import sys
from importlib.resources import files
from pathlib import Path
from typing import Literal

from bridge.cli.exit_codes import EXIT_OK, EXIT_USAGE
from bridge.cli.output import Output, print_failure, print_json

Mode = Literal["sidecar", "gateway", "processing"]


def init(
    *,
    mode: Mode = "sidecar",
    file: Path | None = None,
    force: bool = False,
    output: Output = "text",
) -> int:
    """
    Write a commented configuration to begin with.

    Exit codes: 0 written, 64 the file exists already or cannot be written.

    Parameters
    ----------
    mode
        sidecar: from the applications of this machine to Kafka; gateway: from many senders, with a
        token; processing: from Kafka through filter and tail sampling to a backend.
    file
        Where to write it; standard output without it.
    force
        Replace a file that exists.
    output
        text or json: with json, the text stands below "config".
    """
    text = sample(mode)
    if file is None:
        if output == "json":
            print_json({"mode": mode, "config": text})
        else:
            sys.stdout.write(text)
        return EXIT_OK
    try:
        with file.open("w" if force else "x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        print_failure(f"{file} exists already", "choose another --file, or --force", output)
        return EXIT_USAGE
    except OSError as error:
        print_failure(f"cannot write {file}: {error.strerror}", "choose another --file", output)
        return EXIT_USAGE
    if output == "json":
        print_json({"mode": mode, "file": str(file)})
    else:
        print(f"{file} written; next: otlp-bridge validate --config {file}")
    return EXIT_OK


def sample(mode: Mode) -> str:
    """The configuration of *mode*, with its comments."""
    return files("bridge.cli").joinpath("samples", f"{mode}.yaml").read_text(encoding="utf-8")
