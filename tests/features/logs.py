"""Random small logs that hold what hurts: ties, unknown times and values, long gaps, one event."""

from dataclasses import dataclass

import hypothesis.strategies as st
import polars as pl

from horae.schema import Events
from tests.logs import events_of

START = 1_600_000_000
STEPS = (0, 0, 1, 60, 1_800, 1_801, 3_600, 3_601, 86_400, 90_000, 7 * 86_400, 40 * 86_400)
VALUES = st.one_of(st.none(), st.sampled_from([0.0, 5.0, 5.0, -3.25, 19.99, 1e6, 1e-3]))
WINDOWS = ("1h", "1d", "7d", "n3", "all")
HALF_LIVES = ("1h", "7d")


@dataclass(frozen=True)
class Row:
    user: str
    item: str
    seconds: float | None
    behavior: str
    value: float | None
    device: str | None
    price: float | None
    session: str


def row(seconds: float | None) -> st.SearchStrategy[Row]:
    return st.builds(
        Row,
        st.sampled_from("abc"),
        st.sampled_from("xyz"),
        st.just(seconds),
        st.sampled_from(["view", "cart"]),
        VALUES,
        st.sampled_from([None, "phone", "desk"]),
        st.sampled_from([None, 1.5, 2.0, 80.0]),
        st.sampled_from("st"),
    )


@st.composite
def rows(draw: st.DrawFn, *, unknown_times: bool = True, most: int = 14) -> list[Row]:
    time, made = float(START), []
    for _ in range(draw(st.integers(1, most))):
        time += draw(st.sampled_from(STEPS))
        unknown = unknown_times and draw(st.integers(0, 9)) == 0
        made.append(draw(row(None if unknown else time)))
    return made


def log_of(rows: list[Row], *, own_sessions: bool = True) -> Events:
    """Events with context columns device and price, and maybe sessions of the log's own."""
    events = events_of([(r.user, r.item, r.seconds, r.behavior, r.value) for r in rows], ["view", "cart"])
    order = events.frame["event_order"]
    more = {
        "device": pl.Series([r.device for r in rows], dtype=pl.String),
        "price": pl.Series([r.price for r in rows], dtype=pl.Float64),
    }
    if own_sessions:
        more["session_id"] = pl.Series([r.session for r in rows], dtype=pl.String)
    return Events(events.frame.with_columns(column.gather(order).alias(name) for name, column in more.items()))
