import pytest
from tests.logs import chain_log

import horae
from horae.training.progress import Quiet
from horae.training.train import Options


@pytest.fixture(scope="session")
def split():
    return horae.split_by_time(chain_log(users=120, items=15, length=12))


@pytest.fixture(scope="session")
def recommender(split):
    """A small network that has learned the chain."""
    small = ["model.dim=16", "model.max_len=10", "model.num_layers=1", "model.dropout=0.0"]
    quick = ["train.epochs=12", "train.batch_tokens=256", "train.learning_rate=0.01"]
    return horae.train(split, "sasrec", overrides=[*small, *quick], options=Options(progress=Quiet()))
