"""RecTools' SASRec on the log handed over; runs in RecTools' environment."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import told
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

warnings.filterwarnings("ignore")
torch.set_num_threads(1)


def frame(histories: list[np.ndarray]) -> pd.DataFrame:
    """Its table; the times are the places, so that equal times cannot change the order."""
    lengths = [len(row) for row in histories]
    second_N = np.concatenate([np.arange(length) for length in lengths])
    return pd.DataFrame(
        {
            Columns.User: np.repeat(np.arange(len(histories)), lengths),
            Columns.Item: np.concatenate(histories),
            Columns.Weight: 1.0,
            Columns.Datetime: pd.Timestamp("2000-01-01") + pd.to_timedelta(second_N, unit="s"),
        }
    )


class Hook(Callback):
    """A callback that survives RecTools' copy of its trainer."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Hook:
        return self


class Timed(Hook):
    def __init__(self) -> None:
        self.steps = told.Steps()

    def on_train_batch_start(self, *_: Any) -> None:
        self.steps.note()

    def on_train_end(self, *_: Any) -> None:
        self.steps.note()


class Judged(Hook):
    def __init__(self, curve: told.Curve) -> None:
        self.curve = curve

    def on_train_start(self, *_: Any) -> None:
        self.curve.started = told.time.process_time()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        trainer.should_stop = self.curve.epoch()


def model_of(
    dim: int, max_len: int, batch: int, dropout: float, loss: str, negatives: int, hook: Hook | None, steps: int = -1
) -> SASRecModel:
    torch.manual_seed(0)

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=1000,
            max_steps=steps,
            accelerator="cpu",
            devices=1,
            callbacks=[hook] if hook else [],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    return SASRecModel(
        n_blocks=2,
        n_heads=2,
        n_factors=dim,
        session_max_len=max_len,
        batch_size=batch,
        dropout_rate=dropout,
        loss=loss,
        n_negatives=negatives,
        recommend_batch_size=512,
        get_trainer_func=trainer,
    )


def steps(
    file: str,
    dim: int,
    max_len: int,
    batch: int,
    count: int,
    dropout: float = 0.2,
    loss: str = "softmax",
    negatives: int = 1,
) -> dict[str, Any]:
    rows, timed = told.Log(file).histories(told.VALIDATION), Timed()
    model = model_of(dim, max_len, batch, dropout, loss, negatives, timed, told.WARM_UP + count)
    model.fit(Dataset.construct(frame(rows)))
    return timed.steps.told(told.steps_in(sum(len(row) > 1 for row in rows), batch))


def curve(
    file: str, out: str, dim: int, max_len: int, batch: int, patience: int, cpu_limit: float, dropout: float = 0.2
) -> dict[str, Any]:
    log = told.Log(file)
    hook = Judged(told.Curve(out, patience, cpu_limit, lambda: told.judged_both(log, top_of)))
    model = model_of(dim, max_len, batch, dropout, "softmax", 1, hook)

    def top_of(histories: list[np.ndarray], users: np.ndarray) -> np.ndarray:
        """By its own encoding and item vectors; items outside its training cannot be answered."""
        prepared, net = model.data_preparator, model.torch_model
        inner_of = np.zeros(log.num_items, dtype=np.int64)  # 0 is its padding
        known = prepared.get_known_item_ids().astype(np.int64)
        inner_of[known] = prepared.item_id_map.convert_to_internal(known)
        net.eval()
        tops = []
        with torch.no_grad():
            vector_ID = net.item_model.get_all_embeddings()
            for start in range(0, len(histories), 512):
                rows = histories[start : start + 512]
                x_BL = np.zeros((len(rows), max_len), dtype=np.int64)
                for place, row in enumerate(rows):
                    x_BL[place, max_len - len(row[-max_len:]) :] = inner_of[row[-max_len:]]
                state_BD = net.encode_sessions({"x": torch.from_numpy(x_BL)}, vector_ID)[:, -1]
                score_BI = (state_BD @ vector_ID.T).numpy()[:, inner_of]
                score_BI[:, inner_of == 0] = -np.inf
                tops.append(told.top_unseen(score_BI, rows))
        net.train()
        return np.concatenate(tops)

    model.fit(Dataset.construct(frame(log.histories(told.VALIDATION))))
    return hook.curve.told()


def answers(file: str, dim: int, max_len: int, batch: int) -> dict[str, Any]:
    """One step of training: speed does not depend on the weights. Loading is not counted."""
    log = told.Log(file)
    dataset = Dataset.construct(frame(log.histories(told.TEST + 1)))
    model = model_of(dim, max_len, batch, 0.2, "BCE", 1, None, steps=1)
    model.fit(dataset)
    clock = told.Clock()
    answer = model.recommend(np.arange(log.num_users), dataset, k=10, filter_viewed=True)
    taken = clock.read()
    assert answer[Columns.User].nunique() == log.num_users
    return {"users": log.num_users, **taken}


if __name__ == "__main__":
    told.serve(steps=steps, curve=curve, answers=answers)
