"""Check that links in the Markdown files lead to files and headings that exist."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)


def main() -> int:
    """Print every broken link as ``file: target`` and give the exit code."""
    # Files that are not committed yet count; ignored ones do not.
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", "*.md"],  # noqa: S607 - git is on the path
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    broken = [
        f"{name}: {target}"
        for name in listed.stdout.split()
        if (ROOT / name).exists()
        for target in broken_links(ROOT / name)
    ]
    print("\n".join(broken) or "documentation: every link resolves")
    return 1 if broken else 0


def broken_links(path: Path) -> list[str]:
    """The targets of links in one file that lead nowhere; other sites are not asked."""
    text = _FENCE.sub("", path.read_text())
    return [target for target in _LINK.findall(text) if not _resolves(path, target)]


def _resolves(path: Path, target: str) -> bool:
    if re.match(r"[a-z]+:", target):
        return True
    name, _, anchor = target.partition("#")
    file = (path.parent / name) if name else path
    if not file.exists():
        return False
    if not anchor or file.suffix != ".md":
        return True
    return anchor in {_anchor(heading) for heading in _HEADING.findall(file.read_text())}


def _anchor(heading: str) -> str:
    """What web views make of a heading."""
    words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return words.replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main())
