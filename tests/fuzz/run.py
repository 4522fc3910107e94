"""
Fuzz one target with atheris, which follows what the code does with each input.

    .venv/bin/python tests/fuzz/run.py TARGET [--seconds 600]

Inputs that reach something new are kept in ``.cache/fuzz/TARGET``, where the next run begins. One
that fails is written to ``tests/fuzz/found/TARGET-...``, where ``make test`` tries it from then
on: mend the fault, and commit the file with it. Exit code 77 says that something was found.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import atheris  # type: ignore[import-not-found]  # noqa: E402 - only in the group fuzz

from tests.fuzz.targets import TARGETS  # noqa: E402 - the path is set above

CODE = {
    "http2_frames": ["bridge.http2"],
    "grpc_framing": ["bridge.http2"],
    "http1": ["bridge.http1"],
    "split": ["bridge.wire"],
    "json_request": ["bridge.wire.otlp_json", "bridge.wire.otlp_json_reader"],
    "config": ["bridge.config"],
    "ottl": ["bridge.ottl", "lark"],
    "dead_letter": ["bridge.flow.dead_letter"],
    "commit_metadata": ["bridge.flow.islands"],
}
"""Which code atheris follows for each target: all of it would take minutes to prepare."""

INPUT_BYTES_MAX = 4096
INPUT_S_MAX = 10


def main() -> None:
    """Read the command line and fuzz."""
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("target", choices=CODE)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0, help="0 for a new one, which is printed")
    asked = parser.parse_args()
    instrument(CODE[asked.target])
    target = TARGETS[asked.target]
    corpus = ROOT / ".cache" / "fuzz" / asked.target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = corpus.with_suffix(".words")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    found = ROOT / "tests" / "fuzz" / "found"
    options = [
        f"-max_total_time={asked.seconds}",
        f"-seed={asked.seed}",
        f"-max_len={INPUT_BYTES_MAX}",
        f"-timeout={INPUT_S_MAX}",
        f"-artifact_prefix={found}/{asked.target}-",
        *([f"-dict={words}"] if target.words else []),
        "-print_final_stats=1",
        "-verbosity=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.look)
    atheris.Fuzz()


def instrument(packages: list[str]) -> None:
    """Follow the functions of *packages*, without those that only import them."""
    for name, module in list(sys.modules.items()):
        if any(name == package or name.startswith(f"{package}.") for package in packages):
            for function in _functions(vars(module), name):
                atheris.instrument_func(function)


def _functions(names: object, module: str) -> Iterator[FunctionType]:
    for value in list(dict(names).values()):  # type: ignore[call-overload]  # a namespace
        if isinstance(value, classmethod | staticmethod):
            value = value.__func__
        if isinstance(value, property):
            value = value.fget
        if isinstance(value, FunctionType) and value.__module__ == module:
            yield value
        elif isinstance(value, type) and value.__module__ == module:
            yield from _functions(vars(value), module)


def _escaped(word: bytes) -> str:
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word
    )


if __name__ == "__main__":
    main()
