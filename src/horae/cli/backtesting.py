"""What `horae evaluate RUN --backtest` adds: the run's recipe fitted again and again over time, and its page.

In: a run and wishes. Out: a document, and `backtest.json` and `backtest.html` in the run, written at once at the end.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from horae.cli.inputs import Reading
from horae.cli.output import if_stopped, say
from horae.errors import DataError

if TYPE_CHECKING:
    from horae.data.split import Split
    from horae.evaluation.backtest.rolling import Backtest
    from horae.evaluation.backtest.settings import BacktestSettings
    from horae.page import Page
    from horae.recommend.recommender import Recommender
    from horae.schema import Events

__all__ = ["Backtesting", "events_of", "keep_backtest", "page_of", "run_backtest"]

STOPPED = "Stopped by hand; nothing was written."


@dataclass(frozen=True)
class Backtesting:
    """How to test over time; everything but `backtest` has an effect beside it only."""

    backtest: Annotated[
        bool,
        typer.Option(
            "--backtest",
            help="Fit the run's recipe anew in window after window: how good over time, for how far ahead, and how "
            "often to retrain?",
            show_default=False,
        ),
    ] = False
    folds: Annotated[
        int | None, typer.Option(min=1, help="With --backtest: how many windows. [default: 4]", show_default=False)
    ] = None
    window: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="With --backtest: each window's length: 7d, 12h, 2w, or a share of the events. [default: 7d]",
            show_default=False,
        ),
    ] = None
    training: Annotated[
        Literal["expanding", "sliding"] | None,
        typer.Option(
            help="With --backtest: learn from all before a window, or from the last --train-days. [default: expanding]",
            show_default=False,
        ),
    ] = None
    train_days: Annotated[
        float | None,
        typer.Option(metavar="DAYS", help="With --training sliding: so many days before a window.", show_default=False),
    ] = None
    tolerated_loss: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="With --backtest: retrain before so much of NDCG is lost. [default: 0.05]",
            show_default=False,
        ),
    ] = None

    def check(self) -> None:
        """Refuse options that have no effect, and impossible ones, before any work.

        Raises:
            typer.BadParameter: Names the option.
        """
        given = {
            "--folds": self.folds,
            "--window": self.window,
            "--training": self.training,
            "--train-days": self.train_days,
            "--tolerated-loss": self.tolerated_loss,
        }
        if not self.backtest:
            for option, value in given.items():
                if value is not None:
                    raise typer.BadParameter("it has no effect without --backtest.", param_hint=option)
        if self.tolerated_loss is not None and not 0 < self.tolerated_loss < 1:
            raise typer.BadParameter(
                f"{self.tolerated_loss:g}: expected a share, such as 0.05.", param_hint="--tolerated-loss"
            )

    def settings(self, targets: str | None, **judged: Any) -> BacktestSettings:
        """What to ask of `horae.backtest`; `judged` are further settings, as typed.

        Raises:
            typer.BadParameter: Impossible, or without effect.
        """
        from horae.evaluation.backtest.settings import BacktestSettings

        settings = BacktestSettings(
            folds=self.folds or 4,
            window=self.window or "7d",
            training=self.training or "expanding",
            train_days=self.train_days,
            targets=targets or "successive",
            tolerated=self.tolerated_loss or 0.05,
            **judged,
        )
        try:
            settings.check()
        except DataError as error:
            raise typer.BadParameter(f"{error.message} {error.hint}", param_hint="--backtest") from error
        return settings


def run_backtest(
    recommender: Recommender, events: Events, settings: BacktestSettings, opponents: str | None, seed: int, device: str
) -> Backtest:
    """Fit the run's recipe in every fold, and judge; each fold is told on standard error.

    Args:
        recommender: The run, for its recipe, seed and catalog.
        events: The run's own log, or another one.
        settings: What to ask.
        opponents: Names of further ones, as typed.
        seed: Of every sample.
        device: Where the fits run.
    """
    from horae.evaluation.backtest.rolling import backtest
    from horae.training.train import Options, train

    options = Options(device=device, progress=_bar())

    def fit(past: Split) -> Recommender:
        trained_with, catalog = int(recommender.card["seed"]), recommender.catalog
        fitted = train(past, recommender.recipe, seed=trained_with, catalog=catalog, options=options)
        if fitted.card["training"].get("interrupted"):  # a network would give the best weights so far
            raise KeyboardInterrupt(STOPPED)
        return fitted

    with if_stopped(STOPPED):
        return backtest(events, fit, settings, opponents=_opponents(opponents), seed=seed, progress=say)


def keep_backtest(run: Path, document: dict[str, Any]) -> None:
    """Put the document and its page into the run folder, both at once.

    Raises:
        StoreError: Storage refused; the run is as it was.
    """
    from horae.recommend.run import update

    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    update(run, {"backtest.json": text + "\n", "backtest.html": page_of(run, document).html()})
    say(f"Page: {run / 'backtest.html'}")


def page_of(run: Path, document: dict[str, Any]) -> Page:
    """The page for people."""
    from horae.evaluation.backtest.report import backtest_page

    named = {**document, "run": run.name}
    return backtest_page(named, source=document["source"], commands=[_command(run, document["backtest"])])


def events_of(recommender: Recommender, events: str | None) -> Events:
    """The run's own log, or another, read as the run's was.

    Raises:
        DataError: The run holds none, and none was given.
    """
    if events is not None:
        return Reading(**recommender.card["data"]["reading"]).events(events, recommender.recipe.data)
    if recommender.events is None:
        raise DataError(
            "This run holds no events to go back over.", hint="Give a log: horae evaluate RUN EVENTS --backtest"
        )
    return recommender.events


def _opponents(names: str | None) -> Any:
    """Windowed popularity, frozen and live, and whoever was named beside it."""
    from horae.evaluation.opponents import LIVE, opponents_of

    further = [name.strip() for name in (names or "").split(",") if name.strip() not in ("", "none")]
    wanted = list(dict.fromkeys(["recent_popularity", LIVE, *further]))

    def fitted(recommender: Recommender, split: Split) -> Any:
        return opponents_of(recommender, split, wanted)

    return fitted


def _bar() -> Any:
    """A bar for each training in a terminal, and no lines: every fold has its own."""
    from horae.training.progress import Shown

    class _Bar(Shown):
        def epoch(self, line: dict[str, Any]) -> None:
            """Nothing."""

        def say(self, sentence: str) -> None:
            """Nothing."""

    return _Bar()


def _command(run: Path, plan: dict[str, Any]) -> str:
    sliding = "" if plan["train_days"] is None else f" --training sliding --train-days {plan['train_days']:g}"
    asked = "" if plan["targets"] == "successive" else f" --targets {plan['targets']}"
    folds = f"--folds {plan['folds']} --window {plan['window']}{sliding}{asked}"
    return f"horae evaluate {shlex.quote(str(run))} --backtest {folds}"
