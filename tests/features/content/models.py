"""Tiny models in the layout of Hugging Face, with random weights."""

import json
from pathlib import Path
from typing import Any

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "red",
    "blue",
    "shoes",
    "coffee",
    "machine",
    "query",
    ":",
    "item",
]


def bert(folder: Path, **settings: Any) -> Path:
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=20, **sizes, **settings)).save_pretrained(
        folder
    )
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def vision(folder: Path, kind: str) -> Path:
    """A tiny network for pictures of 32 by 32."""
    import torch
    import transformers as hf

    folder.mkdir(parents=True)
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    seen, wide = {"image_size": 32, "patch_size": 8}, {**sizes, "intermediate_size": 16}
    if kind == "vit":
        model = hf.ViTModel(hf.ViTConfig(**seen, **wide))
    elif kind == "dino":
        model = hf.Dinov2Model(hf.Dinov2Config(**seen, **sizes, mlp_ratio=2))
    elif kind == "resnet":
        model = hf.ResNetModel(hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1]))
    else:
        text, picture = {"vocab_size": 20, "projection_dim": 6, **wide}, {"projection_dim": 6, **seen, **wide}
        model = hf.CLIPModel(hf.CLIPConfig(text_config=text, vision_config=picture, projection_dim=6))
    model.save_pretrained(folder)
    steps = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(steps))
    return folder


def modules(folder: Path, *steps: tuple[str, str, dict[str, Any]]) -> None:
    """Write the modules of sentence-transformers: kind, path, settings."""
    listed = [{"idx": n, "name": str(n), "path": path, "type": kind} for n, (kind, path, _) in enumerate(steps)]
    (folder / "modules.json").write_text(json.dumps(listed))
    for _, path, settings in steps:
        (folder / path).mkdir(exist_ok=True)
        if settings:
            (folder / path / "config.json").write_text(json.dumps(settings))
