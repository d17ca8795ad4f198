"""What the tables about time show. In: results of features and forecasts. Out: figures in two languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = [
    "anomalies",
    "content_splits",
    "cross_domain",
    "event_forecasts",
    "event_texts",
    "features",
    "few_shot",
    "series",
]

ENOUGH_PEOPLE: Final = 30
"""Of fewer, nothing is told."""
Said = Iterator[tuple[tuple[str, str], str]]
OWN: Final = "user_frequency"
DAY: Final = 86_400
SHOWN: Final = ("seasonal-naive", "moving-average", "ets", "arima")


def features(result: Mapping[str, Any]) -> Said:
    """Seconds and memory of the first groups, of the rest, and of the items'."""
    runs = sorted(result["users_first"], key=lambda run: run["seconds"])
    middle, rows = runs[len(runs) // 2], f"{result['events'] / 1e6:g}M"
    what = f"{rows} events: windows, decay and recency of users, to Parquet", f"{rows} 事件：用户的窗口、衰减与间隔"
    yield what, f"{middle['seconds']:.0f} s, {middle['peak_memory_gb']:.1f} GB"
    most = max(result["users_rest"]["peak_memory_gb"], result["items_all"]["peak_memory_gb"])
    what = f"{rows} events: the rest of users' features, and items'", f"{rows} 事件：用户其余特征与物品特征"
    yield what, f"{result['rest_and_items_seconds']:.0f} s, {most:.1f} GB"


def event_forecasts(result: Mapping[str, Any]) -> Said:
    """When and what comes next beside the user's own frequency; what asking for it did to the ranking."""
    for name, one in result["sets"].items():
        time = one["forecast"]["time"]
        cover, own, gap = time["metrics"]["coverage"], time["metrics"]["mae_seconds"], time["against"][OWN]
        what = f"{name}: coverage of the 80% interval of the next event's time", f"{name}：下次事件 80% 区间的覆盖率"
        yield what, f"{cover['mean']:.3f} [{cover['low']:.3f}, {cover['high']:.3f}]"
        what = f"{name}: error of the time, days; against the user's frequency", f"{name}：时间误差（天）；对比用户频率"
        yield what, f"{own['mean'] / DAY:.2f}; {_gap(gap['mae_seconds'], DAY, 2)}"
        if "behavior" in one["forecast"]:
            told = one["forecast"]["behavior"]
            loss, gap = told["metrics"]["log_loss"]["mean"], told["against"][OWN]["log_loss"]
            what = f"{name}: log-loss of the next behavior; against", f"{name}：下次行为的对数损失；对比"
            yield what, f"{loss:.3f}; {_gap(gap, 1, 3)}"
        if one["ranking"]:
            gap = one["ranking"]["ndcg@10"]
            what = f"{name}: ndcg@10 with the other heads; against without", f"{name}：联合训练的 ndcg@10；对比单独"
            yield what, f"{gap['with']['mean']:.4f}; {_gap(gap['difference'], 1, 4)}"


def series(result: Mapping[str, Any]) -> Said:
    """MASE of what `auto` chose, of the best network, and of the opponents."""
    for name, one in result["sets"].items():
        mase = {method: row["mase"] for method, row in one["methods"].items() if row.get("mase") is not None}
        networks = [method for method in one["networks_against_seasonal_naive"] if method in mase]
        shown = dict.fromkeys([one["model"], *sorted(networks, key=mase.__getitem__)[:1], *SHOWN])
        told = ", ".join(f"`{method}` {_beside(one, method)}" for method in shown if method in mase)
        what = (
            f"{name}, {one['series']} series, 28 days ahead: MASE",
            f"{name}，{one['series']} 条序列，提前 28 天：MASE",
        )
        yield what, f"{told} (auto: `{one['model']}`)"


def _beside(one: Mapping[str, Any], method: str) -> str:
    """A method's MASE; of one that had the largest series only, how far `auto` is from it on these."""
    row = one["methods"][method]
    if row["series"] == one["series"]:
        return f"{row['mase']:.3f}"
    return (
        f"{row['mase']:.3f} on the largest {row['series']}, where auto is {_gap(one['against'][method]['mase'], 1, 3)}"
    )


def anomalies(result: Mapping[str, Any]) -> Said:
    """What of the clean is flagged, and of each planted kind."""
    for name, one in result["sets"].items():
        for recipe, run in one["recipes"].items():
            what = (
                f"{name}, `{recipe}`, {result['rate']:.0%} false alarms asked for: clean events flagged",
                f"{name}，`{recipe}`，要求误报 {result['rate']:.0%}：正常事件中被标记的",
            )
            yield what, f"{run['false_alarms']:.2%}"
            told = ", ".join(f"{kind} {row['auc']:.2f} / {row['recall']:.0%}" for kind, row in run["kinds"].items())
            yield (f"{name}, `{recipe}`: AUC / found, of what was planted", f"{name}，`{recipe}`：AUC / 找到"), told


def few_shot(result: Mapping[str, Any]) -> Said:
    """What another log has taught, beside learning from nothing, by how many people are known."""
    for count, one in result["users"].items():
        own = one["ndcg@10"]
        names = ", ".join(f"`{name}`" if name == "sasrec" else name for name in own)
        what = (
            f"ml-1m to ml-100k, {count} users known, {names}: ndcg@10",
            f"ml-1m 到 ml-100k，已知 {count} 个用户，{names}：ndcg@10",
        )
        yield what, ", ".join(f"{value:.4f}" for value in own.values())
        for name, gap in one.items():
            if " over " in name:
                yield (
                    (f"{count} users: gain, {name}", f"{count} 个用户：增益，{name}"),
                    f"{gap['gain']:+.0%}, {_gap(gap, 1, 4)}",
                )


def cross_domain(result: Mapping[str, Any]) -> Said:
    """What other parts of a shop know of people who are new in one, and of the others."""
    alone, told = "the part alone", {"new": ("new there", "新人"), "others": ("others", "其他人")}
    for part, one in result["parts"].items():
        for who, (en, zh) in told.items():
            group = one[who]
            for name in ("sasrec, all parts", "item-knn, all parts"):
                what = (
                    f"{part}, {group['people']} people, {en}: ndcg@10 by {name}; by {alone}; difference",
                    f"{part}，{group['people']} 个{zh}：{name} 的 ndcg@10；只用该部分；差",
                )
                own, base = group["ndcg@10"][name], group["ndcg@10"][alone]
                yield what, f"{own:.4f}; {base:.4f}; {_gap(group[f'{name} over {alone}'], 1, 4)}"


def event_texts(result: Mapping[str, Any]) -> Said:
    """What reviews add to the next item."""
    for name, one in result["ways"].items():
        if "against" in one:
            what = (
                f"musical instruments by time, {one['users']} users, reviews as {name}: ndcg@10, against without",
                f"乐器，按时间，{one['users']} 个用户，评论作为 {name}：ndcg@10，对比没有",
            )
            yield what, f"{one['ndcg@10']:.4f}; {_gap(one['against'], 1, 4)}"


def content_splits(result: Mapping[str, Any]) -> Said:
    """What texts and pictures add to ids, each against the one that lacks it."""
    for name, one in result["sets"].items():
        for way, run in one.items():
            other = "ids and texts" if "posters" in way else "ids"
            if other in run["against"]:
                what = (
                    f"{name} by time, {way}; against {other}: ndcg@10",
                    f"{name} 按时间，{way}；对比 {other}：ndcg@10",
                )
                yield what, f"{run['ndcg@10']:.4f}; {_gap(run['against'][other], 1, 4)}"
        for level in one["ids and texts"]["cold"]:
            if level["events"] == 1 and level["users"] >= ENOUGH_PEOPLE:
                own, popular = level["metrics"]["ndcg@10"]["mean"], level["opponents"]["popularity"]["ndcg@10"]["mean"]
                what = (
                    f"{name}, ids and texts: ndcg@10 of {level['users']} new people with one event; popularity",
                    f"{name}，ids and texts：{level['users']} 个只有一个事件的新人的 ndcg@10；流行度",
                )
                yield what, f"{own:.4f}; {popular:.4f}"


def _gap(gap: Mapping[str, float], unit: float, digits: int) -> str:
    difference, low, high = (gap[key] / unit for key in ("difference", "low", "high"))
    return f"{difference:+.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
