"""`horae data encode`: a catalog in, its texts and pictures as vectors out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.inputs import read_table_of
from horae.cli.output import aligned, say, show, show_json
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "encode"]

EXAMPLES = """\b
Examples:
  horae data encode items.csv -o vectors.parquet
  horae data encode items.parquet -o vectors.parquet --columns title,categories --encoder hashed
  horae data encode items.parquet -o vectors.parquet --encoder models/bge-small-zh --images poster
"""


@verb
def encode(
    catalog: Annotated[
        str, typer.Argument(metavar="CATALOG", help="Items' attributes by item_id: any file.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="A .parquet file, one row per item.", show_default=False)
    ],
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Columns of text, joined in this order. [default: title, name, description, categories, category, "
            "genres, tags, brand, those that are there]",
            show_default=False,
        ),
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(metavar="NAME", help="auto, minilm (English), multilingual, hashed, or a local model's folder."),
    ] = "auto",
    images: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="A column of pictures: paths, or files' content.", show_default=False),
    ] = None,
    image_encoder: Annotated[
        str, typer.Option("--image-encoder", metavar="NAME", help="colors, or a local vision model's folder.")
    ] = "colors",
    cache: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Where vectors are kept by content; none: nowhere. [default: the user's cache directory]",
            show_default=False,
        ),
    ] = None,
    json_: o.Json = False,
) -> None:
    """Make vectors of a catalog's texts and pictures."""
    if out.suffix.lower() != ".parquet":
        raise typer.BadParameter(f"{str(out)!r}: expected a name ending in .parquet.", param_hint="-o")
    if image_encoder != "colors" and images is None:
        raise typer.BadParameter("it has no effect without --images.", param_hint="--image-encoder")
    from horae.features.content.cache import ContentCache
    from horae.features.content.encode import encode_catalog

    kept = None if cache == "none" else ContentCache(cache)
    content = encode_catalog(
        read_table_of(catalog, "item_id"),
        None if columns is None else [name.strip() for name in columns.split(",") if name.strip()],
        encoder,
        images=images,
        image_encoder=image_encoder,
        cache=False if kept is None else True if cache is None else kept,
        progress=True,
    )
    content.write(out)
    if json_:
        made = {
            name: {"encoder": content.encoders[name], "width": content.width(name), "items": int(known.sum())}
            for name, known in content.known.items()
        }
        told = [] if content.coverage is None else content.coverage.to_dicts()
        document = {"file": str(out), "items": len(content), "modalities": made, "coverage": told}
        show_json({**document, "report": content.report.as_dict()})
        return
    if content.coverage is not None:
        show(aligned(content.coverage.columns, content.coverage.rows()))
    say(f"{content}\nwritten: {out}" + ("" if kept is None else f"\ncache: {kept}"))
