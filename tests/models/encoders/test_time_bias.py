"""Buckets of time against hand-worked logarithms, and the tables that they look up."""

import math

import pytest
import torch

from horae.models.encoders.time_bias import FASTER, LONGEST_SECONDS, NEVER, Gaps, RelativeBias, gap_buckets

NOW = 1_700_000_000.0
UNKNOWN = float("nan")


def bucket_of(gap, num_buckets=128):
    asked, happened = torch.tensor([[NOW + gap]], dtype=torch.float64), torch.tensor([[NOW]], dtype=torch.float64)
    return gap_buckets(asked, happened, num_buckets).item()


@pytest.mark.parametrize(
    ("gap", "bucket"),
    [
        (-5.0, 0),
        (0.0, 0),
        (0.9, 0),
        (1.0, 1),
        (60.0, 26),  # 1 + 126 * ln(60) / ln(631152000) = 1 + 126 * 4.0943 / 20.2629 = 26.46
        (86_400.0, 71),  # 1 + 126 * 11.3668 / 20.2629 = 71.68
        (365.25 * 86_400, 108),  # 1 + 126 * 17.2672 / 20.2629 = 108.37
        (20.01 * 365.25 * 86_400, 127),
        (1e12, 127),
        (UNKNOWN, 128),
    ],
)
def test_a_gap_falls_into_the_bucket_of_its_logarithm(gap, bucket):
    assert bucket_of(gap) == bucket


def test_every_bucket_is_reached_and_a_longer_gap_never_falls_lower():
    gaps = [0.0, *torch.logspace(0, math.log10(2 * LONGEST_SECONDS), 4000, dtype=torch.float64).tolist()]
    buckets = [bucket_of(gap, 32) for gap in gaps]
    assert buckets == sorted(buckets) and set(buckets) == set(range(32))


def test_a_second_is_told_from_two_at_todays_unix_time():
    assert bucket_of(1.0) < bucket_of(2.0) < bucket_of(3.0)


def test_one_unknown_time_is_enough_for_the_bucket_of_unknown_times():
    asked_BL = torch.tensor([[NOW, UNKNOWN]], dtype=torch.float64)
    time_BL = torch.tensor([[UNKNOWN, NOW - 60]], dtype=torch.float64)
    assert gap_buckets(asked_BL, time_BL, 128).tolist() == [[[128, 26], [128, 128]]]


def gaps(length, max_len, bucket_BLL=None):
    return Gaps.between(length, max_len, bucket_BLL, torch.device("cpu"))


def test_gaps_count_places_back_and_mark_later_keys():
    assert gaps(3, 9).place_BQL.tolist() == [[[0, 9, 9], [1, 0, 9], [2, 1, 0]]]
    assert gaps(3, 9).seen().flatten().tolist() == [1, 2, 3]


def test_the_newest_events_gaps_are_their_rows_and_an_empty_history_asks_from_its_first_place():
    bucket_BLL = torch.arange(27).view(3, 3, 3)
    newest = gaps(3, 9, bucket_BLL).newest(torch.tensor([2, 3, 0]))
    assert newest.place_BQL.tolist() == [[[1, 0, 9]], [[2, 1, 0]], [[0, 9, 9]]]
    assert newest.bucket_BQL.tolist() == [[[3, 4, 5]], [[15, 16, 17]], [[18, 19, 20]]]
    assert newest.seen().flatten().tolist() == [2, 3, 1]
    assert gaps(3, 9).newest(torch.tensor([2])).bucket_BQL is None


def test_a_bias_is_the_sum_of_its_tables_and_never_for_later_keys():
    bias = RelativeBias(num_heads=2, max_len=3, num_buckets=4)
    with torch.no_grad():
        bias.place_HN.copy_(torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]) / FASTER)
        bias.time_HN.copy_(torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.5], [0.0, 0.0, 0.0, 0.0, 0.7]]) / FASTER)
    got = bias(gaps(2, 3, torch.tensor([[[0, 0], [4, 1]], [[3, 0], [2, 2]]])))
    first = [[[1.1, NEVER + 0.1], [2.5, 1.2]], [[1.4, NEVER + 0.1], [2.3, 1.3]]]
    second = [[[10.0, NEVER], [20.7, 10.0]], [[10.0, NEVER], [20.0, 10.0]]]
    torch.testing.assert_close(got, torch.tensor([first, second]), atol=1e-3, rtol=0)


def test_without_tables_nothing_but_later_keys_is_biased():
    bias = RelativeBias(num_heads=2, max_len=0, num_buckets=0)
    assert bias(gaps(2, 5)).tolist() == [[[[0.0, NEVER], [0.0, 0.0]]]]
    assert list(bias.parameters()) == []


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_later_key_weighs_exactly_nothing_and_has_no_slope(dtype):
    score = torch.tensor([NEVER, NEVER + 300, NEVER - 300], dtype=dtype, requires_grad=True)
    weight = torch.nn.functional.silu(score)
    weight.sum().backward()
    assert (weight == 0).all() and (score.grad == 0).all()
