"""The one place where a failure becomes words and an exit code.

    0    all went well, also where whoever read our output had enough of it (`| head`)
    1    a check failed: a leak, a damaged run, warnings where none were allowed
    2    usage, 3 data, 4 storage, 5 remote: see `horae.errors`
    70   an error of Horae's own
    130  stopped by hand

In: whatever a verb raises. Out: one block on standard error. A traceback appears only with `--debug`.
"""

from __future__ import annotations

import os
import sys
import traceback
from types import TracebackType
from typing import Any

import typer
from typer.core import TyperGroup

from horae.cli.output import PAGE_WIDTH, say, wrapped
from horae.errors import HoraeError, StoreError

__all__ = ["Verbs", "stand_guard", "want_traceback"]

STOPPED = 130
BUG = 70
DEBUG = "horae.debug"


class Verbs(TyperGroup):
    """The root command: runs a verb, and translates how it ended."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except HoraeError as error:
            raise _told(error, error, ctx) from error
        except KeyboardInterrupt as stop:
            say(str(stop.args[0]) if stop.args else "Stopped by hand; nothing was written.")
            raise typer.Exit(STOPPED) from stop
        except BrokenPipeError as error:
            _close_quietly()
            raise typer.Exit(0) from error
        except MemoryError as error:
            raise _told(
                StoreError("There is not enough memory.", hint="Give a part of the log."), error, ctx
            ) from error
        except OSError as error:
            raise _told(_refused(error), error, ctx) from error
        return result


def want_traceback(ctx: typer.Context, value: bool) -> bool:
    """The callback of `--debug`: may stand on any verb."""
    if value:
        ctx.meta[DEBUG] = True
        sys.excepthook = sys.__excepthook__
    return value


def stand_guard() -> None:
    """Keep tracebacks of our own errors away from people who did not ask for them."""
    sys.excepthook = _own_error
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller (`>&-`): nobody listens
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))


def _told(shown: HoraeError, cause: BaseException, ctx: typer.Context) -> typer.Exit:
    if ctx.meta.get(DEBUG):
        traceback.print_exception(cause)
    say(typer.style("error: ", fg="red", bold=True) + _block(shown.message))
    if shown.hint:
        say(typer.style("hint:  ", fg="cyan") + _block(shown.hint))
    return typer.Exit(shown.exit_code)


def _block(text: str) -> str:
    """Lines that fit the page beside a label of seven characters."""
    return wrapped(text, width=PAGE_WIDTH - 7).replace("\n", "\n       ")


def _refused(error: OSError) -> StoreError:
    where = f" ({error.filename})" if error.filename else ""
    return StoreError(f"The system refused: {error.strerror or error}{where}.", hint="Check the disk and your rights.")


def _own_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    say(f"error: Horae failed: {kind.__name__}: {error}")
    say("hint:  This is a fault of Horae, not of your data. Run it again with --debug and report what it shows.")
    sys.exit(BUG)


def _close_quietly() -> None:
    """Nobody reads standard output any more; let the exit not stumble over it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
