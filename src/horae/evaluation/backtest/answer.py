"""The document of a backtest's decay in, sentences out: how often must this model be fitted again?

No number is said without its interval, and where the data cannot tell, that is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["how_often", "times"]

Document = Mapping[str, Any]


def how_often(decay: Document, plan: Document) -> str:
    """The answer.

    Args:
        decay: `Decay.as_dict()`.
        plan: `BacktestSettings.as_dict()`, which knows what a window is called.
    """
    rows, metric, share = decay["rows"], _metric(decay), _percent(decay["tolerated"])
    if not rows:
        return "How often to retrain was not measured: one window shows no older model. Ask for two folds or more."
    if all(row["loss"]["mean"] is None for row in rows):
        return "How often to retrain cannot be said: even a fresh model hits nothing, so there is nothing to lose."
    if all(row["loss"]["low"] is None for row in rows):
        return "How often to retrain cannot be said without intervals: ask for resamples (--bootstrap 1000)."
    every = decay["retrain_every"]
    if every is None:
        first = rows[0]
        return (
            f"The data cannot tell how often to retrain: after {times(first['age'], plan)} the loss lies between "
            f"{_percent(first['loss']['low'])} and {_percent(first['loss']['high'])} of {metric} "
            f"({first['users']:,} users). More windows or more users would tell."
        )
    if decay["longer_untested"]:
        return _kept(decay, plan, metric, share)
    return _bounded(decay, plan, metric, share)


def times(windows: int, plan: Document) -> str:
    """How long so many windows are: `3 weeks`."""
    number = f"{windows * plan['window_units']:g}"
    return f"{number} {plan['unit']}" + ("" if number == "1" else "s")


def _kept(decay: Document, plan: Document, metric: str, share: str) -> str:
    """Every age that was tested stays below what may be lost."""
    oldest = decay["rows"][-1]
    after = f"after {times(oldest['age'], plan)} it is {_loss(oldest)}"
    enough = f"Retraining every {_each(decay['retrain_every'], plan)} is enough; longer was not tested."
    seen = next((row for row in decay["rows"] if row["loss"]["low"] > 0), None)
    if seen is None:
        return f"No loss of {metric} seen in {times(oldest['age'], plan)}: {after}. {enough}"
    return f"{_rate(decay, plan, metric)}{_capital(after)}, under {share}. {enough}"


def _bounded(decay: Document, plan: Document, metric: str, share: str) -> str:
    """Some age is too old, or might be."""
    every = _each(decay["retrain_every"], plan)
    rows = decay["rows"]
    lost = next((row for row in rows if row["verdict"] == "lost"), None)
    first = next(row for row in rows if row["verdict"] != "kept")
    said = [f"{_rate(decay, plan, metric)}Retrain every {every}:"]
    if decay["retrain_every"] > 1:
        kept = next(row for row in reversed(rows) if row["age"] < first["age"])
        said.append(f"after {times(kept['age'], plan)} a model has lost less than {share} ({_loss(kept)}),")
    if first is not lost:
        bounds = f"{_percent(first['loss']['low'])} to {_percent(first['loss']['high'])}"
        said.append(f"after {times(first['age'], plan)} the data cannot tell ({bounds})" + ("," if lost else ""))
    if lost is not None:
        said.append(f"after {times(lost['age'], plan)} it has lost {_loss(lost)}, more than {share}")
    text = " ".join(said) + "."
    if decay["retrain_every"] == 1:
        text += f" Whether more often than every {every} would pay was not tested."
    return text


def _rate(decay: Document, plan: Document, metric: str) -> str:
    """The loss per window, where its interval says that there is one, and where more than one age stands behind it."""
    slope, first = decay["loss_per_window"], decay["rows"][0]
    if slope["low"] is None or slope["low"] <= 0 or (first["age"] == 1 and first["verdict"] == "lost"):
        return ""
    bounds = f"[{_percent(slope['low'])}, {_percent(slope['high'])}]"
    return f"A model loses {_percent(slope['mean'])} {bounds} of its {metric} every {_each(1, plan)}. "


def _each(windows: int, plan: Document) -> str:
    """What stands after "every": `week`, `2 weeks`."""
    return times(windows, plan).removeprefix("1 ")


def _loss(row: Document) -> str:
    loss = row["loss"]
    return f"{_percent(loss['mean'])} [{_percent(loss['low'])}, {_percent(loss['high'])}]"


def _percent(share: float) -> str:
    text = f"{100 * share:.1f}".removesuffix(".0")
    return f"{'0' if text == '-0' else text}%"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _metric(decay: Document) -> str:
    name, _, k = str(decay["metric"]).partition("@")
    return f"{name.upper()}@{k}"
