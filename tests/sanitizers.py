"""Running the compiled form of a folder under the address and undefined behaviour sanitizers."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_CHILD = "OTLP_BRIDGE_FUZZED_MODULE"


def sanitized(name: str, sources: Sequence[Path], feed: Callable[[], int], seed: int) -> int:
    """
    Build *sources* and start this program again with it as module *name*; there, *feed* it.

    Returns:
        The exit code: 0 if *feed* returned its number of inputs and no sanitizer spoke.
    """
    module = os.environ.get(_CHILD)
    if module is None:
        with tempfile.TemporaryDirectory() as folder:
            return _run_child(_build(sources, Path(folder)))
    _load_module(name, module)
    count = feed()
    print(f"{count} inputs, no difference, nothing for the sanitizers to say (seed {seed})")
    return 0


def _build(sources: Sequence[Path], folder: Path) -> Path:
    """The module with sanitizers, compiled into *folder*."""
    compiler = os.environ.get("CC", "gcc")
    made = folder / "_native.so"
    flags = ["-g", "-O1", "-shared", "-fPIC", "-fno-omit-frame-pointer", "-Wall", "-Wextra"]
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    include = "-I" + sysconfig.get_paths()["include"]
    subprocess.run([compiler, *flags, *checks, include, *sources, "-o", made], check=True)
    return made


def _run_child(module: Path) -> int:
    """This program again, with the sanitizer's library in front of everything."""
    compiler = os.environ.get("CC", "gcc")
    asked = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
    )
    environment = {
        **os.environ,
        "LD_PRELOAD": asked.stdout.strip(),
        # The interpreter keeps much until its end; unit tests count what modules leave behind.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # Every object in memory of its own, so that a read beyond it is seen.
        "PYTHONMALLOC": "malloc",
        _CHILD: str(module),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode


def _load_module(name: str, path: str) -> None:
    """Put the sanitized module where the folder looks for it."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module
