"""What each claim was to reach: bar and goal beside the measured figure in RESULTS.md. Words only; nothing is compared.

A row is (a part of the figure's English name, bar, goal); the empty part stands for all figures of the claim.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BARS", "bar_of"]

BARS: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "ml100k_quality": (("recall@10", "0.172", "0.190"), ("ndcg@10", "0.087", "0.100")),
    "beauty_quality": (("recall@10", "0.0907", "0.1008"), ("ndcg@10", "0.0563", "0.0611")),
    "beauty_shuffled": (("recall@10", "0.086", "0.090"), ("ndcg@10", "0.050", "0.0525")),
    "ml1m_quality": (("recall@10", "0.306", "0.3369"), ("ndcg@10", "0.1766", "0.2007")),
    "ml1m_recurrence": (("recall@10", "0.306", "0.3369"), ("ndcg@10", "0.1766", "0.2007")),
    "ml1m_time": (("request's time", "+10%", "+20%"),),
    "cross_domain": (("new there", "interval above zero on 2 of 3 parts", "1.5 times"),),
    "content_quality": (("recall@10", "0.0974", "0.106"), ("ndcg@10", "0.0588", "0.063")),
    "content_splits": (
        ("against ids:", "better on 2 of 3 sets", "on 3"),
        ("new people", "1.5 times popularity", "2 times"),
    ),
    "few_shot": (("50 users: gain, transfer over scratch", "+10%", "+25%"),),
    "cold_items": (
        ("`sasrec`", "0.060; at most 0.5% lost", "0.081"),
        ("first seen", "1.5 times the most popular", "2 times"),
    ),
    "shaping": (("", "under 1 ms", ""),),
    "text_encoding": (("", "level with the plain call", "2 times"),),
    "time_ablations": (("", "better on 3 of 5 sets, worse on none", ""),),
    "time_splits": (("", "interval above zero", "+10% NDCG@10 over the best opponent"),),
    "sessions": (("", "ahead of session-kNN and Markov", "the published best"),),
    "peers_training": (
        ("memory", "below every peer", "half of the best"),
        ("amazon-beauty-2014: ratio to the fastest peer as installed", "10", "20"),
        ("amazon-beauty-2014: ratio to the fastest peer tuned", "6", "10"),
        ("ml-1m: ratio to the fastest peer", "2", "4"),
    ),
    "peers_quality": (("ml-100k", "5", "10"), ("amazon-beauty-2014", "10", "20")),
    "peers_answers": (("", "2.5", "5"),),
    "peers_preparation": (("CPU", "1.5", "3"), ("memory", "above 1", "2")),
    "large_catalog": (("one median cpu ms", "8", "5"),),
    "prepare": (("Parquet", "10 s, 3 GB", ""), ("CSV", "45 s, 4 GB", "")),
    "ml100k_report": (("", "180 s", ""),),
    "answers": (("users of ml-1m", "5 s", ""), ("one unseen history", "1.0 ms", "0.5 ms")),
    "start": (("import horae", "0.2 s", ""), ("--help", "0.5 s", "")),
    "features": (("windows", "60 s, 4 GB", ""), ("the rest", "240 s", "")),
    "event_forecasts": (
        ("coverage", "0.77 to 0.83", ""),
        ("error of the time", "below the user's frequency", ""),
        ("log-loss", "below the user's frequency", ""),
    ),
    "series": (("", "below seasonal naive, at most ARIMA, on 2 of 4", ""),),
    "anomalies": (("flagged", "0.5% to 2%", ""), ("AUC", "0.9: robot, burst, value", "")),
    "rhythm": (("found", "95%", ""), ("false alarms", "5% at most", "")),
    "simulate": (("", "seconds", ""),),
}


def bar_of(claim: str, what: str) -> tuple[str, str]:
    """Bar and goal of a figure by its English name; empty where none is named."""
    for part, bar, goal in BARS.get(claim, ()):
        if part in what:
            return bar, goal
    return "", ""
