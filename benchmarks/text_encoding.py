"""Titles of amazon-beauty-2014 to vectors by the packaged English encoder, on one thread: texts a CPU second beside the
plain call of the same library (`AutoModel`, batches of 32 in the given order). Bar: level; goal: twice.

HORAE_TEXTS names another number of titles than 500. The first texts warm up and are not counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from benchmarks.record import medians
from horae.features.content.choosing import text_encoder
from horae.features.content.folder import FolderEncoder
from horae.features.content.hashed import HashedEncoder
from horae.features.content.multilingual import MultilingualEncoder

TEXTS = int(os.environ.get("HORAE_TEXTS", "500"))
ROUNDS = int(os.environ.get("HORAE_ROUNDS", "3"))
Encode = Callable[[Sequence[str]], np.ndarray]


def measure(data: Path) -> dict[str, Any]:
    torch.set_num_threads(1)
    items = pl.read_parquet(data / "amazon-beauty-2014" / "items.parquet", columns=["title"])
    titles = items["title"].drop_nulls().head(TEXTS).to_list()
    ours = text_encoder("minilm", titles)
    assert isinstance(ours, FolderEncoder)
    exact = FolderEncoder(ours.folder, precision="float32")
    sides: dict[str, Encode] = {
        "plain": _plain(ours.folder, ours.max_tokens),
        "horae": ours.encode,
        "horae_float32": exact.encode,
        "hashed": HashedEncoder().fit(titles).encode,
        "multilingual": MultilingualEncoder().encode,
    }
    for encode in sides.values():
        encode(titles[:32])
    rates = medians(ROUNDS, lambda: {name: _rate(encode, titles) for name, encode in sides.items()})
    plain = sides["plain"](titles)
    return {
        "texts": len(titles),
        "texts_per_cpu_second": rates,
        "ratio": rates["horae"]["median"] / rates["plain"]["median"],
        "ratio_float32": rates["horae_float32"]["median"] / rates["plain"]["median"],
        "least_cosine": float((plain * ours.encode(titles)).sum(axis=1).min()),
    }


def _rate(encode: Encode, titles: Sequence[str]) -> float:
    started = time.process_time()
    encode(titles)
    return len(titles) / (time.process_time() - started)


def _plain(folder: Path, max_tokens: int) -> Encode:
    from transformers import AutoModel, AutoTokenizer

    cut = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()

    def encode(texts: Sequence[str]) -> np.ndarray:
        found = []
        with torch.inference_mode():
            for begin in range(0, len(texts), 32):
                some = list(texts[begin : begin + 32])
                given = cut(some, padding=True, truncation=True, max_length=max_tokens, return_tensors="pt")
                weight = given["attention_mask"][..., None].float()
                h_BLD = model(**given).last_hidden_state
                found.append(torch.nn.functional.normalize((h_BLD * weight).sum(1) / weight.sum(1), dim=1))
        return torch.cat(found).numpy()

    return encode
