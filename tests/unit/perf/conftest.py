"""`perf/` is a folder of programs, not a package: its modules are found by its path."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "perf"))
