"""The generated modules are what the sources give."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_generated_modules_equal_a_fresh_generation(tmp_path: Path) -> None:
    """`protos/generate.sh` changes nothing: nobody edited its output or forgot to run it."""
    subprocess.run([ROOT / "protos" / "generate.sh", tmp_path], check=True, timeout=50)
    fresh = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*_pb2.py*")}

    assert fresh
    assert fresh == {path: (ROOT / path).read_bytes() for path in fresh}
