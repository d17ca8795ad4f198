"""How often to retrain, in words: one sentence for each way in which it can come out."""

import pytest

from horae.evaluation.backtest.answer import how_often, times

WEEK = {"window_units": 1, "unit": "week"}


def decay(*losses: tuple[float, float, float] | None, every: int | None, untested=False, slope=(None, None, None)):
    rows = []
    for age, loss in enumerate(losses, start=1):
        mean, low, high = loss or (None, None, None)
        verdict = "unclear" if low is None else "kept" if high < 0.05 else "lost" if low > 0.05 else "unclear"
        rows.append({"age": age, "users": 812, "verdict": verdict, "loss": {"mean": mean, "low": low, "high": high}})
    rate = dict(zip(("mean", "low", "high"), slope, strict=True))
    return {
        "metric": "ndcg@10", "tolerated": 0.05, "rows": rows, "retrain_every": every,
        "longer_untested": untested, "loss_per_window": rate,
    }  # fmt: skip


KEPT, LOST, UNCLEAR = (0.012, 0.008, 0.016), (0.07, 0.06, 0.08), (0.045, 0.03, 0.06)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            decay(KEPT, (0.024, 0.02, 0.03), LOST, every=3, slope=(0.012, 0.008, 0.016)),
            "A model loses 1.2% [0.8%, 1.6%] of its NDCG@10 every week. Retrain every 3 weeks: after 2 weeks a model "
            "has lost less than 5% (2.4% [2%, 3%]), after 3 weeks it has lost 7% [6%, 8%], more than 5%.",
        ),
        (
            decay((0.0, -0.01, 0.01), (-0.003, -0.012, 0.006), every=3, untested=True, slope=(0.0, -0.01, 0.01)),
            "No loss of NDCG@10 seen in 2 weeks: after 2 weeks it is -0.3% [-1.2%, 0.6%]. Retraining every 3 weeks is "
            "enough; longer was not tested.",
        ),
        (
            decay(KEPT, every=2, untested=True, slope=(0.012, 0.008, 0.016)),
            "A model loses 1.2% [0.8%, 1.6%] of its NDCG@10 every week. After 1 week it is 1.2% [0.8%, 1.6%], under "
            "5%. Retraining every 2 weeks is enough; longer was not tested.",
        ),
        (
            decay(KEPT, UNCLEAR, every=2),
            "Retrain every 2 weeks: after 1 week a model has lost less than 5% (1.2% [0.8%, 1.6%]), after 2 weeks the "
            "data cannot tell (3% to 6%).",
        ),
        (
            decay(LOST, LOST, every=1, slope=(0.07, 0.06, 0.08)),
            "Retrain every week: after 1 week it has lost 7% [6%, 8%], more than 5%. Whether more often than every "
            "week would pay was not tested.",
        ),
        (
            decay(UNCLEAR, LOST, every=1),
            "Retrain every week: after 1 week the data cannot tell (3% to 6%), after 2 weeks it has lost 7% [6%, 8%], "
            "more than 5%. Whether more often than every week would pay was not tested.",
        ),
        (
            decay((0.04, -0.04, 0.12), every=None),
            "The data cannot tell how often to retrain: after 1 week the loss lies between -4% and 12% of NDCG@10 (812 "
            "users). More windows or more users would tell.",
        ),
        (
            decay(every=None),
            "How often to retrain was not measured: one window shows no older model. Ask for two folds or more.",
        ),
        (
            decay(None, every=None),
            "How often to retrain cannot be said: even a fresh model hits nothing, so there is nothing to lose.",
        ),
        (
            decay((0.04, None, None), every=None),
            "How often to retrain cannot be said without intervals: ask for resamples (--bootstrap 1000).",
        ),
    ],
)  # fmt: skip
def test_the_answer_says_what_the_intervals_say(found, said) -> None:
    assert how_often(found, WEEK) == said


def test_ages_are_told_in_time() -> None:
    assert [times(n, WEEK) for n in (1, 3)] == ["1 week", "3 weeks"]
    assert times(2, {"window_units": 3, "unit": "day"}) == "6 days"
    assert times(1, {"window_units": 1, "unit": "window"}) == "1 window"
    assert "every 6 days:" in how_often(decay(KEPT, UNCLEAR, every=2), {"window_units": 3, "unit": "day"})
