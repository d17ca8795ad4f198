"""The tables of results, in two languages. In: `benchmarks/results/*.json`. What has no result is left out.

The READMEs show the claims of `SHORT`, the page on benchmarks all that have figures here; a result that is not whole is
an error that names the file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from making import comparisons, peers, temporal
from making.markdown import table
from making.scaling import scaling

__all__ = ["FIGURES", "PICTURE", "RESULTS", "BrokenResultError", "result_of", "with_results"]

Said = Iterator[tuple[tuple[str, str], str]]
Tell = Callable[[Mapping[str, Any]], Said]

PICTURE: Final = Path(__file__).resolve().parent.parent / "images" / "quality-vs-cpu.svg"
RESULTS: Final = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "results"


NEEDED: Final = ("claim", "command", "commit", "machine")


class BrokenResultError(ValueError):
    """A result's file is not what a benchmark writes; the message says what to do."""

    def __init__(self, file: Path, what: str) -> None:
        name = f"benchmarks/results/{file.name}"
        again = f"measure it again (python -m benchmarks {file.stem}), or restore it (git checkout -- {name})"
        super().__init__(f"{name}: {what}; {again}.")


def result_of(file: Path) -> dict[str, Any]:
    """The result in a file.

    Raises:
        BrokenResultError: Half of a file, or not the result of the claim that its name says.
    """
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:  # not UTF-8, or not JSON
        raise BrokenResultError(file, f"expected JSON, got {error}") from error
    if not isinstance(result, dict):
        raise BrokenResultError(file, f"expected an object, got {type(result).__name__}")
    if missing := [name for name in NEEDED if name not in result]:
        raise BrokenResultError(file, f"no {', '.join(missing)}")
    if result["claim"] != file.stem:
        raise BrokenResultError(file, f"it is the result of {result['claim']!r}")
    return result


def figures_of(claim: str, file: Path, tell: Tell) -> list[tuple[tuple[str, str], str]]:
    """The figures that a claim shows; a result without them is as broken as half a file."""
    try:
        return list(tell(result_of(file)))
    except (KeyError, TypeError, IndexError) as error:
        raise BrokenResultError(file, f"its figures lack {error} that {claim!r} shows") from error
    except ValueError as error:  # a text where a number belongs; `result_of` raises its own kind
        if isinstance(error, BrokenResultError):
            raise
        raise BrokenResultError(file, f"a figure that {claim!r} shows is no number: {error}") from error


def with_results(path: Path, language: str, *, short: bool) -> str:
    """The page with its table of results, and its link to the picture, made anew."""
    text = path.read_text(encoding="utf-8")
    made = _results(language, short)
    text = re.sub(r"(?s)(<!-- results -->\n).*?(<!-- /results -->)", lambda m: f"{m[1]}{made}{m[2]}", text)
    drawn = _picture(path, language)
    return re.sub(r"(?s)(<!-- picture -->\n).*?(<!-- /picture -->)", lambda m: f"{m[1]}{drawn}{m[2]}", text)


def _picture(path: Path, language: str) -> str:
    """The link to the picture, as seen from the page; empty while there is none."""
    if not (RESULTS / "peers_quality.json").exists():
        return ""
    said = {
        "en": "Validation NDCG@10 over CPU seconds of training: Horae and its peers",
        "zh": "验证 NDCG@10 随训练 CPU 秒数的变化：Horae 与同类",
    }[language]
    return f"![{said}]({Path(os.path.relpath(PICTURE, path.parent)).as_posix()})\n"


def _results(language: str, short: bool) -> str:
    headers = {"en": ("what", "measured", "command"), "zh": ("内容", "实测", "命令")}[language]
    place = 0 if language == "en" else 1
    rows, sources = [], {}
    for claim in SHORT if short else FIGURES:
        file = RESULTS / f"{claim}.json"
        if not file.exists():
            continue
        command = f"`python -m benchmarks {claim}`"
        figures = figures_of(claim, file, FIGURES[claim])
        rows += [
            (what[place], figure, command)
            for what, figure in figures
            if not (short and any(part in what[0] for part in SECOND))
        ]
        result = result_of(file)
        sources[result["commit"][:10]] = result["machine"]
    if not rows:
        return {"en": "No results are committed yet.\n", "zh": "尚无已提交的结果。\n"}[language]
    machines = sorted({f"{one['cores']} cores, {one['cpu']}" for one in sources.values()})
    at = f"{', '.join(sources)}; {'; '.join(machines)}"
    source = {"en": f"Commits and machine: {at}.", "zh": f"提交与机器：{at}。"}[language]
    return f"{table(headers, rows)}\n{source}\n"


def _text_encoding(result: Mapping[str, Any]) -> Said:
    what = (
        "titles to vectors by `minilm`, texts a CPU second, and against the plain call",
        "标题到向量（`minilm`），每 CPU 秒文本数，及与直接调用之比",
    )
    yield what, f"{result['texts_per_cpu_second']['horae']['median']:.0f}; {result['ratio']:.1f}x"


def _content_quality(result: Mapping[str, Any]) -> Said:
    name = "amazon-beauty-2014, leave-one-out, SASRec with titles", "amazon-beauty-2014，留一法，SASRec 加标题"
    yield from _quality(*name)(result)
    for metric, one in result["together"].items():
        what = f"{name[0]}, the three networks added: {metric}", f"{name[1]}，三个网络相加：{metric}"
        yield what, f"{one['mean']:.4f} [{one['low']:.4f}, {one['high']:.4f}]"


def _shaping(result: Mapping[str, Any]) -> Said:
    what = (
        f"one request among {result['items']:,} items: CPU ms that rules, variety and shares add (medians)",
        f"{result['items']:,} 个物品中的一个请求：规则、多样性与份额增加的 CPU 毫秒（中位数）",
    )
    added = [run["added_cpu_ms"] for run in result["ways"].values()]
    together = result["ways"]["deny, boost, quota, mmr by vectors"]["added_cpu_ms"]
    yield what, f"{min(added):.2f} to {max(added):.2f}; deny, boost, quota and mmr together {together:.2f}"


def _cold_items(result: Mapping[str, Any]) -> Said:
    for recipe, run in result["runs"].items():
        one = run["by_share"]["0.1"]
        what = (
            f"amazon-beauty-2014, items taken out of training, `{recipe}`, one place of ten: recall@10 on them, on all",
            f"amazon-beauty-2014，从训练中取出的物品，`{recipe}`，十个位置留一：其 recall@10，及全体",
        )
        lost = f"{one['recall@10_all']:.4f} ({-one['lost_percent']:+.1f}%)"
        yield what, f"{one['recall@10_held']:.4f} ({run['targets_held']:,} targets, 1 seed); {lost}"
    for name, one in result["by_time"].items():
        what = (
            f"{name}, items first seen after training, recall@10 by what places are filled with and their share",
            f"{name}，训练后首次出现的物品，按填充方式与保留份额的 recall@10",
        )
        told = one["by_share"]
        shares = "; ".join(f"{way}: {run['metrics']['recall@10']['mean']:.3f}" for way, run in told.items())
        popular = told["without"]["opponents"]["new_popularity"]["recall@10"]["mean"]
        yield what, f"{shares}; most popular of 7 days {popular:.3f}"


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


def _answers(result: Mapping[str, Any]) -> Said:
    everybody, one = result["all_users_of_ml_1m"], result["one_unseen_history"]
    what = f"{everybody['users']:,} users of ml-1m, top 10", f"ml-1m 的 {everybody['users']:,} 个用户，各取前 10"
    yield what, f"{everybody['seconds']:.1f} s"
    what = f"one unseen history, {one['items']:,} items (median)", f"一段陌生历史，{one['items']:,} 个物品（中位数）"
    yield what, f"{one['median_ms']:.1f} ms"


def _simulate(result: Mapping[str, Any]) -> Said:
    yield ("simulate a shop's log of 1M events", "模拟一份一百万事件的商店日志"), f"{result['seconds']['median']:.1f} s"


def _rhythm(result: Mapping[str, Any]) -> Said:
    series = result["series"]
    for what, zh in (("period", "周期"), ("phase", "相位")):
        least = min(one[what] for one in result["periods"].values())
        yield (f"simulated rhythms: {what} found", f"模拟节律：找到{zh}"), f"{least:.1%} or more of {series}"
    least = min(one["found"] for one in result["breaks"].values())
    yield ("simulated breaks found within 2 days", "模拟突变：2 天以内找到"), f"{least:.1%} or more of {series}"
    for what, zh in (("periods", "周期"), ("breaks", "突变")):
        share = result["false_alarm_share"][what]
        yield (
            (f"false alarms on noise: {what}", f"噪声误报：{zh}"),
            f"{share:.1%} of {result['noise_series'][what]} logs",
        )


def _scale(result: Mapping[str, Any]) -> Said:
    for size in result["sizes"]:
        what = (
            f"{size['millions']}M events, Parquet to arrays on disk: CPU seconds a million, peak memory",
            f"{size['millions']} 百万事件，从 Parquet 到磁盘数组：每百万的 CPU 秒与内存峰值",
        )
        yield what, f"{size['cpu_seconds_per_million']:.2f}; {size['peak_memory_gb']:.2f} GB"


FIGURES: Final[dict[str, Tell]] = {
    "ml100k_quality": _quality("ml-100k, leave-one-out, SASRec", "ml-100k，留一法，SASRec"),
    "beauty_quality": _quality("amazon-beauty-2014, leave-one-out, SASRec", "amazon-beauty-2014，留一法，SASRec"),
    "beauty_shuffled": _quality(
        "amazon-beauty-2014, leave-one-out, ties shuffled, SASRec", "amazon-beauty-2014，留一法，平局打乱，SASRec"
    ),
    "ml1m_quality": _quality("ml-1m, leave-one-out, length 200, SASRec", "ml-1m，留一法，长度 200，SASRec"),
    "ml1m_recurrence": _quality("ml-1m, leave-one-out, length 200, lru", "ml-1m，留一法，长度 200，lru"),
    "ml1m_time": comparisons.ml1m_time,
    "sessions": comparisons.sessions,
    "time_splits": comparisons.time_splits,
    "time_ablations": comparisons.time_ablations,
    "backtests": comparisons.backtests,
    "recipes_ml100k": comparisons.recipes_ml100k,
    "ablations": comparisons.ablations,
    "tuning": comparisons.tuning,
    "scaling": scaling,
    "imputing": comparisons.imputing,
    "features": temporal.features,
    "text_encoding": _text_encoding,
    "shaping": _shaping,
    "cold_items": _cold_items,
    "event_forecasts": temporal.event_forecasts,
    "series": temporal.series,
    "anomalies": temporal.anomalies,
    "content_quality": _content_quality,
    "content_splits": temporal.content_splits,
    "few_shot": temporal.few_shot,
    "event_texts": temporal.event_texts,
    "cross_domain": temporal.cross_domain,
    "peers_training": peers.training,
    "peers_quality": peers.quality,
    "peers_answers": peers.answers,
    "peers_preparation": peers.preparation,
    "ml100k_report": _ml100k_report,
    "prepare": _prepare,
    "scale": _scale,
    "answers": _answers,
    "rhythm": _rhythm,
    "simulate": _simulate,
    "start": _start,
}
"""Which figures of each claim's result are shown, in this order; a claim without a result is left out."""

LONG: Final = {
    "time_ablations",
    "backtests",
    "recipes_ml100k",
    "ablations",
    "tuning",
    "scaling",
    "imputing",
    "features",
    "text_encoding",
    "shaping",
    "content_quality",
    "cold_items",
    "event_forecasts",
    "series",
    "anomalies",
    "few_shot",
    "event_texts",
    "cross_domain",
    "content_splits",
    "sessions",
    "ml1m_time",
    "ml1m_quality",
    "ml100k_report",
    "prepare",
    "rhythm",
    "scale",
    "simulate",
    "start",
}
SHORT: Final = tuple(claim for claim in FIGURES if claim not in LONG)
"""The claims that the READMEs show ..."""
SECOND: Final = (
    "recall@10",
    "from CSV",
    "peak memory",
    "an epoch of SASRec",
    "fastest peer as installed",
    "6,040 users",
    "horae --help",
    "auto chose",
)
"""... but for figures named so: a README is short."""
