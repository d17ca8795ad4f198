"""RePlay's SASRec on the log handed over; runs in RePlay's environment."""

from __future__ import annotations

import tempfile
import warnings
from typing import Any

import lightning
import numpy as np
import polars
import pyarrow as pa
import pyarrow.parquet
import told
import torch
from replay.data import Dataset, FeatureHint, FeatureInfo, FeatureSchema, FeatureSource, FeatureType
from replay.data.nn import ParquetModule, SequenceTokenizer, TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.data.nn.utils import groupby_sequences
from replay.nn.lightning import LightningModule
from replay.nn.lightning.callback import TorchTopItemsCallback
from replay.nn.lightning.optimizer import OptimizerFactory
from replay.nn.loss import CE, CESampled, LogInCE
from replay.nn.sequential import SasRec
from replay.nn.sequential.length_bucket import LengthBucketedQueryEncoder
from replay.nn.transform import AdaptiveTrimTransform, UniformNegativeSamplingTransform
from replay.nn.transform.template import make_default_sasrec_transforms
from replay.preprocessing import LabelEncoder, LabelEncodingRule

warnings.filterwarnings("ignore")
torch.set_num_threads(1)


def schema_of(num_items: int, dim: int) -> TensorSchema:
    item = TensorFeatureInfo(
        "item_id",
        is_seq=True,
        feature_type=FeatureType.CATEGORICAL,
        embedding_dim=dim,
        padding_value=num_items,
        cardinality=num_items,
        feature_hint=FeatureHint.ITEM_ID,
        feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
    )
    return TensorSchema([item])


def loss_of(name: str, num_items: int) -> torch.nn.Module:
    """`ce` is its default; `login_ce` is the same full softmax, of the real targets alone; the last one samples."""
    if name == "ce":
        return CE(ignore_index=num_items)
    if name == "login_ce":
        return LogInCE(num_items, log_epsilon=1e-12)
    return CESampled(ignore_index=num_items)


def network(log: told.Log, dim: int, max_len: int, dropout: float, bucket: int, loss: str) -> SasRec:
    torch.manual_seed(0)
    made = SasRec.from_params(
        schema_of(log.num_items, dim),
        embedding_dim=dim,
        num_heads=2,
        num_blocks=2,
        max_sequence_length=max_len,
        dropout=dropout,
    )
    made.loss = loss_of(loss, log.num_items)
    made.loss.logits_callback = made.get_logits
    if bucket:
        made.body.encoder = LengthBucketedQueryEncoder(made.body.encoder, bucket_size=bucket)
    return made


def data(
    folder: str,
    log: told.Log,
    histories: list[np.ndarray],
    stage: str,
    max_len: int,
    batch: int,
    negatives: int = 0,
    trimmed: bool = False,
) -> ParquetModule:
    """The rows as a Parquet file; RePlay reads, cuts to the newest and pads."""
    rows = [(user, row) for user, row in enumerate(histories) if len(row) > (stage == "train")]
    columns = {"user_id": [user for user, _ in rows], "item_id": [row for _, row in rows]}
    pa.parquet.write_table(pa.table(columns), f"{folder}/{stage}.parquet")
    length = max_len + (stage == "train")
    transforms = make_default_sasrec_transforms(schema_of(log.num_items, 8))
    if negatives:
        drawn = UniformNegativeSamplingTransform(cardinality=log.num_items, num_negative_samples=negatives)
        transforms["train"] = [*transforms["train"], drawn]
    if trimmed:  # the mask has this name until a later transform renames it
        trim = AdaptiveTrimTransform("item_id", padding_mask_name="item_id_mask")
        transforms[stage] = [trim, *transforms[stage]]
    return ParquetModule(
        batch_size=batch,
        metadata={stage: {"user_id": {}, "item_id": {"shape": length, "padding": log.num_items}}},
        transforms=transforms,
        **{f"{stage}_path": f"{folder}/{stage}.parquet"},
    )


def trainer(
    epochs: int, callbacks: list[lightning.Callback], steps: int = -1, precision: str = "32-true"
) -> lightning.Trainer:
    return lightning.Trainer(
        precision=precision,
        max_epochs=epochs,
        max_steps=steps,
        accelerator="cpu",
        devices=1,
        callbacks=callbacks,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


class Timed(lightning.Callback):
    def __init__(self) -> None:
        self.steps = told.Steps()

    def on_train_batch_start(self, *_: Any) -> None:
        self.steps.note()

    def on_train_end(self, *_: Any) -> None:
        self.steps.note()


def steps(
    file: str,
    dim: int,
    max_len: int,
    batch: int,
    count: int,
    dropout: float = 0.3,
    bucket: int = 0,
    loss: str = "ce",
    negatives: int = 0,
    precision: str = "32-true",
) -> dict[str, Any]:
    log, timed = told.Log(file), Timed()
    with tempfile.TemporaryDirectory() as folder:
        rows = log.histories(told.VALIDATION)
        module = data(folder, log, rows, "train", max_len, batch, negatives)
        model = LightningModule(network(log, dim, max_len, dropout, bucket, loss), OptimizerFactory())
        trainer(1000, [timed], told.WARM_UP + count, precision).fit(model, datamodule=module)
    return timed.steps.told(told.steps_in(sum(len(row) > 1 for row in rows), batch))


class Judged(lightning.Callback):
    def __init__(self, curve: told.Curve) -> None:
        self.curve = curve

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = self.curve.epoch()


def curve(
    file: str,
    out: str,
    dim: int,
    max_len: int,
    batch: int,
    patience: int,
    cpu_limit: float,
    dropout: float = 0.3,
    bucket: int = 0,
    loss: str = "ce",
) -> dict[str, Any]:
    log = told.Log(file)
    net = network(log, dim, max_len, dropout, bucket, loss)

    def top_of(histories: list[np.ndarray], users: np.ndarray) -> np.ndarray:
        net.eval()
        tops = []
        with torch.no_grad():
            for start in range(0, len(histories), 512):
                rows = histories[start : start + 512]
                item_BL = np.full((len(rows), max_len), log.num_items)
                for place, row in enumerate(rows):
                    item_BL[place, max_len - len(row[-max_len:]) :] = row[-max_len:]
                padded_BL = torch.from_numpy(item_BL)
                scores = net({"item_id": padded_BL}, padded_BL != log.num_items)["logits"]
                tops.append(told.top_unseen(scores.numpy(), rows))
        net.train()
        return np.concatenate(tops)

    noted = told.Curve(out, patience, cpu_limit, lambda: told.judged_both(log, top_of))
    with tempfile.TemporaryDirectory() as folder:
        module = data(folder, log, log.histories(told.VALIDATION), "train", max_len, batch)
        noted.started = told.time.process_time()
        trainer(1000, [Judged(noted)]).fit(LightningModule(net, OptimizerFactory()), datamodule=module)
    return noted.told()


def answers(file: str, dim: int, max_len: int, batch: int, trimmed: bool = False) -> dict[str, Any]:
    """Untrained weights: speed does not depend on them. Loading is not counted."""
    log = told.Log(file)
    model = LightningModule(network(log, dim, max_len, 0.3, 0, "ce"), OptimizerFactory())
    with tempfile.TemporaryDirectory() as folder:
        module = data(folder, log, log.histories(told.TEST + 1), "predict", max_len, batch, trimmed=trimmed)
        top = TorchTopItemsCallback(top_k=10, query_column="user_id")
        clock = told.Clock()
        trainer(1, [top]).predict(model, datamodule=module, return_predictions=False)
        taken = clock.read()
        assert len(top.get_result()[0]) == log.num_users
    return {"users": log.num_users, **taken}


def prepare(file: str, behind: str, way: str) -> dict[str, Any]:
    """From a log's Parquet file to the Parquet file that its training reads: ids encoded, events grouped by user.

    `tokenizer` is the documented way; `encoder` its encoder and its grouping alone, without the pandas objects between.
    """
    clock = told.Clock()
    events = polars.read_parquet(file, columns=["user_id", "item_id", "timestamp"])
    with tempfile.TemporaryDirectory(dir=behind) as folder:
        {"tokenizer": _tokenized, "encoder": _encoded}[way](events, f"{folder}/train.parquet")
        taken = clock.read()
        written = polars.read_parquet(f"{folder}/train.parquet", columns=["item_id"])
        assert written["item_id"].list.len().sum() == len(events)
    return {"events": len(events), **taken}


def _encoded(events: polars.DataFrame, out: str) -> None:
    encoded = LabelEncoder([LabelEncodingRule("user_id"), LabelEncodingRule("item_id")]).fit_transform(events)
    sequences = groupby_sequences(encoded, groupby_col="user_id", sort_col="timestamp").sort("user_id")
    sequences.select("user_id", "item_id").write_parquet(out)


def _tokenized(events: polars.DataFrame, out: str) -> None:
    columns = [
        FeatureInfo("user_id", FeatureType.CATEGORICAL, FeatureHint.QUERY_ID),
        FeatureInfo("item_id", FeatureType.CATEGORICAL, FeatureHint.ITEM_ID),
        FeatureInfo("timestamp", FeatureType.NUMERICAL, FeatureHint.TIMESTAMP),
    ]
    item = TensorFeatureInfo(
        "item_id",
        FeatureType.CATEGORICAL,
        is_seq=True,
        feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
        feature_hint=FeatureHint.ITEM_ID,
    )
    dataset = Dataset(FeatureSchema(columns), events, check_consistency=False)
    made = SequenceTokenizer(TensorSchema([item])).fit_transform(dataset)
    made._sequences.reset_index().to_parquet(out)  # its save() does this, after turning every array into a list


if __name__ == "__main__":
    told.serve(steps=steps, curve=curve, answers=answers, prepare=prepare)
