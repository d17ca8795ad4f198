"""The table of results, in two languages. In: `benchmarks/results/*.json`. What has no result is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from making.markdown import table

__all__ = ["FIGURES", "with_results"]

RESULTS: Final = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "results"


def with_results(path: Path, language: str) -> str:
    """The page with its table of results made anew."""
    text = path.read_text(encoding="utf-8")
    made = _results(language)
    return re.sub(r"(?s)(<!-- results -->\n).*?(<!-- /results -->)", lambda m: f"{m[1]}{made}{m[2]}", text)


def _results(language: str) -> str:
    headers = {"en": ("what", "measured", "command"), "zh": ("内容", "实测", "命令")}[language]
    place = 0 if language == "en" else 1
    rows, sources = [], {}
    for claim, tell in FIGURES.items():
        file = RESULTS / f"{claim}.json"
        if not file.exists():
            continue
        result = json.loads(file.read_text(encoding="utf-8"))
        rows += [(what[place], figure, f"`python -m benchmarks {claim}`") for what, figure in tell(result)]
        sources[result["commit"][:10]] = result["machine"]
    if not rows:
        return {"en": "No results are committed yet.\n", "zh": "尚无已提交的结果。\n"}[language]
    at = "; ".join(f"{commit}: {one['cores']} cores, {one['cpu']}" for commit, one in sources.items())
    source = {"en": f"Commit and machine: {at}.", "zh": f"提交与机器：{at}。"}[language]
    return f"{table(headers, rows)}\n{source}\n"


SETS: Final = {
    "time_split_foursquare": "foursquare-nyc",
    "time_split_beauty": "amazon-beauty-2014",
    "time_split_ml1m": "ml-1m, users 1 to 2999",
}

Said = Iterator[tuple[tuple[str, str], str]]


def _start(result: Mapping[str, Any]) -> Said:
    yield ("`import horae` (median)", "`import horae`（中位数）"), f"{result['import_seconds']['median']:.3f} s"
    yield ("`horae --help` (median)", "`horae --help`（中位数）"), f"{result['help_seconds']['median']:.2f} s"


def _prepare(result: Mapping[str, Any]) -> Said:
    labels = {
        "parquet": ("10M events, Parquet to sequences in memory", "一千万事件，从 Parquet 到内存中的序列"),
        "csv_with_describe": ("the same from CSV, `data describe` included", "同上，从 CSV，并含 `data describe`"),
    }
    for key, what in labels.items():
        runs = sorted(result[key], key=lambda run: run["seconds"])
        middle = runs[len(runs) // 2]
        yield what, f"{middle['seconds']:.1f} s, {middle['peak_memory_gb']:.1f} GB"


def _ml100k_report(result: Mapping[str, Any]) -> Said:
    yield (
        (
            "ml-100k, from `u.data` to the report with SASRec and all opponents",
            "ml-100k，从 `u.data` 到含 SASRec 与全部对手的报告",
        ),
        f"{result['seconds']:.0f} s",
    )


def _quality(en: str, zh: str) -> Callable[[Mapping[str, Any]], Said]:
    def tell(result: Mapping[str, Any]) -> Said:
        for metric, one in result["mean"].items():
            spread = "" if one["sd"] is None else f" (sd {one['sd']:.4f}, {len(result['runs'])} seeds)"
            yield (f"{en}: {metric}", f"{zh}：{metric}"), f"{one['mean']:.4f}{spread}"

    return tell


def _time_split(result: Mapping[str, Any]) -> Said:
    name = SETS[result["claim"]]
    for opponent in ("recent_popularity", "markov"):
        gap = result["against"].get(opponent, {}).get("ndcg@10")
        if gap is not None:
            what = (
                f"{name}, time split: SASRec minus {opponent}, ndcg@10",
                f"{name}，按时间切分：SASRec 减 {opponent}，ndcg@10",
            )
            yield what, f"{gap['difference']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}]"


def _answers(result: Mapping[str, Any]) -> Said:
    everybody, one = result["all_users_of_ml_1m"], result["one_unseen_history"]
    what = f"{everybody['users']:,} users of ml-1m, top 10", f"ml-1m 的 {everybody['users']:,} 个用户，各取前 10"
    yield what, f"{everybody['seconds']:.1f} s"
    what = f"one unseen history, {one['items']:,} items (median)", f"一段陌生历史，{one['items']:,} 个物品（中位数）"
    yield what, f"{one['median_ms']:.1f} ms"


def _simulate(result: Mapping[str, Any]) -> Said:
    yield ("simulate a shop's log of 1M events", "模拟一份一百万事件的商店日志"), f"{result['seconds']['median']:.1f} s"


FIGURES: Final[dict[str, Callable[[Mapping[str, Any]], Said]]] = {
    "ml100k_quality": _quality("ml-100k, leave-one-out, SASRec", "ml-100k，留一法，SASRec"),
    "beauty_quality": _quality("amazon-beauty-2014, leave-one-out, SASRec", "amazon-beauty-2014，留一法，SASRec"),
    "time_split_foursquare": _time_split,
    "time_split_beauty": _time_split,
    "time_split_ml1m": _time_split,
    "ml100k_report": _ml100k_report,
    "prepare": _prepare,
    "answers": _answers,
    "simulate": _simulate,
    "start": _start,
}
"""Which figures of each claim's result are shown; a claim without a result is left out."""
