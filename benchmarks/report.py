"""`python -m benchmarks.report`: puts the figures of the last runs here into the documentation.

A page marks a place with `<!-- benchmark NAME -->` and `<!-- /benchmark -->`; what stands between
is made from `benchmarks/results/NAME.json`. No figure is typed by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.results import RESULTS

_ROOT = Path(__file__).parents[1]
_PAGES = (
    _ROOT / "docs" / "performance.md",
    _ROOT / "docs" / "reliability.md",
    _ROOT / "README.md",
)
_PLACE = re.compile(
    r"(<!-- benchmark (?P<name>[a-z-]+) -->\n).*?(?P<end><!-- /benchmark -->)", re.DOTALL
)
Render = Callable[[Path], str | None]
"""From the directory of results to Markdown; None when that benchmark was not run there."""


class UnknownPlaceError(Exception):
    """A page marks a place for a benchmark that does not exist."""


def renders() -> Mapping[str, Render]:
    """Return what can stand in a page, by name."""
    from benchmarks import figures  # noqa: PLC0415 - the benchmarks themselves import this module

    return figures.RENDERS


def filled(text: str, *, results: Path, page: str) -> str:
    """Return a page with every place filled for which there are results.

    Args:
        text: of the page.
        results: directory of results.
        page: name of the page, for messages.

    Raises:
        UnknownPlaceError: a place names no benchmark.
    """
    known = renders()

    def fill(place: re.Match[str]) -> str:
        render = known.get(place["name"])
        if render is None:
            raise UnknownPlaceError(
                f"{page}: there is no benchmark {place['name']!r}; there are {', '.join(known)}"
            )
        content = render(results)
        return place[0] if content is None else f"{place[1]}\n{content}\n\n{place['end']}"

    return _PLACE.sub(fill, text)


def write_documents(*, results: Path = RESULTS) -> list[Path]:
    """Fill the places of every page; return the pages that changed."""
    changed = []
    for page in _PAGES:
        before = page.read_text(encoding="utf-8")
        after = filled(before, results=results, page=page.name)
        if after != before:
            page.write_text(after, encoding="utf-8")
            changed.append(page)
    return changed


def main() -> int:
    """Fill the places and say which pages changed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    for page in write_documents(results=asked.results):
        print(page.relative_to(_ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
