import pytest

from horae.errors import RecipeError
from horae.recipe import Recipe, load_recipe
from horae.training.tuning.ranges import FOR_NETWORKS, Range, Span, ranges_of, with_values

NETWORK = {"encoder": "gru", "dim": 8, "max_len": 8}


def network(**tune) -> Recipe:
    return Recipe("mine", model=NETWORK, tune=tune)


def test_a_table_is_read_as_written():
    rate = {"low": 3e-4, "high": 3e-3, "log": True}
    ranges = ranges_of(
        network(**{"train.learning_rate": rate, "model.dropout": [0, 0.5], "model.dim": {"low": 4, "high": 8}})
    )
    assert ranges == (
        Range("train.learning_rate", Span(3e-4, 3e-3, log=True)),
        Range("model.dropout", choices=(0.0, 0.5)),
        Range("model.dim", Span(4, 8), whole=True),
    )


def test_nested_tables_and_quoted_keys_are_the_same(tmp_path):
    head = '[model]\nencoder = "gru"\n'
    (tmp_path / "a.toml").write_text(head + '[tune]\n"model.dim" = [8, 16]\n')
    (tmp_path / "b.toml").write_text(head + "[tune.model]\ndim = [8, 16]\n")
    (tmp_path / "c.toml").write_text(head + "[tune]\nmodel.dim = [8, 16]\n")
    read = [ranges_of(load_recipe(tmp_path / f"{name}.toml")) for name in "abc"]
    assert read[0] == read[1] == read[2] == (Range("model.dim", choices=(8, 16)),)


def test_a_range_can_be_set_on_the_command_line():
    recipe = load_recipe("sasrec", ["tune.model.dropout=[0.1, 0.2]"])
    assert ranges_of(recipe) == (Range("model.dropout", choices=(0.1, 0.2)),)


def test_a_network_that_declares_nothing_has_the_usual_ranges_and_each_holds_its_own_default():
    ranges = ranges_of(load_recipe("sasrec"))
    assert [one.key for one in ranges] == list(FOR_NETWORKS)
    rate, decay, _, dropout = ranges
    assert rate.holds(0.001) and decay.holds(0.0) and dropout.holds(0.2)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("model.dimm", [8, 16], "no key 'dimm'"),
        ("train.learning_rat", [0.1, 0.2], "learning_rat"),
        ("model.num_heads", [1, 2], "no effect"),
        ("model.dropout", [0.1, 1.5], "may not be 1.5"),
        ("model.dropout", {"low": 0.1, "high": 1.5}, "may not be 1.5"),
        ("model.dim", {"low": 4.0, "high": 8.5}, "expected int"),
        ("model.dim", {"low": 8, "high": 4}, "low below high"),
        ("model.dim", {"low": 4, "high": 8, "step": 9}, "step"),
        ("model.dim", {"low": 4, "hihg": 8}, "hihg"),
        ("model.dim", {"low": 4}, "needs the key 'high'"),
        ("model.dim", {"low": "4", "high": 8}, "expected float"),
        ("model.dim", {"low": 1, "high": float("inf")}, "finite"),
        ("train.weight_decay", {"low": 0.0, "high": 0.1, "log": True}, "low above 0"),
        ("train.learning_rate", {"low": 0.1, "high": 0.2, "log": True, "step": 0.1}, "no effect with log"),
        ("model.dim", [8], "two different"),
        ("model.dim", [8, 8], "two different"),
        ("model.dim", [8, "16"], "one type"),
        ("model.dim", 8, "expected a list"),
        ("model.encoder", ["gru", "lstm"], "cannot be searched"),
        ("train.relearn", [True, False], "cannot be searched"),
        ("data.min_item_events", [1, 5], "only keys of"),
        ("dim", [8, 16], "only keys of"),
    ],
)
def test_a_range_that_cannot_be_is_refused_by_its_key(key, value, told):
    with pytest.raises(RecipeError, match=told) as refused:
        ranges_of(network(**{key: value}))
    assert key.rpartition(".")[2] in refused.value.message and refused.value.hint


def test_an_opponent_must_say_what_is_searched():
    with pytest.raises(RecipeError, match="nothing to search"):
        ranges_of(load_recipe("item-knn"))
    declared = load_recipe("item-knn", ["tune.model.half_life_events=[5.0, 10.0]"])
    assert ranges_of(declared)[0].choices == (5.0, 10.0)
    with pytest.raises(RecipeError, match="only counts"):
        ranges_of(load_recipe("item-knn", ["tune.train.epochs=[5, 10]"]))


def test_values_go_over_the_recipe_and_leave_it_as_it_was():
    recipe = network()
    changed = with_values(recipe, {"model.dim": 16, "train.epochs": 3})
    assert changed.model["dim"] == 16 and changed.train == {"epochs": 3}
    assert recipe.model["dim"] == 8 and recipe.train == {}


def test_a_stepped_range_holds_its_steps_alone():
    one = Range("model.dropout", Span(0.1, 0.6, step=0.1))
    assert one.holds(0.3) and one.holds(0.1) and one.holds(0.6)
    assert not one.holds(0.25) and not one.holds(0.7) and not one.holds(True) and not one.holds(None)


def test_values_are_written_with_four_figures_and_never_leave_the_range():
    one = Range("train.learning_rate", Span(0.00012345, 0.1))
    assert one.near(0.0123456789) == 0.01235
    assert one.near(0.00012345) == 0.00012345


def test_a_value_on_a_fine_step_is_not_rounded_off_it():
    fine = Range("train.batch", Span(1000.0, 20000.0, step=0.5))
    assert fine.near(12345.5) == 12345.5 and fine.holds(fine.near(12345.5))
    assert Range("model.dropout", Span(0.1, 0.6, step=0.1)).near(0.1 + 2 * 0.1) == 0.3
