"""`horae demo`: the whole path on a simulated shop."""

from __future__ import annotations

from horae.cli.verb import verb

EXAMPLES = ""


@verb
def demo() -> None:
    """Run the whole path on a simulated shop."""
