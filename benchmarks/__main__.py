"""`python -m benchmarks list | NAME... [--allow-dirty]`, `python -m benchmarks peers-setup [NAME...]`.

Public data through `HORAE_DATA`. `--peers-folder FOLDER` (or `HORAE_PEERS`) says where the peers' environments lie;
`HORAE_ROUNDS` how often each side of a contest runs.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait do not burn the core of those that work

from benchmarks import record
from benchmarks.peers import environments

CLAIMS = {
    "start": "import horae, horae --help: seconds and what they load",
    "prepare": "10M events, Parquet and CSV, to sequences in memory: seconds and peak memory",
    "ml100k_report": "ml-100k: from u.data to the report with all opponents and SASRec",
    "ml100k_quality": "ml-100k, leave-one-out, SASRec, 5 seeds",
    "beauty_quality": "amazon-beauty-2014, leave-one-out in log order, SASRec with full softmax, 3 seeds",
    "beauty_shuffled": "the same with same-day ties shuffled, 3 seeds",
    "ml1m_quality": "ml-1m, leave-one-out, length 200, SASRec, without the request's time",
    "ml1m_recurrence": "the same by the linear recurrence (lru)",
    "ml1m_time": "ml-1m users 1 to 2999, leave-one-out: HSTU with and without time beside SASRec",
    "sessions": "diginetica-sessions and yoochoose-100k: GRU4Rec and SASRec beside session-kNN and Markov",
    "time_splits": "six sets by time: every recipe and auto against windowed popularity, paired",
    "time_ablations": "six sets by time: each way to tell a network times and behaviors, against without, paired",
    "backtests": "deskdrop, online-retail, foursquare-nyc refitted weekly: lead time, decay, how often to retrain",
    "recipes_ml100k": "ml-100k, leave-one-out: every network's recipe as it is shipped",
    "ablations": "ml-100k, leave-one-out: one part changed at a time, and what it is worth",
    "stages": "a training step's stages beside the machine's arithmetic and memory",
    "answers": "recommendations for all users of ml-1m; one unseen history of 50 events among 12k items",
    "rhythm": "simulated series: periods, phases and breaks found, false alarms on noise of several kinds",
    "simulate": "a shop's log of 1M events: seconds",
    "large_catalog": "top 10 of 1M x 64, exact and approximate; training with 1M items within 6 GB",
    "scale": "1M to 100M events: seconds, CPU seconds and peak memory a million events",
    "features": "features as of each of 10M events, of users and of items, to Parquet: seconds and peak memory",
    "text_encoding": "titles of amazon-beauty-2014 to vectors: texts a CPU second beside the plain call",
    "shaping": "rules, quotas, variety, shares: milliseconds that they add to one request among 12k items",
    "cold_items": "amazon-beauty-2014, items taken out of training: recall on them and its cost; by time, two sets",
    "imputing": "a fifth of daily values hidden on three sets: MAE and RMSE of every way to fill them",
    "event_forecasts": "foursquare-nyc, deskdrop, cdnow, a shop: when, what and how much comes next; ranking beside",
    "anomalies": "a shop and foursquare-nyc with planted robots, bursts, far values, stolen accounts: AUC, recall",
    "content_quality": "amazon-beauty-2014, leave-one-out in log order, SASRec with titles and categories, 3 seeds",
    "content_splits": "three sets by time: content with ids against ids, paired; on ml-1m posters, too",
    "few_shot": "ml-1m to ml-100k by content: 10, 50, 250 users, transfer against from scratch, paired",
    "scaling": "ml-1m users 1 to 2999 by time: validation loss by width, depth and users of sasrec, fitted power laws",
    "cross_domain": "amazon-beauty-2014 as six logs with shared people: new in one, with and without the rest",
    "event_texts": "musical instruments: sentiment and vectors of reviews as context against without, paired",
    "tuning": "horae tune: 20 pruned trials each on ml-100k and amazon-beauty-2014",
    "series": "daily series, 28 days ahead: MASE of networks, ETS, ARIMA and simple methods on four sets",
    "peers_training": "an epoch of SASRec on Beauty and ml-1m beside RecTools, RePlay and RecBole: CPU seconds, memory",
    "peers_quality": "CPU seconds to the peer's own best NDCG@10, ml-100k and Beauty, RecTools and RePlay",
    "peers_preparation": "10M events, Parquet to training sequences, beside RePlay: CPU seconds, memory",
    "peers_answers": "top 10 of all users of Beauty and ml-1m beside RePlay, RecTools, implicit: users a CPU second",
}


def main() -> None:
    """Run what the arguments name."""
    arguments = _without_folder(sys.argv[1:])
    names = [argument for argument in arguments if not argument.startswith("--")]
    if not names or names == ["list"]:
        for name, claim in CLAIMS.items():
            print(f"{name:<22} {claim}")
        print(f"\npeers-setup NAME...    make the environments of the peers: {', '.join(environments.PEERS)}")
    elif names[0] == "peers-setup":
        for name in names[1:] or environments.PEERS:
            environments.setup(name)
            print(f"{name}: ready")
    else:
        _measure(names, allow_dirty="--allow-dirty" in arguments)


def _measure(names: list[str], *, allow_dirty: bool) -> None:
    for name in names:
        if name not in CLAIMS:
            sys.exit(f"There is no benchmark {name!r}; see: python -m benchmarks list")
        revision = record.commit(allow_dirty=allow_dirty)
        data = Path(os.environ.get("HORAE_DATA", "")).resolve()
        figures = importlib.import_module(f"benchmarks.{name}").measure(data)
        file = record.write(name, figures, revision)
        print(json.dumps(figures, indent=1), f"\nwritten to {file.relative_to(record.ROOT)}")


def _without_folder(arguments: list[str]) -> list[str]:
    """Take `--peers-folder FOLDER` out and into the environment."""
    if "--peers-folder" not in arguments:
        return arguments
    at = arguments.index("--peers-folder")
    if at + 1 == len(arguments):
        sys.exit("--peers-folder needs a folder.")
    os.environ["HORAE_PEERS"] = str(Path(arguments[at + 1]).resolve())
    return arguments[:at] + arguments[at + 2 :]


if __name__ == "__main__":
    main()
