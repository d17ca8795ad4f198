"""A recommender in, a run folder out, and back. A run is whole or it is not there.

    recipe.toml           how it was made, every default filled in
    weights.safetensors   the model's arrays (`model.*`), the fallback's (`fallback.*`), counts by profile (`profile.*`)
    vocabulary.parquet    item ids in the order of their indices
    catalog.parquet       items' attributes, where given
    content.safetensors   vectors of what items say and show, and how new ones are made, where the recipe asks for them
    events.parquet        the cleaned events with a column `part` (left out with `events=False`)
    split.json            the split's kind, boundaries, ties and facts
    card.json             data facts, metrics, cost, versions
    log.jsonl             what training wrote, line by line
    report.html           the page for people
    backtest.json         what `horae evaluate --backtest` found, where it was asked
    backtest.html         its page for people
    manifest.json         format version and the SHA-256 of each file above

Everything is written to a temporary name beside the target, synced, then renamed. Nothing here is ever unpickled.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import safetensors
import safetensors.numpy
import safetensors.torch
import torch

from horae.data.folder import MANIFEST, digest, left_behind, recover, swap, sync
from horae.data.split import Split
from horae.errors import RunError, StoreError
from horae.features.content.of_items import ItemContent
from horae.models.compose import compose
from horae.models.opponents import make_opponent
from horae.recipe import TABLES, Recipe, to_toml
from horae.recommend.by_profile import ByProfile
from horae.recommend.calibration import Calibration
from horae.recommend.device import device_of
from horae.recommend.recommender import Recommender
from horae.schema import DataReport, Events
from horae.sequences.context import ContextColumns
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

__all__ = ["check_writable", "load", "read_card", "save", "save_again", "storing", "update", "verify"]

FORMAT = 1
NEEDED = ("recipe.toml", "weights.safetensors", "vocabulary.parquet", "split.json", "card.json", "log.jsonl")


def save(recommender: Recommender, path: Path, *, events: bool = True, overwrite: bool = False) -> Path:
    """Write a run folder.

    Args:
        recommender: What to save.
        path: The folder; its parent is made where missing.
        events: Write the cleaned events too; verbs that need them otherwise ask for them.
        overwrite: Replace a run that is there already. Without it, that is an error.

    Raises:
        RunError: Something stands at `path`.
        StoreError: The disk is full or the folder cannot be written.
    """
    check_writable(path, overwrite=overwrite)
    with _replacing(path) as folder:
        _write_parts(recommender, folder, events)
        _write_manifest(folder)
    return path


def save_again(recommender: Recommender, path: Path) -> None:
    """Put a run that was changed after loading in the place of what it was; its reports stay.

    Raises:
        StoreError: The disk is full or the folder cannot be written; the run is as it was.
    """
    with _replacing(path) as folder:
        _write_parts(recommender, folder, (path / "events.parquet").exists())
        for entry in path.iterdir():
            if entry.is_file() and entry.name != MANIFEST and not (folder / entry.name).exists():
                _link(entry, folder / entry.name)
        _write_manifest(folder)


def update(path: Path, files: Mapping[str, str]) -> None:
    """Replace some text files of a run (its report, its card), all at once: readers see the old run or the new.

    Raises:
        StoreError: The disk is full or the folder cannot be written; the run is as it was.
    """
    with _replacing(path, f"{', '.join(sorted(files))} in {path}") as folder:
        for entry in path.iterdir():
            if entry.is_file() and entry.name not in files and entry.name != MANIFEST:
                _link(entry, folder / entry.name)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        _write_manifest(folder)


def load(path: str | Path, *, device: str | torch.device = "cpu") -> Recommender:
    """Read a run folder (public as `horae.load`).

    Args:
        path: The folder.
        device: Where the model is to compute: `cpu`, `cuda`, or `auto` for a GPU where there is one.

    Raises:
        HoraeError: No such device here.
        RunError: No run there; a file is missing, truncated or edited; or a newer version of Horae wrote it.
    """
    folder = Path(path)
    verify(folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    written = tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))
    recipe = Recipe(written["name"], written["about"], **{table: written.get(table, {}) for table in TABLES})
    items = Vocabulary(pl.read_parquet(folder / "vocabulary.parquet")["item_id"])
    behaviors, context = tuple(card["behaviors"]), ContextColumns.from_dict(card.get("context", {}))
    arrays = safetensors.torch.load_file(folder / "weights.safetensors")
    where = device_of(device)
    content = _read_content(folder, card)
    model = compose(recipe.model, len(items), len(behaviors), content)
    model.load_arrays(_under(arrays, "model."), len(items))
    if isinstance(model, torch.nn.Module):
        model.to(where).eval()
    fallback = make_opponent(card["fallback"]["name"], card["fallback"]["settings"])
    fallback.load_arrays(_under(arrays, "fallback."), len(items))
    events, split = _read_events(folder, card)
    catalog = folder / "catalog.parquet"
    empty = Events(_no_events(items), DataReport())
    return Recommender(
        model=model,
        fallback=fallback,
        sequences=Sequences.from_events(events or empty, items, behaviors, context),
        recipe=recipe,
        include_seen=card["include_seen"],
        events=events,
        split=split,
        calibration=_calibration(card.get("calibration")),
        catalog=pl.read_parquet(catalog) if catalog.exists() else None,
        content=content,
        card=card,
        device=where,
        by_profile=ByProfile.loaded(card["profile"], _under(arrays, "profile.")) if card.get("profile") else None,
        log=[json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()],
    )


def verify(folder: Path) -> dict[str, Any]:
    """Check every file of a run against the manifest; return the manifest.

    Raises:
        RunError: Names the first file that is missing, truncated or edited.
    """
    recover(folder)
    manifest_file = folder / MANIFEST
    if not folder.is_dir():
        raise RunError(f"There is no run {folder}.", hint="`horae runs list FOLDER` shows the runs in a folder.")
    if not manifest_file.is_file():
        raise RunError(
            f"{folder} is not a run: it has no {MANIFEST}.",
            hint="Give the folder that `horae train EVENTS -o RUN` wrote.",
        )
    try:
        manifest: dict[str, Any] = json.loads(manifest_file.read_text(encoding="utf-8"))
        version, files = int(manifest["format"]), dict(manifest["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{manifest_file} is damaged.", hint="Train the run again, or restore a copy.") from error
    if version > FORMAT:
        raise RunError(
            f"{folder} was written by a newer Horae (format {version}; this one reads up to {FORMAT}).",
            hint="Upgrade with: pip install --upgrade horae",
        )
    for name, written in {**dict.fromkeys(NEEDED), **files}.items():  # one that is not listed was edited, too
        if not (folder / name).is_file():
            raise RunError(f"{folder / name} is missing.", hint="Train the run again, or restore a copy.")
        if digest(folder / name) != written:
            raise RunError(
                f"{folder / name} is not what was written: truncated or edited.",
                hint="Train the run again, or restore a copy.",
            )
    return manifest


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a verified run."""
    verify(folder)
    card: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    return card


def check_writable(path: Path, *, overwrite: bool = False) -> None:
    """Refuse early, before an hour of training: something stands there, or the folder cannot be written."""
    recover(path)
    if path.exists() and not overwrite:
        raise RunError(f"{path} exists already.", hint="Choose another name, or add --overwrite to replace it.")
    if path.exists() and not (path / MANIFEST).exists():
        raise RunError(f"{path} exists and is not a run; it will not be replaced.", hint="Choose another name.")
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in left_behind(path):
            shutil.rmtree(left, ignore_errors=True)
        probe = path.parent / f".{path.name}.probe"
        probe.touch()
        probe.unlink()


def _write_parts(recommender: Recommender, folder: Path, events: bool) -> None:
    arrays = {f"model.{name}": array for name, array in recommender.model.arrays().items()}
    arrays |= {f"fallback.{name}": array for name, array in recommender.fallback.arrays().items()}
    if recommender.by_profile is not None:
        arrays |= {f"profile.{name}": array for name, array in recommender.by_profile.arrays().items()}
    cpu = {name: array.detach().cpu().contiguous().clone() for name, array in arrays.items()}
    weights = folder / "weights.safetensors"
    safetensors.torch.save_file(cpu, weights)
    recipe = recommender.recipe
    tables = {"name": recipe.name, "about": recipe.about, **{table: getattr(recipe, table) for table in TABLES}}
    (folder / "recipe.toml").write_text(to_toml(tables), encoding="utf-8")
    weights.chmod((folder / "recipe.toml").stat().st_mode)  # as readable as the rest: safetensors makes it private
    pl.DataFrame({"item_id": recommender.items.all}).write_parquet(folder / "vocabulary.parquet")
    if recommender.catalog is not None:
        recommender.catalog.write_parquet(folder / "catalog.parquet")
    if recommender.content is not None:
        contents = folder / "content.safetensors"
        safetensors.numpy.save_file(recommender.content.arrays(), contents)
        contents.chmod((folder / "recipe.toml").stat().st_mode)
    split = recommender.split
    if recommender.events is not None and events:
        part = split.part if split is not None else pl.repeat("train", len(recommender.events), eager=True)
        frame = recommender.events.frame.with_columns(part.alias("part"))
        frame.write_parquet(folder / "events.parquet", compression="zstd", compression_level=1)
    _write_json(folder / "split.json", {} if split is None else split.as_dict())
    card = dict(recommender.card)
    if recommender.by_profile is not None:
        card["profile"] = recommender.by_profile.as_dict()
    card["calibration"] = None if recommender.calibration is None else vars(recommender.calibration)
    if recommender.events is not None:
        card["data_report"] = recommender.events.report.as_dict()
    _write_json(folder / "card.json", card)
    lines = [json.dumps(line) + "\n" for line in recommender.log]
    (folder / "log.jsonl").write_text("".join(lines), encoding="utf-8")


def _read_content(folder: Path, card: Mapping[str, Any]) -> ItemContent | None:
    if "content" not in card:
        return None
    return ItemContent.of_arrays(safetensors.numpy.load_file(folder / "content.safetensors"), card["content"])


def _read_events(folder: Path, card: Mapping[str, Any]) -> tuple[Events | None, Split | None]:
    file = folder / "events.parquet"
    if not file.exists():
        return None, None
    frame = pl.read_parquet(file)
    events = Events(frame.drop("part"), DataReport.from_dict(card["data_report"]))
    facts = json.loads((folder / "split.json").read_text(encoding="utf-8"))
    return events, Split(events, frame["part"], **facts) if facts else None


def _calibration(fitted: Mapping[str, Any] | None) -> Calibration | None:
    if not fitted:
        return None
    knots = tuple((float(score), float(chance)) for score, chance in fitted.get("knots", ()))
    return Calibration(fitted["slope"], fitted["intercept"], knots)


def _no_events(items: Vocabulary) -> pl.DataFrame:
    """An empty log, for runs that were saved without theirs."""
    return pl.DataFrame(
        schema={
            "user_id": pl.String,
            "item_id": items.all.dtype,
            "behavior": pl.Enum(["event"]),
            "timestamp": pl.Datetime("us", "UTC"),
            "value": pl.Float64,
            "event_order": pl.Int64,
            "target": pl.Boolean,
        }
    )


def _under(arrays: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _write_json(file: Path, document: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _write_manifest(folder: Path) -> None:
    files = {entry.name: digest(entry) for entry in sorted(folder.iterdir()) if entry.name != MANIFEST}
    _write_json(folder / MANIFEST, {"format": FORMAT, "files": files})


@contextlib.contextmanager
def _replacing(path: Path, what: str = "") -> Iterator[Path]:
    """A temporary folder that takes the place of `path` when the block ends well, and leaves no trace otherwise.

    Args:
        path: The folder to replace.
        what: What is written, for errors; empty: all of it.
    """
    temporary = path.parent / f".{path.name}.writing-{os.getpid()}"
    for left in [temporary, *left_behind(path)]:
        shutil.rmtree(left, ignore_errors=True)
    try:
        with storing(what or path):
            temporary.mkdir(parents=True)
            yield temporary
            _sync(temporary)
            swap(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _link(file: Path, name: Path) -> None:
    """The same file under another name; a copy where the storage knows no second names (FAT, some network drives)."""
    try:
        os.link(file, name)
    except OSError:
        shutil.copyfile(file, name)


def _sync(folder: Path) -> None:
    for entry in folder.iterdir():
        sync(entry)
    sync(folder)


@contextlib.contextmanager
def storing(path: Path | str) -> Iterator[None]:
    """Storage's own refusals, in words.

    Raises:
        StoreError: The disk is full, or `path` cannot be written.
    """
    try:
        yield
    except StoreError:
        raise
    except (OSError, safetensors.SafetensorError, pl.exceptions.ComputeError) as error:
        code = getattr(error, "errno", None)
        if code == errno.ENOSPC or "No space left" in str(error):
            raise StoreError(f"The disk is full: {path} was not written.", hint="Free some space.") from error
        raise StoreError(f"Cannot write {path}: {error}.", hint="Check the folder and its rights.") from error
