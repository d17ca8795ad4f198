import numpy as np
import pytest
import torch
from tests.logs import events_of

from horae.errors import RecipeError
from horae.models.compose import compose, resolved
from horae.models.encoders import ENCODERS
from horae.sequences.batch import SequenceBatch, encode
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

BEHAVIORS = ("view", "buy")
TABLE = {"dim": 8, "max_len": 6, "dropout": 0.0, "also": ["behavior", "time", "value"]}
ROWS = [("u", "abc"[n % 3], 1_000 * n * n, BEHAVIORS[n % 2], float(n)) for n in range(6)]


def sequences_of(rows):
    events = events_of(rows, behaviors=BEHAVIORS)
    return Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))


def network_of(table, sequences, seed=0):
    torch.manual_seed(seed)
    network = compose({**TABLE, **table}, sequences.num_items, 2)
    network.upcoming.look_at(sequences, watched=True)
    for parameter in network.parameters():  # nothing is silent because it begins at zero
        torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


def told(network, batch):
    with torch.no_grad():
        said = network.told(batch)
    gaps = said.gaps
    return torch.cat([said.behavior_NC, gaps.mean_NK, gaps.spread_NK, gaps.same_N[:, None], said.value_N3], dim=1)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_heads_never_know_when_the_question_is_asked(encoder):
    sequences = sequences_of(ROWS)
    network, batch = network_of({"encoder": encoder}, sequences), encode(sequences.all())
    asked_later = SequenceBatch(
        *(vars(batch) | {"request_time_BL": batch.request_time_BL.nan_to_num(0) + 1e7}).values()
    )
    torch.testing.assert_close(told(network, asked_later), told(network, batch))
    later_events = SequenceBatch(*(vars(batch) | {"time_BL": batch.time_BL * 2}).values())
    assert not torch.allclose(told(network, later_events), told(network, batch))


def test_items_that_training_never_met_are_hidden():
    sequences = sequences_of([*ROWS, ("w", "d", 5)])
    met = Sequences.from_events(events_of(ROWS, behaviors=BEHAVIORS), sequences.items)
    network, batch = network_of({"encoder": "gru"}, sequences), encode(sequences.all().take(slice(0, 1)))
    network.upcoming.look_at(met, watched=True)
    assert network.upcoming.met_I.tolist() == [False, True, True, True, False]
    strange, hidden = (
        SequenceBatch(*(vars(batch) | {"item_BL": batch.item_BL * 0 + item}).values()) for item in (4, 0)
    )
    torch.testing.assert_close(told(network, strange), told(network, hidden))
    assert not torch.allclose(told(network, strange), told(network, batch))
    network.grow(2)
    assert network.upcoming.met_I.shape == (7,)


def test_quantiles_of_values_never_cross_the_point():
    sequences = sequences_of(ROWS)
    for seed in range(5):
        network = network_of({"encoder": "lstm"}, sequences, seed)
        with torch.no_grad():
            low, point, high = network.told(encode(sequences.all())).value_N3[0]
        assert low < point < high


def test_a_log_of_one_behavior_has_no_head_for_it():
    network = compose({**TABLE, "encoder": "gru"}, 3, 1)
    assert network.upcoming.asked == ("time", "value")


def test_the_end_of_a_line_says_something_only_where_everybody_was_watched():
    sequences = sequences_of(ROWS)
    network = network_of({"encoder": "gru"}, sequences)
    assert network.upcoming.watched_until.item() == 25_000 and network.upcoming.span_seconds.item() == 25_000
    network.upcoming.look_at(sequences, watched=False)
    assert np.isnan(network.upcoming.watched_until.item())


def test_what_is_not_asked_leaves_the_network_and_its_recipe_as_they_were():
    torch.manual_seed(0)
    plain = compose({"encoder": "gru", "dim": 8}, 3, 2)
    torch.manual_seed(0)
    asked = compose({"encoder": "gru", "dim": 8, "also": ["time"]}, 3, 2)
    arrays = plain.arrays()
    assert all(torch.equal(asked.arrays()[name], array) for name, array in arrays.items())
    assert not any(name.startswith("upcoming") for name in arrays)
    assert not {"also", "time_components", "value_scale"} & set(resolved({"encoder": "gru"}))


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"also": ["when"]}, "when"),
        ({"also": ["time"], "encoder": "transformer", "framing": "masked", "mask_share": 0.2}, "masked"),
        ({"also": ["value"], "time_components": 3}, "time_components has no effect"),
        ({"also": ["time"], "value_scale": "log"}, "value_scale has no effect"),
        ({"also": ["time"], "time_components": 0}, "1 to 16"),
    ],
)
def test_a_key_that_cannot_be_is_refused(table, match):
    with pytest.raises(RecipeError, match=match) as error:
        resolved({"encoder": "gru", **table})
    assert error.value.hint
