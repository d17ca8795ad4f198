import polars as pl
import pytest
import torch
from tests.logs import chain_log, events_of

import horae
from horae.data.settings import DataSettings
from horae.errors import DataError, RecipeError, RunError
from horae.evaluation.opponents import opponents_of
from horae.recipe import load_recipe, recipe_names
from horae.training.loop import LoopSettings
from horae.training.progress import Quiet
from horae.training.train import Options, check, refit

QUIET = Options(progress=Quiet())
SMALL = ["model.dim=16", "model.max_len=8", "model.num_layers=1", "train.epochs=2", "train.batch_tokens=256"]
SHOP = pl.Enum(["view", "purchase"])
LOG = chain_log(users=60, items=10, length=10)


def network(data, *overrides, **where):
    return horae.train(data, "sasrec", overrides=[*SMALL, *overrides], options=QUIET, **where)


def test_the_test_part_never_reaches_a_trained_score():
    split = horae.split_by_time(LOG)
    one = network(split)
    frame = LOG.frame
    test = split.part == "test"
    shuffled = frame["item_id"].to_numpy().copy()
    shuffled[test.to_numpy()] = shuffled[test.to_numpy()][::-1]
    edited = horae.Events(frame.with_columns(item_id=shuffled))
    other = network(horae.split_by_time(edited))
    assert torch.equal(one.model.item_vectors(), other.model.item_vectors())
    assert one.calibration == other.calibration


def test_events_alone_are_cut_for_validation_and_nothing_is_left_for_a_test():
    recommender = network(LOG)
    assert recommender.split.part.unique().sort().to_list() == ["train", "validation"]
    assert recommender.card["training"]["validation"]["ndcg@10"] > 0


def test_a_log_with_an_order_and_no_times_is_trained_on():
    rows = [(user, item, None) for user, item, *_ in LOG.frame.select("user_id", "item_id").iter_rows()]
    recommender = network(events_of(rows))
    assert len(recommender.recommend(users=["u0001"], k=3)) == 3
    beside = opponents_of(recommender, recommender.split, ["recent_popularity", "markov"])
    assert isinstance(beside["recent_popularity"], str) and "time" in beside["recent_popularity"]
    assert not isinstance(beside["markov"], str)


def test_a_log_without_items_says_what_is_off():
    bare = horae.Events(LOG.frame.drop("item_id"))
    with pytest.raises(DataError, match="no items"):
        network(bare)


def test_refit_learns_from_everything_and_keeps_the_judged_card():
    split = horae.split_by_time(LOG)
    recommender = network(split)
    again = refit(recommender, options=QUIET)
    assert again.card["refit"] and not recommender.card["refit"]
    assert again.card["training"] == recommender.card["training"]
    assert not torch.equal(again.model.item_vectors(), recommender.model.item_vectors())
    counted = horae.train(split, "popularity", options=QUIET)
    both = [one.recommend(users=["u0001"], k=10).frame["score"].sum() for one in (counted, refit(counted))]
    assert both[1] > both[0]


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_is_whole_and_says_what_it_is(name):
    recipe = load_recipe(name)
    assert recipe.about and check(recipe).model


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.num_layer=3", "num_layers"),
        ("model.attention=dot", "no effect"),
        ("model.dim=63", "num_heads"),
        ("model.dim=wide", "expected int"),
        ("train.epochs=0", "at least 1"),
        ("train.num_negatives=5", "no effect"),
        ("train.lr=0.1", "learning_rate"),
        ("recommend.seen=maybe", "auto"),
    ],
)
def test_a_wrong_key_is_refused_before_anything_is_read(override, words):
    with pytest.raises(RecipeError) as caught:
        network(LOG, override)
    assert words in str(caught.value)


def test_training_keys_have_no_effect_on_an_opponent():
    with pytest.raises(RecipeError, match="no effect"):
        horae.train(LOG, "popularity", overrides=["train.epochs=3"], options=QUIET)


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(RecipeError, match="sasrec"):
        horae.train(LOG, "sasrek", options=QUIET)


def test_nobody_with_two_events_is_nothing_to_learn_from():
    log = events_of([(f"u{n}", f"i{n % 3}", 100 * n) for n in range(30)])
    with pytest.raises(DataError):
        network(log)


def test_sampled_and_binary_losses_learn_too():
    for loss in ("sampled_softmax", "binary"):
        recommender = network(LOG, f"train.loss={loss}", "train.num_negatives=4")
        assert recommender.card["training"]["best_epoch"] >= 1


def test_compare_ranks_recipes_on_one_split_and_over_time():
    comparison = horae.compare(LOG, ["popularity", "markov"], options=QUIET)
    assert comparison.order[0] == "markov"
    assert comparison.folds[0].behind["popularity"]["ndcg@10"]["difference"] > 0
    assert "markov" in str(comparison)
    over_time = horae.compare(LOG, ["popularity", "markov"], folds=2, horizon=0.1, options=QUIET).as_dict()
    assert len(over_time["folds"]) == 2 and over_time["order"][0] == "markov"


def test_the_window_of_recent_popularity_is_chosen_and_written_down_in_the_run(tmp_path):
    assert check(check(load_recipe("recent-popularity"))).model == {"opponent": "recent_popularity"}
    recommender = horae.train(horae.split_by_time(LOG), "recent-popularity", options=QUIET)
    assert "window_days" in recommender.recipe.model
    again = horae.load(recommender.save(tmp_path / "run"))
    assert again.recipe == recommender.recipe
    asked = {"users": ["u0001"], "k": 5}
    assert again.recommend(**asked).frame.equals(recommender.recommend(**asked).frame)
    given = horae.train(LOG, "recent-popularity", overrides=["model.window_days=2"], options=QUIET)
    assert given.recipe.model["window_days"] == 2.0


@pytest.mark.parametrize("recipe", ["popularity", "sasrec"])
def test_a_split_without_validation_has_one_cut_off_its_training_part(recipe):
    split = horae.split_by_time(LOG, validation=0)
    assert not (split.part == "validation").any()
    recommender = horae.train(split, recipe, overrides=SMALL if recipe == "sasrec" else [], options=QUIET)
    assert (recommender.split.part == "validation").any()
    assert (recommender.split.part == "test").equals(split.part == "test")
    assert horae.evaluate(recommender, split, opponents={}, bootstrap=0).passed


def test_an_opponent_is_not_calibrated_on_what_it_counted():
    noise = chain_log(users=300, items=60, length=12, noise=1.0)  # nothing to be learned: a chance is a coin's
    split = horae.split_by_time(noise)
    for recipe in ("markov", "item-knn"):
        recommender = horae.train(split, recipe, options=QUIET)
        if recommender.calibration is not None:
            judged = horae.evaluate(recommender, split, opponents={}, bootstrap=0)
            assert judged.pointwise.log_loss.mean < 0.72


def test_resume_refuses_another_dropout(tmp_path):
    where = Options(progress=Quiet(), folder=tmp_path)
    horae.train(LOG, "sasrec", overrides=SMALL, options=where)
    again = Options(progress=Quiet(), folder=tmp_path, resume=True)
    horae.train(LOG, "sasrec", overrides=[*SMALL, "train.epochs=3"], options=again)
    with pytest.raises(RunError, match="another training"):
        horae.train(LOG, "sasrec", overrides=[*SMALL, "model.dropout=0.4"], options=again)


def test_two_recipes_of_one_name_are_refused_and_overrides_reach_what_a_recipe_leaves_open():
    with pytest.raises(RecipeError, match="called 'markov'"):
        horae.compare(LOG, ["markov", "markov"], options=QUIET)
    both = ["popularity", "recent-popularity"]
    comparison = horae.compare(LOG, both, overrides=["model.window_days=3"], options=QUIET)
    assert set(comparison.order) == {"popularity", "recent-popularity"}


def test_where_nobody_in_validation_has_a_history_all_epochs_are_trained():
    old = [(f"u{n % 20:02}", f"i{n % 7}", 1_000 * n) for n in range(200)]
    new = [(f"v{n:02}", f"i{n % 7}", 1_000 * (200 + n)) for n in range(50)]
    split = horae.split_by_time(events_of([*old, *new]))
    recommender = network(split)
    assert recommender.card["training"]["best_epoch"] == 2 and recommender.card["training"]["validation"] == {}
    assert recommender.calibration is None
    assert horae.train(split, "recent-popularity", options=QUIET).recipe.model == {"opponent": "recent_popularity"}


def test_leave_one_out_does_not_learn_again_unless_asked():
    settings = LoopSettings()
    assert settings.relearns("time") and settings.relearns("rolling") and not settings.relearns("leave-one-out")
    assert LoopSettings(relearn=True).relearns("leave-one-out") and not LoopSettings(relearn=False).relearns("time")


def test_relearning_takes_the_validation_part_in_and_never_the_test():
    split = horae.split_by_time(LOG)
    plain, relearned = network(split, "train.relearn=false"), network(split)  # by time it is the default
    assert not torch.equal(plain.model.item_vectors(), relearned.model.item_vectors())
    assert relearned.card["training"]["validation"] == plain.card["training"]["validation"]
    assert relearned.card["training"]["best_epoch"] == plain.card["training"]["best_epoch"]
    test = (split.part == "test").to_numpy()
    item = LOG.frame["item_id"].to_numpy().copy()
    item[test] = item[test][::-1]
    edited = horae.split_by_time(horae.Events(LOG.frame.with_columns(item_id=item)))
    other = network(edited)
    assert torch.equal(other.model.item_vectors(), relearned.model.item_vectors())


def test_an_approximate_index_needs_item_vectors_and_its_recall_stands_on_the_card():
    with pytest.raises(RecipeError, match="only networks have item vectors"):
        check(load_recipe("markov", ['recommend.index="approximate"']))
    pytest.importorskip("faiss")
    recommender = network(LOG, 'recommend.index="approximate"')
    assert 0 < recommender.card["index_recall@10"] <= 1


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ('train.precision="bfloat16"', "precision has no effect"),
        ('train.item_rows="touched"', None),
    ],
)
def test_a_key_of_another_loss_is_refused(override, said):
    sampled = load_recipe("sasrec", ['train.loss="sampled_softmax"', override])
    if said is None:
        assert check(sampled).train["item_rows"] == "touched"
        with pytest.raises(RecipeError, match="looks at every item"):
            check(load_recipe("sasrec", [override]))
    else:
        with pytest.raises(RecipeError, match=said):
            check(sampled)
        assert check(load_recipe("sasrec", [override])).train["precision"] == "bfloat16"


def test_bfloat16_products_learn_what_float32_products_learn():
    split = horae.split_leave_one_out(LOG)
    exact, half = (
        network(split, "train.epochs=15", "train.learning_rate=0.01", f'train.precision="{precision}"')
        for precision in ("float32", "bfloat16")
    )
    assert not torch.equal(exact.model.item_vectors(), half.model.item_vectors())
    quality = [one.card["training"]["validation"]["ndcg@10"] for one in (exact, half)]
    assert quality[1] > 0.9 * quality[0]


def test_a_catalog_of_one_item_trains_and_answers():
    rows = [(f"u{user}", "only", 1_600_000_000 + 86_400 * day + user) for user in range(30) for day in range(6)]
    split = horae.split_leave_one_out(
        horae.read_events(events_of(rows).frame, settings=DataSettings(repeat_targets=True))
    )
    recommender = network(split)
    assert recommender.recommend(users=["u3"], k=5, seen=True).frame["item_id"].to_list() == ["only"]


def test_histories_of_one_event_have_nothing_to_learn_from():
    rows = [(f"u{user}", f"i{user % 5}", 1_600_000_000 + user) for user in range(60)]
    with pytest.raises(DataError, match="nothing to learn from"):
        network(events_of(rows))


class Stops(Quiet):
    """Ctrl-C after so many epochs."""

    def __init__(self, epochs):
        self.left = epochs

    def epoch(self, line):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_stopped_while_learning_again_what_validation_judged_is_kept():
    split = horae.split_by_time(LOG)
    slow = [*SMALL, "train.learning_rate=0.0001", "train.epochs=3"]  # gets better in every epoch
    plain = horae.train(split, "sasrec", overrides=[*slow, "train.relearn=false"], options=QUIET)
    stopped = horae.train(split, "sasrec", overrides=slow, options=Options(progress=Stops(4)))
    assert stopped.card["training"]["interrupted"]
    assert torch.equal(stopped.model.item_vectors(), plain.model.item_vectors())


def test_a_refit_that_is_stopped_is_no_refit():
    recommender = network(horae.split_by_time(LOG), "train.relearn=false")
    with pytest.raises(KeyboardInterrupt):
        refit(recommender, options=Options(progress=Stops(1)))


def test_behaviors_have_weights_that_are_kept_with_the_run_and_unknown_ones_are_refused(tmp_path):
    log = horae.Events(
        LOG.frame.with_columns(behavior=pl.Series(["view", "purchase"] * (len(LOG.frame) // 2), dtype=SHOP))
    )
    weighted = network(log, "train.target_weights={purchase = 5, view = 0.5}")
    assert not torch.equal(weighted.model.item_vectors(), network(log).model.item_vectors())
    again = horae.load(weighted.save(tmp_path / "run"))
    assert again.recipe.train["target_weights"] == {"purchase": 5.0, "view": 0.5}
    with pytest.raises(RecipeError, match="names 'buy', which the log does not have") as caught:
        network(log, "train.target_weights={buy = 5}")
    assert "view, purchase" in str(caught.value)
    with pytest.raises(RecipeError, match="all are 0"):
        network(log, "train.target_weights={purchase = 0, view = 0}")
    for wrong in ("-1", "inf", '"much"'):
        with pytest.raises(RecipeError, match="target_weights"):
            network(log, f"train.target_weights={{view = {wrong}}}")
    with pytest.raises(RecipeError, match="expected a table"):
        network(log, "train.target_weights=5")
    with pytest.raises(RecipeError, match="has no effect with"):
        network(log, "train.target_weights={view = 2}", "model.head=value", "train.loss=mean_squared_error")
