"""Write the pages that come from docstrings: docs/api.md whole, and the marked part of docs/recipe.md.

`python scripts/docs` writes them; `python scripts/docs --check` says which are not current and leaves with 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

import api
import recipe

PAGES = {"docs/api.md": api.page, "docs/recipe.md": recipe.page}
ROOT = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """Write or check every page; the exit status."""
    stale = []
    for name, page in PAGES.items():
        path = ROOT / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = page(before)
        if after != before:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(after, encoding="utf-8")
    print(*(f"{name}: {'not current' if '--check' in arguments else 'written'}" for name in stale), sep="\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
