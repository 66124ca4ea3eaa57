"""Parquet files with an image and a text in each row, as datasets on the Hugging Face hub have them."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from htr_lightning.data.line import Line
from htr_lightning.data.sources.manifest import GROUP_COLUMNS
from htr_lightning.data.sources.parquet_images import (
    FIX_ROW,
    ParquetImage,
    build_damage_error,
    get_image_kind,
    is_text,
    open_parquet,
)
from htr_lightning.image.files import DataError
from htr_lightning.image.folder import is_file
from htr_lightning.image.line_image import ImageFile, LineImage, UnusableImage
from htr_lightning.text import clean_text, escape_unprintable

_TEXTS_PER_BATCH = 4096


@dataclass(frozen=True, slots=True)
class ParquetColumns:
    """The names of the columns to read.

    Attributes:
        image: of the images: encoded (``{bytes, path}`` or bytes alone), or paths of image files. None selects
            ``image``, or else the only column of encoded images.
        text: of the texts.
        group: of the groups, which are never divided between splits. None selects the first existing one of
            `GROUP_COLUMNS`; an empty string selects none.
        split: of the splits; None for none.
    """

    image: str | None = None
    text: str = "text"
    group: str | None = None
    split: str | None = None


def read_parquet_rows(path: Path, root: Path, columns: ParquetColumns) -> Iterator[tuple[Line, str | None]]:
    """Yield the line of each row and the name of its split; the images are not read yet.

    The id of a line is the file's path in the root, a colon and the row from 0, as the hub counts rows. A row without
    text, or with the path of an image that does not exist, becomes an unusable line.

    Args:
        path: the file.
        root: the folder of the dataset; image files outside it are not read.
        columns: the columns to read.

    Raises:
        DataError: the file is missing, damaged or not Parquet; a column is missing or of the wrong type.
    """
    with open_parquet(path) as file:
        schema = file.schema_arrow
        image = columns.image or _get_default_image_column(schema)
        _check_column(schema, image, "image", path, get_image_kind)
        _check_column(schema, columns.text, "text", path, is_text)
        group = columns.group
        if group is None:
            group = next((name for name in GROUP_COLUMNS if name in schema.names and name != columns.text), "")
        for role, name in (("group", group), ("split", columns.split)):
            if name:
                _check_column(schema, name, role, path, lambda type: not pa.types.is_nested(type))
        names = [columns.text, group, columns.split]
        row = 0
        try:
            for index in range(file.num_row_groups):
                path_column = _get_path_column(file, index, image)
                selected = list(dict.fromkeys(name for name in (*names, path_column) if name))
                for batch in file.iter_batches(_TEXTS_PER_BATCH, [index], selected, use_threads=False):
                    yield from _read_batch(batch, names, path_column, ParquetImage(path, image, row), root)
                    row += len(batch)
        except UnicodeDecodeError:
            problem = f"a text after row {row} is not UTF-8"
            raise DataError(problem, file=path, remedy="write the file again", kind="encoding") from None
        except (pa.ArrowException, OSError) as error:
            raise build_damage_error(path, error) from None


def _read_batch(
    batch: Any, names: list[str | None], path_column: str, first: ParquetImage, root: Path
) -> Iterator[tuple[Line, str | None]]:
    """Yield the rows of a batch that begins with the row ``first``."""
    nothing = [None] * len(batch)
    texts, groups, splits = (batch.column(name).to_pylist() if name else nothing for name in names)
    paths = _get_paths(batch, path_column) if path_column else nothing
    file_id = first.path.relative_to(root).as_posix()
    for row, (text, group, split, image_path) in enumerate(zip(texts, groups, splits, paths, strict=True), first.row):
        image: LineImage = ParquetImage(first.path, first.column, row)
        if text is None:
            image = _build_unusable("the row has no text", FIX_ROW, first.path, row)
        elif path_column:
            image = _find_image_file(image_path, first.path, row, root)
        group_name = "" if group is None else str(group)
        line = Line(f"{file_id}:{row}", image, clean_text(text or ""), sys.intern(group_name))
        yield line, None if split is None else str(split)


def _build_unusable(problem: str, remedy: str, path: Path, row: int) -> UnusableImage:
    return UnusableImage(str(DataError(problem, file=f"{path}:{row}", remedy=remedy)))


def _find_image_file(name: str | None, parquet: Path, row: int, root: Path) -> ImageFile | UnusableImage:
    """Find the image file that a row names, relative to the folder of the Parquet file or to the root."""
    if not name:
        return _build_unusable("the row has neither an image nor the path of one", FIX_ROW, parquet, row)
    if "://" in name:
        remedy = "download the images and store them in the rows"
        return _build_unusable(f"the row has only the address {escape_unprintable(name)}", remedy, parquet, row)
    candidates = [Path(os.path.normpath(folder.absolute() / name)) for folder in (parquet.parent, root)]
    inside = [path for path in candidates if path.is_relative_to(os.path.normpath(root.absolute()))]
    if not inside:
        problem = f"the row has the image {escape_unprintable(name)}, which is outside {root}"
        return _build_unusable(problem, "move it inside", parquet, row)
    existing = next((path for path in inside if is_file(path)), None)
    if existing:
        return ImageFile(existing)
    remedy = "add it, or remove the row"
    return _build_unusable(
        f"the row has the image {escape_unprintable(str(inside[0]))}, which does not exist", remedy, parquet, row
    )


def _get_paths(batch: Any, column: str) -> list[str | None]:
    """Return the strings of a column, or those of its field ``path``."""
    values = batch.column(column.removesuffix(".path") if column not in batch.schema.names else column).to_pylist()
    return [value.get("path") if isinstance(value, dict) else value for value in values]


def _check_column(schema: Any, name: str, role: str, path: Path, is_suitable: Callable[[Any], object]) -> None:
    """Check that a column exists and has a suitable type."""
    key, remedy = f"dataset.{role}_column", f"choose from the columns {', '.join(schema.names)}"
    if name not in schema.names:
        raise DataError("there is no such column", key=key, value=name, file=path, remedy=remedy)
    type = schema.field(name).type
    if not is_suitable(type):
        problem = f"this column has the type {type}, which is unsuitable"
        raise DataError(problem, key=key, value=name, file=path, remedy=remedy)


def _get_default_image_column(schema: Any) -> str:
    """Return ``image``, or else the only column of encoded images."""
    encoded: list[str] = [field.name for field in schema if get_image_kind(field.type) in ("struct", "bytes")]
    return encoded[0] if "image" not in schema.names and len(encoded) == 1 else "image"


def _get_path_column(file: Any, row_group: int, image: str) -> str:
    """Return the column with the image paths of a row group; empty if the images are in the rows."""
    kind = get_image_kind(file.schema_arrow.field(image).type)
    if kind != "struct":
        return image if kind == "path" else ""
    leaves = {file.schema.column(i).path: i for i in range(len(file.schema))}
    if f"{image}.bytes" not in leaves:
        return f"{image}.path"
    chunk = file.metadata.row_group(row_group).column(leaves[f"{image}.bytes"])
    empty = chunk.is_stats_set and chunk.statistics.has_null_count and chunk.statistics.null_count == chunk.num_values
    return f"{image}.path" if empty and f"{image}.path" in leaves else ""
