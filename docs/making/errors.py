"""The page of errors: the tree, its exit codes, and what HTTP makes of them."""

from __future__ import annotations

from collections.abc import Iterator

from making.markdown import code, drawing, one_line, table

__all__ = ["errors_page"]


def errors_page() -> Iterator[str]:
    """The tree, its exit codes and what HTTP makes of it."""
    import horae.errors
    from horae.serve.problems import STATUS

    yield "# Errors"
    yield "Every refusal says what was expected, what was got (file, row, column) and what to do. In Python the parts"
    yield "are `.message` and `.hint`. `except horae.HoraeError` catches them all; errors of other libraries pass"
    yield "unchanged."
    yield ""
    yield code(drawing(horae.errors.__doc__ or ""), "text")
    rows = []
    for name in ("HoraeError", *(n for n in horae.errors.__all__ if n != "HoraeError")):
        error = getattr(horae.errors, name)
        also = [base.__name__ for base in error.__bases__ if base.__module__ == "builtins" and base is not Exception]
        status, title = next(STATUS[kind] for kind in error.__mro__ if kind in STATUS)
        rows.append((f"`{name}`", ", ".join(f"`{one}`" for one in also), error.exit_code, f"{status} {title}",
                     one_line((error.__doc__ or "").split("\n\n")[0])))  # fmt: skip
    yield table(("error", "is also a", "exit code", "HTTP", "when"), rows)
    yield "What to do about the common ones: [your own log](../own-log.md#when-it-refuses)."
