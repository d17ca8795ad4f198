import pytest
import torch

from horae.training.negatives import PopularityNegatives, UniformNegatives

COUNTS = torch.tensor([0, 16, 81, 0])  # to the power 0.75: 8, 27, 1 (an item that never came counts once)


@pytest.fixture(params=["uniform", "popularity"])
def make(request):
    return (
        (lambda seed: UniformNegatives(3, seed))
        if request.param == "uniform"
        else lambda seed: PopularityNegatives(COUNTS, seed)
    )


def test_draws_are_items_never_padding(make):
    drawn = make(0).draw(50, 40)
    assert drawn.shape == (50, 40) and drawn.dtype == torch.int64
    assert set(drawn.unique().tolist()) == {1, 2, 3}


def test_the_same_seed_draws_the_same_and_the_global_seed_does_not_matter(make):
    first, second = make(7), make(7)
    torch.manual_seed(1)
    one = first.draw(100)
    torch.manual_seed(2)
    assert torch.equal(one, second.draw(100))
    assert not torch.equal(one, make(8).draw(100))


def test_a_restored_state_continues_where_it_was(make):
    sampler, other = make(7), make(99)
    sampler.draw(10)
    other.load_state(sampler.state())
    assert torch.equal(sampler.draw(10), other.draw(10))


def test_popularity_draws_by_the_damped_count_and_says_so():
    sampler = PopularityNegatives(COUNTS, seed=0)
    assert sampler.log_q_I is not None
    assert sampler.log_q_I.exp().tolist() == pytest.approx([0, 8 / 36, 27 / 36, 1 / 36], abs=1e-6)
    share = torch.bincount(sampler.draw(200_000), minlength=4) / 200_000
    assert share.tolist() == pytest.approx([0, 8 / 36, 27 / 36, 1 / 36], abs=0.005)


def test_uniform_draws_every_item_alike():
    share = torch.bincount(UniformNegatives(4, seed=0).draw(100_000), minlength=5) / 100_000
    assert share.tolist() == pytest.approx([0, 0.25, 0.25, 0.25, 0.25], abs=0.01)
