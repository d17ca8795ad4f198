"""Models in the Hugging Face layout, opened without trust: safetensors only, nobody's code, nothing from the network.

In: a folder, or the name of a model that the user's own cache holds. Out: its settings, and the network with all of its
weights. It does not know what the network is for.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from horae.errors import DataError, MissingExtraError, StoreError

__all__ = [
    "check_folder",
    "content_digest",
    "document",
    "folder_of",
    "network",
    "onnx_session",
    "quiet_transformers",
    "tokenizer_of",
    "width_of",
]

PICKLED: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
TO_SAFETENSORS: Final = "Where you trust them, convert them: AutoModel.from_pretrained(FOLDER).save_pretrained(OTHER)."


def folder_of(name: str) -> Path:
    """The folder of a model, given by path, or by a name that the user's own cache of the hub holds.

    Raises:
        DataError: Neither; Horae itself downloads nothing.
    """
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    refusal = DataError(
        f"{name!r} is neither an encoder of Horae nor a folder, and this machine's cache of models does not hold it.",
        hint="Horae downloads nothing. Give auto, hashed, minilm, multilingual, or a folder; to get one, where you are "
        f"online: hf download {name} --local-dir FOLDER",
    )
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise refusal from None
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError) as error:
        raise refusal from error


def document(folder: Path, name: str) -> dict[str, Any]:
    """A file of settings; empty where there is none.

    Raises:
        DataError: It is no JSON object.
    """
    file = folder / name
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DataError(f"{file} is damaged: {error}.", hint="Get the folder anew.") from error
    if not isinstance(found, dict):
        raise DataError(f"{file} is damaged: expected an object.", hint="Get the folder anew.")
    return found


def check_folder(folder: Path, *, onnx: bool = False) -> dict[str, Any]:
    """The model's `config.json`, once it is clear that its weights are there and that nobody's code would run.

    Args:
        folder: In the layout of Hugging Face.
        onnx: Its weights are those of an ONNX file, which `onnx_session` looks for.

    Raises:
        DataError: Incomplete, pickled, or in need of code that comes with it.
    """
    config = document(folder, "config.json")
    if not config.get("model_type"):
        raise DataError(
            f"{folder} is no model of the Hugging Face layout: config.json with a model_type is missing.",
            hint="Give the folder that holds config.json, the tokenizer's files and *.safetensors.",
        )
    if "auto_map" in config:
        raise DataError(
            f"{folder} runs Python code of its own (auto_map in config.json), which Horae refuses.",
            hint="Take a model whose architecture transformers has, or compute the vectors yourself and give them as a "
            "Parquet file.",
        )
    if onnx:
        return config
    weights = sorted(folder.glob("*.safetensors"))
    index = document(folder, "model.safetensors.index.json").get("weight_map", {})
    missing = sorted(name for name in set(index.values()) if not (folder / name).is_file())
    if missing:
        raise DataError(f"{folder} is incomplete: {missing[0]} is missing.", hint="Get the folder anew.")
    if not weights:
        pickled = [file.name for file in sorted(folder.iterdir()) if file.suffix in PICKLED]
        if pickled:
            raise DataError(
                f"{folder} holds its weights as {pickled[0]}, which may run code when it is read; Horae refuses it.",
                hint=TO_SAFETENSORS,
            )
        raise DataError(f"{folder} is incomplete: it has no *.safetensors.", hint="Get the folder anew.")
    return config


def content_digest(folder: Path) -> str:
    """Of everything that decides over the vectors: weights, settings, vocabulary."""
    whole = hashlib.blake2b(digest_size=16)
    endings = {".safetensors", ".onnx", ".json", ".txt", ".model"}
    for file in sorted(file for file in folder.rglob("*") if file.suffix in endings and file.is_file()):
        with file.open("rb") as stream:
            whole.update(file.relative_to(folder).as_posix().encode() + hashlib.file_digest(stream, "blake2b").digest())
    return whole.hexdigest()


def network(folder: Path, *, loader: str = "AutoModel") -> Any:
    """The network in float32, for use only.

    Args:
        folder: Checked.
        loader: The class of transformers that reads it.

    Raises:
        DataError: An unknown architecture, damaged weights, or some that are missing.
        MissingExtraError: transformers is not installed.
    """
    transformers = _transformers()
    from safetensors import SafetensorError

    kind = document(folder, "config.json")["model_type"]
    if kind not in transformers.CONFIG_MAPPING:
        raise DataError(
            f"{folder} is of the architecture {kind!r}, which transformers {transformers.__version__} does not have.",
            hint="Upgrade transformers, or take another model.",
        )
    try:
        with quiet_transformers():
            model, told = getattr(transformers, loader).from_pretrained(
                folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, output_loading_info=True
            )
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        if isinstance(error, StoreError):
            raise
        first = str(error).strip().partition("\n")[0]
        raise DataError(f"{folder} cannot be loaded: {first}", hint="Get the folder anew.") from error
    missing = sorted(name for name in told["missing_keys"] if "pooler" not in name and "position_ids" not in name)
    if missing:
        raise DataError(
            f"{folder} is incomplete: {len(missing)} weights are missing, such as {missing[0]}.",
            hint="Get the folder anew.",
        )
    return model.eval().float()


def onnx_session(folder: Path) -> Any:
    """The network as an ONNX file in the folder, or in its folder `onnx`; the quantized one where there are several.

    Raises:
        DataError: There is none, or it is damaged.
        MissingExtraError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as refusals
    except ImportError as error:
        raise MissingExtraError(
            "ONNX files need onnxruntime, which is not installed.", hint="Install it with: pip install 'horae[export]'"
        ) from error
    there = [*folder.glob("onnx/*.onnx"), *folder.glob("*.onnx")]
    if not there:
        raise DataError(f"{folder} has no ONNX file.", hint="Take another precision.")
    file = min(there, key=lambda file: ("int8" not in file.name and "quantized" not in file.name, file.name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except (refusals.Fail, refusals.InvalidGraph, refusals.InvalidProtobuf, refusals.RuntimeException) as error:
        first = str(error).strip().partition("\n")[0]
        raise DataError(f"{file} cannot be loaded: {first}", hint="Get the folder anew.") from error


def tokenizer_of(folder: Path) -> Any:
    """What cuts a text into the network's tokens.

    Raises:
        DataError: Its files are missing or damaged.
    """
    transformers = _transformers()
    names = ("tokenizer.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "vocab.json")
    if not any((folder / name).is_file() for name in names):
        raise DataError(f"{folder} is incomplete: it has no tokenizer (tokenizer.json).", hint="Get the folder anew.")
    if "auto_map" in document(folder, "tokenizer_config.json"):
        raise DataError(
            f"The tokenizer of {folder} runs Python code of its own, which Horae refuses.", hint="Take another."
        )
    try:
        with quiet_transformers():
            return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        first = str(error).strip().partition("\n")[0]
        raise DataError(f"The tokenizer of {folder} cannot be read: {first}", hint="Get the folder anew.") from error


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError(
            "This encoder needs transformers, which is not installed.",
            hint="Install it with: pip install 'horae[text]'",
        ) from error
    return transformers


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Its bars and reports kept off the screen: what matters of them is raised here."""
    logging: Any = importlib.import_module("transformers.utils.logging")
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def width_of(config: Mapping[str, Any]) -> int | None:
    """C as the settings say it."""
    for name in ("hidden_size", "dim", "d_model", "n_embd"):
        if isinstance(config.get(name), int):
            return int(config[name])
    return None
