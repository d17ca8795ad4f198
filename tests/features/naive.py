"""Every feature once more, as its row in the registry says it: plain loops over one key's past, nothing of src."""

import itertools
import math
from collections import Counter
from statistics import fmean, pstdev

import polars as pl

DAY, HOUR = 86_400.0, 3_600.0
UNITS = {"s": 1.0, "min": 60.0, "h": HOUR, "d": DAY, "w": 7 * DAY}
SESSION = 1_800.0


def seconds(text: str) -> float:
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * UNITS[unit]


def rows_of(frame: pl.DataFrame) -> list[dict]:
    """Events as dictionaries, with `t` in seconds or None."""
    rows = frame.with_columns(pl.col("timestamp").to_physical().alias("t")).to_dicts()
    for row in rows:
        row["t"] = None if row["t"] is None else row["t"] / 1e6
    return rows


def past_of_event(rows: list[dict], number: int, by: str) -> list[dict] | None:
    """What is past as of just before an event; None where it stands on no line."""
    own = rows[number]
    if by == "user_id":
        return [row for row in rows[:number] if row["user_id"] == own["user_id"]]
    if own["t"] is None or (by != "all" and own[by] is None):
        return None
    mine = [row for row in rows if row["t"] is not None and (by == "all" or row[by] == own[by])]
    return sorted((row for row in mine if row["t"] < own["t"]), key=lambda row: row["t"])


def past_of_time(rows: list[dict], key: object, by: str, t: float) -> list[dict]:
    """What is past of a key as of a time."""
    if by != "user_id":
        mine = [row for row in rows if row["t"] is not None and (by == "all" or row[by] == key)]
        return sorted((row for row in mine if row["t"] < t), key=lambda row: row["t"])
    past = []
    for row in rows:
        if row["user_id"] == key:
            if row["t"] is not None and row["t"] >= t:
                break
            past.append(row)
    return past


def window_of(past: list[dict], t: float | None, name: str) -> list[dict]:
    if name == "all":
        return past
    if name.startswith("n"):
        return past[-int(name[1:]) :]
    assert t is not None
    return [row for row in past if row["t"] >= t - seconds(name)]


def features(past, t, by, windows, half_lives, *, values=True, items=True, own_sessions=False, context=()) -> dict:
    """All features of one moment but the circle's and the tables'; None where null."""
    times = [row["t"] for row in past]
    clear = t is not None and None not in times and times == sorted(times) and (not times or times[-1] <= t)
    out: dict[str, object] = {}
    for name in windows:
        timed = name != "all" and not name.startswith("n")
        window = None if timed and not clear else window_of(past, t, name)
        out |= window_features(name, window, past, t, clear, timed, by, values, items)
    for name in half_lives:
        fades = [0.5 ** ((t - row["t"]) / seconds(name)) for row in past] if clear else None
        out[f"decayed_count_{name}"] = None if fades is None else sum(fades)
    out["recency_seconds"] = t - times[-1] if clear and times else None
    out["age_seconds"] = t - times[0] if clear and times else None
    gaps = [b - a for a, b in itertools.pairwise(times)] if clear else []
    out["gap_last_seconds"] = gaps[-1] if gaps else None
    out["gap_mean_seconds"] = fmean(gaps) if gaps else None
    out["gap_deviation_seconds"] = pstdev(gaps) if len(gaps) > 1 else None
    if by == "user_id":
        out |= session_features(past, t, clear, own_sessions)
    for column, numeric in context:
        out |= context_features(past, column, numeric)
    return out


def window_features(name, window, past, t, clear, timed, by, values, items) -> dict:
    out = {f"count_{name}": None if window is None else len(window), f"rate_{name}": None}
    length = seconds(name) if timed else None
    if clear and timed and past:
        known = t - past[0]["t"]
        if known >= 0.1 * length and known > 0:
            opens = known <= length
            out[f"rate_{name}"] = (len(window) - opens) / min(known, length) * DAY
    if clear and not timed and len(window) > 1 and t > window[0]["t"]:
        out[f"rate_{name}"] = (len(window) - 1) / (t - window[0]["t"]) * DAY
    if timed:
        usual = clear and len(past) > 1 and t - past[0]["t"] >= 10 * length
        out[f"burst_{name}"] = len(window) / ((len(past) - 1) / (t - past[0]["t"]) * length) if usual else None
    if values:
        known = None if window is None else [row["value"] for row in window if row["value"] is not None]
        out[f"sum_{name}"] = None if known is None else math.fsum(known)
        out[f"mean_{name}"] = fmean(known) if known else None
        out[f"deviation_{name}"] = pstdev(known) if known and len(known) > 1 else None
        out[f"minimum_{name}"] = min(known) if known else None
        out[f"maximum_{name}"] = max(known) if known else None
        out[f"last_{name}"] = known[-1] if known else None
    if items and by != "item_id":
        out[f"distinct_items_{name}"] = None if window is None else len({row["item_id"] for row in window})
        again = [row["item_id"] in {other["item_id"] for other in window[:n]} for n, row in enumerate(window or [])]
        out[f"repeat_share_{name}"] = fmean(again) if again else None
    if by != "user_id":
        out[f"distinct_users_{name}"] = None if window is None else len({row["user_id"] for row in window})
    return out


def session_features(past, t, clear, own) -> dict:
    if not clear:
        return {"session_position": None, "session_age_seconds": None, "sessions": None}
    sessions: list[list[dict]] = []
    for before, row in zip([None, *past], past, strict=False):
        if before is None:
            new = True
        elif own:
            new = row["session_id"] != before["session_id"]
        else:
            new = row["t"] - before["t"] > SESSION
        if new:
            sessions.append([])
        sessions[-1].append(row)
    on = bool(past) and t - past[-1]["t"] <= SESSION
    return {
        "session_position": len(sessions[-1]) if on else 0,
        "session_age_seconds": t - sessions[-1][0]["t"] if on else None,
        "sessions": len(sessions),
    }


def context_features(past, column, numeric) -> dict:
    known = [row[column] for row in past if row[column] is not None]
    out = {f"{column}_last": known[-1] if known else None, f"{column}_known": len(known)}
    if numeric:
        return out | {f"{column}_mean": fmean(known) if known else None}
    return out | {f"{column}_mode_share": max(Counter(known).values()) / len(known) if known else None}


def circle_features(rows, relations, user, past, t, windows) -> dict:
    """The circle's; relations are dictionaries with `valid_from` and `valid_to` in seconds."""
    timed = [name for name in windows if name != "all" and not name.startswith("n")]
    names = [
        "circle_size",
        *(f"circle_{what}_{w}" for w in timed for what in ("count", "distinct_items", "active_share")),
    ]
    times = [row["t"] for row in past]
    if t is None or None in times or times != sorted(times) or (times and times[-1] > t):
        return dict.fromkeys(names)
    circle = [r["other_id"] for r in relations if r["user_id"] == user and r["valid_from"] <= t < r["valid_to"]]
    out: dict[str, object] = {"circle_size": len(circle)}
    for name in timed:
        theirs = [
            [r for r in rows if r["user_id"] == other and r["t"] is not None and t - seconds(name) <= r["t"] < t]
            for other in circle
        ]
        out[f"circle_count_{name}"] = sum(map(len, theirs))
        out[f"circle_distinct_items_{name}"] = len({row["item_id"] for events in theirs for row in events})
        out[f"circle_active_share_{name}"] = sum(map(bool, theirs)) / len(circle) if circle else None
    return out
