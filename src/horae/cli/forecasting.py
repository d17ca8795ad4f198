"""What `horae forecast` may be asked: which series and by whom, and of a run, which users.

In: what was typed. Out: settings of series. It reads no log.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from horae.cli import options as o

if TYPE_CHECKING:
    from horae.forecasting.series.settings import SeriesSettings

__all__ = ["Asked", "OfRun"]


@dataclass(frozen=True)
class Asked:
    """Which series, and by whom."""

    by: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="One series of all, or one for each user, item, category, or value of another column. [default: all]",
            show_default=False,
        ),
    ] = None
    of: Annotated[
        Literal["count", "sum", "mean", "last"] | None,
        typer.Option(help="What a bin holds: events, or their values. [default: count]", show_default=False),
    ] = None
    every: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTH",
            help="Of a bin: 1h, 6h, 1d, 1w, 1mo. [default: 1d; of a ready table, as its values stand]",
            show_default=False,
        ),
    ] = None
    horizon: Annotated[int | None, typer.Option(min=1, help="Bins ahead. [default: 28]", show_default=False)] = None
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="gru-attention, lstm, convolution, transformer, seasonal-naive, moving-average, drift, last-value, "
            "ets, arima; auto takes what is best on a validation part. [default: auto]",
            show_default=False,
        ),
    ] = None
    season: Annotated[
        int | None,
        typer.Option(
            min=1, help="Bins after which habits begin again. [default: 24 hours, 7 days, 52 weeks]", show_default=False
        ),
    ] = None
    behaviors: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Only events of these behaviors. [default: all]", show_default=False),
    ] = None
    catalog: o.Catalog = None
    holidays: Annotated[
        str | None,
        typer.Option(
            metavar="COUNTRY",
            help="Networks know its holidays ahead: DE, or with a region DE-BY; needs the extra series.",
            show_default=False,
        ),
    ] = None
    promotions: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Networks know ahead what is planned: valid_from, valid_to, whose (series_id, item_id, ...), numbers.",
            show_default=False,
        ),
    ] = None
    max_series: Annotated[
        int | None,
        typer.Option(min=1, help="Forecast so many series, the largest. [default: 500]", show_default=False),
    ] = None
    classic_series: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="ETS and ARIMA stand beside on so many of these, the largest; 0: not at all. [default: 20]",
            show_default=False,
        ),
    ] = None
    origins: Annotated[
        int | None,
        typer.Option(min=1, help="Past times to judge from, a horizon apart. [default: 3]", show_default=False),
    ] = None
    refit: Annotated[
        Literal["once", "each", "never"] | None,
        typer.Option(help="Fit again at the first of these, at each, or never. [default: once]", show_default=False),
    ] = None
    keep_last: Annotated[bool, typer.Option("--keep-last", help="The log's last bin is whole.", show_default=False)] = (
        False
    )

    def settings(self, timezone: str | None) -> SeriesSettings:
        """All that goes into the settings, where it was said."""
        from horae.forecasting.series.settings import SeriesSettings

        known = {field.name for field in fields(SeriesSettings)}
        given = {name: value for name, value in vars(self).items() if name in known and value is not None}
        if self.behaviors is not None:
            given["behaviors"] = tuple(filter(None, (name.strip() for name in self.behaviors.split(","))))
        return SeriesSettings(**given, timezone=timezone)


@dataclass(frozen=True)
class OfRun:
    """Of whom a run is asked."""

    user: Annotated[
        list[str] | None,
        typer.Option("--user", "-u", metavar="ID", help="Of a run: this user; may be repeated.", show_default=False),
    ] = None
    users: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Of a run: these users, one id on each line. [default: all]", show_default=False
        ),
    ] = None
    within: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Of a run: the chance to return within 12h, 7d, ... [default: 7d]", show_default=False
        ),
    ] = None

    def check(self, asked: Asked, plot: Path | None) -> None:
        """Refuse what is meant for series."""
        for name, value in {**vars(asked), "plot": plot}.items():
            if value:
                raise typer.BadParameter("it has no effect on a run.", param_hint=f"--{name.replace('_', '-')}")

    def check_idle(self, source: str) -> None:
        """Refuse them on anything but a run."""
        for name, value in vars(self).items():
            if value:
                said = f"it has an effect on a run only, and {source} holds none."
                raise typer.BadParameter(said, param_hint=f"--{name}")
