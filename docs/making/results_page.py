"""RESULTS.md: every committed result, with command, commit, machine and threads, bar and goal, seeds and spread.

In: `benchmarks/results/*.json`. Out: the page's lines. A claim whose figures nobody chose shows the numbers that its
result has at the top.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from making.bars import bar_of
from making.markdown import table
from making.results import FIGURES, RESULTS, figures_of, result_of

__all__ = ["results_page"]

DEEPEST = 3
BOOKKEEPING: Final = {
    "claim",
    "command",
    "commit",
    "machine",
    "load_at_end",
    "threads",
    "protocol",
    "seed",
    "rounds",
    "runs",
}
INTRODUCTION: Final = (
    "# Results",
    "",
    "<!-- Made by docs/generate.py from benchmarks/results: measure again, not edit. -->",
    "",
    "Every figure that Horae claims, with the command that measures it; [how to run them](docs/benchmarks.md). Figures",
    "in brackets are the lowest and the highest measured, or a 95% interval where two recommenders are compared. Bars",
    "and goals are what the work set out to reach; a figure stands beside them whether it reached them or not.",
    "",
)


def results_page(folder: Path = RESULTS) -> Iterator[str]:
    """The page, claim by claim."""
    yield from INTRODUCTION
    if "peers_quality" in {file.stem for file in folder.glob("*.json")}:
        yield from ("![Quality against CPU seconds of training](docs/images/quality-vs-cpu.svg)", "")
    order = {claim: number for number, claim in enumerate(FIGURES)}
    for file in sorted(folder.glob("*.json"), key=lambda file: (order.get(file.stem, len(order)), file.stem)):
        yield from _claim(file)


def _claim(file: Path) -> Iterator[str]:
    result, claim = result_of(file), file.stem
    yield from (f"## {claim}", "")
    if "protocol" in result:
        yield from (f"{result['protocol'][0].upper()}{result['protocol'][1:]}.", "")
    figures = figures_of(claim, file, FIGURES.get(claim, _numbers))
    rows = [(what, figure, *bar_of(claim, what)) for (what, _), figure in figures]
    yield from table(("what", "measured", "bar", "goal"), rows).splitlines()
    machine = result["machine"]
    facts = [
        f"`{result['command']}`",
        f"commit {result['commit'][:10]}",
        f"{machine['cores']} cores, {machine['cpu']}, {machine['memory_gib']} GiB",
        f"Python {machine['python']}, torch {machine['torch']}",
        *_threads_and_seeds(result),
    ]
    yield from ("", "; ".join(facts) + ".", "")


def _threads_and_seeds(result: Mapping[str, Any]) -> Iterator[str]:
    if "threads" in result:
        yield f"{result['threads']} thread{'s' * (result['threads'] > 1)}"
    if "rounds" in result:
        yield f"{result['rounds']} round{'s' * (result['rounds'] > 1)}, sides in turn"
    if seeds := sorted(set(_seeds(result))):
        yield f"seed{'s' * (len(seeds) > 1)} {', '.join(str(seed) for seed in seeds)}"


def _seeds(value: Any) -> Iterator[int]:
    """Every `seed` in the result, wherever it stands."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key == "seed" and isinstance(one, int):
                yield one
            else:
                yield from _seeds(one)
    elif isinstance(value, list):
        for one in value:
            yield from _seeds(one)


def _numbers(result: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    """The numbers of a result by their path; lists, which hold single runs, are left to the file."""
    for key, value in result.items():
        if key not in BOOKKEEPING:
            for path, number in _leaves(value, DEEPEST):
                what = " ".join([key, *path]).replace("_", " ")
                yield (what, what), f"{number:.4g}" if isinstance(number, float) else f"{number:,}"


def _leaves(value: Any, depth: int) -> Iterator[tuple[list[str], float]]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield [], value
    elif isinstance(value, Mapping) and depth:
        for name, one in value.items():
            if name != "runs":
                yield from (([name, *path], number) for path, number in _leaves(one, depth - 1))
