"""The reference pages and the results tables, made from the code: run `python docs/generate.py` after changing it.

In: the package, `benchmarks/results/*.json`, and `docs/making/cold.json`. Out: `docs/reference/*.md`, `RESULTS.md`,
the pictures of quality against CPU seconds, of cold start and of content, what stands between the markers
`<!-- results -->` and `<!-- /results -->` in the READMEs and `docs/benchmarks.md`, the study of size in
`docs/large-models.md` with its picture, and the tables of features in `docs/features.md`. With `--check` nothing is
written; pages that differ are named and the exit code is 1. A result that is not whole is named, and nothing is written
(exit code 3). It does not write the other pages: people do.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from making.cold import cold_pictures
from making.command_line import cli_page
from making.errors import errors_page
from making.features import with_features
from making.http import http_page
from making.picture import quality_against_cpu
from making.python import python_page
from making.recipes import recipes_page
from making.results import PICTURE, RESULTS, BrokenResultError, result_of, with_results
from making.results_page import results_page
from making.scaling import scaling_picture, with_scaling

ROOT: Final = Path(__file__).resolve().parent.parent
DOCS: Final = ROOT / "docs"
MADE: Final = "<!-- Made by docs/generate.py: change the code's docstrings, not this page. -->"
SCALING_PAGES: Final = {"large-models.md": "en", "zh/large-models.md": "zh"}
RESULT_PAGES: Final = {"README.md": "en", "README.zh-CN.md": "zh", "docs/benchmarks.md": "en"}


def main() -> int:
    """Write the pages, or check them."""
    check = "--check" in sys.argv[1:]
    try:
        made = pages()
    except BrokenResultError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    stale = {path: text for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in stale.items():
        sys.stdout.write(f"{'differs' if check else 'written'}: {path.relative_to(ROOT)}\n")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return int(check and bool(stale))


def pages() -> dict[Path, str]:
    """Every page that is made, or has a part that is."""
    makers: dict[str, Callable[[], Iterable[str]]] = {
        "cli": cli_page,
        "recipes": recipes_page,
        "python": python_page,
        "errors": errors_page,
        "http": http_page,
    }
    made = {DOCS / "reference" / f"{name}.md": _page(maker()) for name, maker in makers.items()}
    made[ROOT / "RESULTS.md"] = "\n".join(results_page()).rstrip() + "\n"
    if (contest := RESULTS / "peers_quality.json").exists():
        made[PICTURE] = quality_against_cpu(result_of(contest))
    made |= cold_pictures()
    for name, language in RESULT_PAGES.items():
        made[ROOT / name] = with_results(ROOT / name, language, short=name.startswith("README"))
    study = result_of(file) if (file := RESULTS / "scaling.json").exists() else None
    if study is not None:
        made[DOCS / "images" / "scaling.svg"] = scaling_picture(study)
    for name, language in SCALING_PAGES.items():
        made[DOCS / name] = with_scaling(DOCS / name, language, study)
    made[DOCS / "features.md"] = with_features(DOCS / "features.md")
    return made


def _page(lines: Iterable[str]) -> str:
    title, *rest = lines
    return re.sub(r"\n{3,}", "\n\n", "\n".join([title, "", MADE, "", *rest])).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
