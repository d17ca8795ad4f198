"""What the tables over several sets or recipes show. In: their results. Out: figures in two languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = [
    "ablations",
    "backtests",
    "imputing",
    "ml1m_time",
    "recipes_ml100k",
    "sessions",
    "time_ablations",
    "time_splits",
    "tuning",
]

Said = Iterator[tuple[tuple[str, str], str]]
WINDOWED: Final = "recent_popularity"


def ml1m_time(result: Mapping[str, Any]) -> Said:
    """How far above SASRec, with the request's time and without."""
    for name, over in result["ndcg@10_over_sasrec"].items():
        if name != "sasrec":
            yield (
                (f"ml-1m, users 1 to 2999, {name}: NDCG@10 over SASRec", f"ml-1m，用户 1 至 2999，{name}"),
                f"{over:+.1%}",
            )


def ablations(result: Mapping[str, Any]) -> Said:
    """Each change's NDCG@10, how far from the base, and its CPU seconds."""
    for name, row in result["table"].items():
        over, cost = row["ndcg@10_over_base"], row["train_cpu_seconds"]
        figure = f"{row['ndcg@10']:.4f} ({over:+.1%}), {cost:.0f} CPU s"
        yield (f"ml-100k, {name}: ndcg@10", f"ml-100k，{name}：ndcg@10"), figure


def backtests(result: Mapping[str, Any]) -> Said:
    """The pooled NDCG@10 beside windowed popularity, the loss of a week, and how often to retrain."""
    for name, recipes in result["sets"].items():
        for recipe, run in recipes.items():
            own, plan, decay = run["pooled"]["metrics"]["ndcg@10"], run["backtest"], run["decay"]
            what = f"{name}, {plan['folds']} windows of {plan['window']}, `{recipe}`"
            beside = run["pooled"]["against"][WINDOWED]["ndcg@10"]
            figure = f"{own['mean']:.4f}; {_gap(WINDOWED, beside)}"
            yield (f"{what}: ndcg@10, and against", f"{what}：ndcg@10 及对比"), figure
            slope = decay["loss_per_window"]
            if slope["mean"] is not None:
                bounds = "" if slope["low"] is None else f" [{slope['low']:.1%}, {slope['high']:.1%}]"
                yield (f"{what}: lost in each window", f"{what}：每个窗口的损失"), f"{slope['mean']:.1%}{bounds}"
            every = decay["retrain_every"]
            served = "unclear" if every is None else f"{every}{' or more' if decay['longer_untested'] else ''}"
            yield (f"{what}: windows a model may serve", f"{what}：一个模型可用的窗口数"), served


def recipes_ml100k(result: Mapping[str, Any]) -> Said:
    """Each recipe's NDCG@10 and the CPU seconds of its training."""
    for name, run in result["runs"].items():
        cost = run["train_cpu_seconds"]
        yield (
            (f"ml-100k, `{name}`: ndcg@10", f"ml-100k，`{name}`：ndcg@10"),
            f"{_mean(run, 'ndcg@10')}, {cost:.0f} CPU s",
        )


def sessions(result: Mapping[str, Any]) -> Said:
    """Both metrics of each recipe, beside session-kNN."""
    for name, recipes in result["sets"].items():
        for recipe, run in recipes.items():
            for metric in ("recall@20", "mrr@20"):
                beside = run["opponents"].get("session_knn")
                told = f"; session-kNN {beside[metric]:.4f}" if beside else ""
                yield (f"{name}, `{recipe}`: {metric}", f"{name}，`{recipe}`：{metric}"), f"{_mean(run, metric)}{told}"


def tuning(result: Mapping[str, Any]) -> Said:
    """The best trial of each search, what it gained, and what mattered most."""
    for name, search in result["searches"].items():
        best, states = search["best"], search["states"]
        tried = ", ".join(f"{count} {state}" for state, count in states.items())
        settings = ", ".join(f"{key.partition('.')[2]} {value:.4g}" for key, value in best["values"].items())
        what = (
            f"{name}: best validation ndcg@10 of {len(search['trials'])} trials ({tried})",
            f"{name}：{len(search['trials'])} 次试验中最佳验证 ndcg@10",
        )
        yield what, f"{best['ndcg']:.4f}, {search['gain_over_first']:+.1%} over the first; {settings}"
        if search["importances"]:
            told = ", ".join(f"{key} {share:.0%}" for key, share in list(search["importances"].items())[:3])
            yield (f"{name}: what mattered", f"{name}：何者重要"), told


def imputing(result: Mapping[str, Any]) -> Said:
    """For each set and kind of gap the best method, straight lines, and both autoencoders."""
    kinds = {"points": ("single days", "单日"), "blocks": ("blocks", "整段"), "outages": ("outages", "全停")}
    for name, figures in result["sets"].items():
        for kind, (en, zh) in kinds.items():
            methods, best = figures[kind]["methods"], figures[kind]["best_rmse"]
            shown = dict.fromkeys((best, "linear", "autoencoder", "autoencoder_week"))
            told = ", ".join(f"`{one}` {methods[one]['mae']:.3f} / {methods[one]['rmse']:.3f}" for one in shown)
            what = f"{name}, {en} hidden: MAE / RMSE, best first", f"{name}，隐去{zh}：MAE / RMSE，最好者在前"
            yield what, told


def time_splits(result: Mapping[str, Any]) -> Said:
    """The best recipe of each set, paired with windowed popularity and the strongest opponent; all recipes; `auto`."""
    for name, recipes in result["sets"].items():
        best = max(recipes, key=lambda recipe: _ndcg(recipes[recipe]))
        against = recipes[best]["against"]
        strongest = min(against, key=lambda opponent: against[opponent]["ndcg@10"]["difference"])
        told = (_gap(opponent, against[opponent]["ndcg@10"]) for opponent in dict.fromkeys((WINDOWED, strongest)))
        what = f"{name}, time split: `{best}`, ndcg@10, and against", f"{name}，按时间切分：`{best}` 的 ndcg@10 相对"
        yield what, f"{_ndcg(recipes[best]):.4f}; {'; '.join(told)}"
        if len(recipes) > 1 and "auto" in recipes:
            told = ", ".join(f"`{recipe}` {_ndcg(run):.4f}" for recipe, run in recipes.items())
            chosen = (recipes["auto"].get("chosen") or recipes["auto"]["windows"][0]["chosen"])["recipe"]
            yield (
                (f"{name}, time split, ndcg@10; auto chose `{chosen}`", f"{name}：ndcg@10；auto 选 `{chosen}`"),
                told,
            )


def time_ablations(result: Mapping[str, Any]) -> Said:
    """Each switch beside the network without it."""
    for name, switches in result["sets"].items():
        for switch, run in switches.items():
            told = "; ".join(_gap(without, gap) for without, gap in run.get("against", {}).items())
            what = f"{name}, time split, {switch}: ndcg@10", f"{name}，按时间切分，{switch}：ndcg@10"
            seeds = f" ({len(run['seeds'])} seeds)" if len(run["seeds"]) > 1 else ""
            yield what, f"{run['ndcg@10']:.4f}{seeds}" + (f"; {told}" if told else "")


def _gap(opponent: str, gap: Mapping[str, float]) -> str:
    return f"{opponent} {gap['difference']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}]"


def _ndcg(run: Mapping[str, Any]) -> float:
    return float(run["metrics"]["ndcg@10"]["mean"])


def _mean(run: Mapping[str, Any], metric: str) -> str:
    return f"{run['metrics'][metric]['mean']:.4f}"
