"""RecBole's SASRec on the log handed over; runs in RecBole's environment. Each prefix of a line is a row of its own."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import told
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

logging.disable(logging.CRITICAL)
torch.set_num_threads(1)


class Enough(Exception):
    """The steps that were asked for are done."""


def atomic(folder: str, log: told.Log) -> None:
    """Its own file format; the times are the places. It cuts the last two events of each line off, as we do."""
    Path(folder, "log").mkdir()
    user_N = np.repeat(np.arange(log.num_users), np.diff(log.offset_U))
    place_N = np.arange(len(log.item_N)) - log.offset_U[:-1][user_N]
    with Path(folder, "log", "log.inter").open("w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for user, item, place in zip(user_N, log.item_N, place_N, strict=True):
            file.write(f"{user}\t{item}\t{place}\n")


def steps(file: str, dim: int, max_len: int, batch: int, count: int, dropout: float = 0.5) -> dict[str, Any]:
    log, noted = told.Log(file), told.Steps()
    with tempfile.TemporaryDirectory() as folder:
        atomic(folder, log)
        settings = {
            "data_path": folder,
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"},
            "MAX_ITEM_LIST_LENGTH": max_len,
            "hidden_size": dim,
            "inner_size": dim,
            "n_layers": 2,
            "n_heads": 2,
            "hidden_dropout_prob": dropout,
            "attn_dropout_prob": dropout,
            "loss_type": "CE",
            "train_neg_sample_args": None,
            "train_batch_size": batch,
            "use_gpu": False,
            "checkpoint_dir": folder,
            "show_progress": False,
        }
        config = Config(model="SASRec", dataset="log", config_dict=settings)
        init_seed(0, True)
        dataset = create_dataset(config)
        rows = data_preparation(config, dataset)[0]
        model = get_model("SASRec")(config, rows.dataset)
        trainer = get_trainer(config["MODEL_TYPE"], "SASRec")(config, model)

        def loss(interaction: Any) -> Any:
            noted.note()
            if len(noted.cpu) > told.WARM_UP + count:
                raise Enough
            return model.calculate_loss(interaction)

        with contextlib.suppress(Enough):
            trainer._train_epoch(rows, 0, loss_func=loss)
    return noted.told(len(rows))


if __name__ == "__main__":
    told.serve(steps=steps)
