import pytest

from horae.errors import RecipeError
from horae.features.spans import DAY, HOUR, Window, durations, windows_of


def test_windows_as_people_write_them():
    assert [w.micros for w in windows_of(["1h", "1d", " 7d ", "2w", "30min", "0.5h", "90s"])] == [
        *(HOUR, DAY, 7 * DAY, 14 * DAY, HOUR // 2, HOUR // 2, 90_000_000)
    ]
    assert Window.parse("n10") == Window("n10", events=10)
    assert Window.parse("all") == Window("all")
    assert durations(["1d"], "half-life") == {"1d": DAY}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-7d", "negative: it would look into the future"),
        ("7", "not a length of time"),
        ("7 days", "not a length of time"),
        ("0d", "not possible"),
        ("200000d", "not possible"),
        ("n0", "holds no event"),
        ("", "not a length of time"),
    ],
)
def test_what_is_no_window_is_refused_with_what_to_write(text: str, said: str):
    with pytest.raises(RecipeError, match=said) as refused:
        windows_of([text])
    assert refused.value.hint


def test_windows_twice_or_none_are_refused():
    with pytest.raises(RecipeError, match="given twice"):
        windows_of(["7d", "1d", "7d"])
    with pytest.raises(RecipeError, match="No window"):
        windows_of([])
