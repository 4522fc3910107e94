"""What all tests share: the repository's root on the path, so that `tests.<helper>` imports."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)
