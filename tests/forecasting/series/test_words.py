import pytest

from horae.forecasting.series.words import as_text, standing, table_rows


def document(difference: float, low: float | None, high: float | None) -> dict:
    means = {"mae": 2.0, "rmse": 3.0, "coverage": 0.8, "series": 4}
    return {
        "model": "lstm", "chosen": "lstm was asked for.", "metrics": {"mase": 0.9, **means},
        "opponents": {"seasonal-naive": {"mase": 1.1, **means}, "ets": {"mase": 0.5, **means}, "gru-attention": None},
        "against": {"seasonal-naive": {"mase": {"difference": difference, "low": low, "high": high}},
                    "ets": {"mase": {"difference": 0.4, "low": 0.1, "high": 0.6}}},
        "series": 4, "bins": 100, "every": "1d", "timezone": "UTC", "horizon": 7, "notes": ["a note"],
        "origins": ["2024-01-01T00:00:00+00:00"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("difference", "low", "high", "said"),
    [
        (-0.2, -0.3, -0.1, "is ahead of seasonal-naive (-0.200 MASE, 95% interval -0.300 to -0.100)"),
        (0.2, 0.1, 0.3, "is behind seasonal-naive"),
        (-0.2, -0.5, 0.1, "cannot be told from seasonal-naive"),
        (-0.2, None, None, "differs from seasonal-naive by -0.200 MASE; so few series and origins tell no more"),
    ],
)
def test_who_is_ahead_is_said_only_as_far_as_the_interval_goes(difference, low, high, said):
    assert said in standing(document(difference, low, high))


def test_nothing_is_said_against_oneself():
    assert standing({**document(0, 0, 0), "against": {}}) == ""


def test_methods_stand_by_error_each_with_its_distance_to_the_model():
    rows = table_rows(document(-0.2, -0.3, -0.1))
    assert [row[0] for row in rows] == ["ets", "lstm", "seasonal-naive"]
    assert rows[0][-1] == "-0.400 [-0.600, -0.100]" and rows[1][-1] == "the model"
    assert rows[2][1:6] == ["1.100", "2.000", "3.000", "80%", "4"] and rows[2][-1] == "+0.200 [+0.100, +0.300]"


def test_the_text_holds_the_question_the_answer_and_the_notes():
    text = as_text(document(-0.2, -0.3, -0.1))
    assert "4 series of 100 bins of 1d (UTC), 7 ahead, judged at 1 past origins from 2024-01-01 00:00." in text
    assert "lstm was asked for." in text and "note: a note" in text
