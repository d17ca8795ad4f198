"""The command line: one verb per file, and no logic in any of them.

In: what was typed. Out: one result on standard output, everything else on standard error, an exit code (see
`horae.cli.failures`). Nothing heavy is imported before a verb runs, so that `horae --help` is instant.
"""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
import typer.main

import horae
from horae.cli import (
    anomalies,
    compare,
    data,
    demo,
    doctor,
    evaluate,
    features,
    forecast,
    interests,
    items,
    questionnaire,
    recipes,
    recommend,
    runs,
    serve,
    train,
    tune,
)
from horae.cli.failures import Verbs, stand_guard
from horae.cli.output import show

__all__ = ["app", "main"]

START, LOGS, MODELS, UPKEEP = HEADINGS = ("Start", "Logs", "Models", "Upkeep")


class _Horae(Verbs):
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the verbs under their headings."""
        names = self.list_commands(ctx)
        width = max(len(name) for name in names)
        for heading in HEADINGS:
            with formatter.section(heading):
                under = [name for name in names if self._command(ctx, name).rich_help_panel == heading]
                limit = formatter.width - width - 6
                formatter.write_dl(
                    [(name.ljust(width), self._command(ctx, name).get_short_help_str(limit)) for name in under]
                )

    def _command(self, ctx: Any, name: str) -> Any:
        return self.get_command(ctx, name)


app = typer.Typer(
    name="horae",
    cls=_Horae,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo", epilog=demo.EXAMPLES, rich_help_panel=START)(demo.demo)
app.command("doctor", epilog=doctor.EXAMPLES, rich_help_panel=START)(doctor.doctor)
app.add_typer(data.verbs, name="data", rich_help_panel=LOGS)
app.command("features", epilog=features.EXAMPLES, rich_help_panel=LOGS)(features.features)
app.command("train", epilog=train.EXAMPLES, rich_help_panel=MODELS)(train.train)
app.command("evaluate", epilog=evaluate.EXAMPLES, rich_help_panel=MODELS)(evaluate.evaluate)
app.command("compare", epilog=compare.EXAMPLES, rich_help_panel=MODELS)(compare.compare)
app.command("tune", epilog=tune.EXAMPLES, rich_help_panel=MODELS)(tune.tune)
app.command("recommend", epilog=recommend.EXAMPLES, rich_help_panel=MODELS)(recommend.recommend)
app.command("forecast", epilog=forecast.EXAMPLES, rich_help_panel=MODELS)(forecast.forecast)
app.command("anomalies", epilog=anomalies.EXAMPLES, rich_help_panel=MODELS)(anomalies.anomalies)
app.command("interests", epilog=interests.EXAMPLES, rich_help_panel=MODELS)(interests.interests)
app.command("questionnaire", epilog=questionnaire.EXAMPLES, rich_help_panel=MODELS)(questionnaire.questionnaire)
app.command("serve", epilog=serve.EXAMPLES, rich_help_panel=MODELS)(serve.serve)
app.add_typer(items.verbs, name="items", rich_help_panel=UPKEEP)
app.add_typer(runs.verbs, name="runs", rich_help_panel=UPKEEP)
app.add_typer(recipes.verbs, name="recipes", rich_help_panel=UPKEEP)


@app.callback(
    epilog="""\b
From a log to recommendations:
  horae data describe events.csv
  horae train events.csv -o runs/first
  horae evaluate runs/first
  horae recommend runs/first --user u1 -k 10
"""
)
def horae_(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version.", is_eager=True, callback=lambda v: _version(v), show_default=False
        ),
    ] = False,
) -> None:
    """Horae turns a log of what people did, and when, into what they will want next."""


def main() -> None:
    """Run the command line; the console script `horae`."""
    stand_guard()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin make a busy machine ten times slower
    typer.main.get_command(app)(prog_name="horae")  # calling `app` would put typer's own exception hook in place


def _version(value: bool) -> None:
    if value:
        show(f"horae {horae.__version__}")
        raise typer.Exit
