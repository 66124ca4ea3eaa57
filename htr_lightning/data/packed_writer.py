"""Writes files of preprocessed lines; `htr_lightning.data.packed_lines` describes and reads them."""

import io
import itertools
import json
import time
from collections.abc import Iterable, Mapping
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from htr_lightning.data.line import Line
from htr_lightning.data.packed_lines import DRAWS, END, FORMAT, MARK, SCHEMA, SetPart, digest

PreparedLine = tuple[Line, NDArray[np.uint8] | str]
"""A line with its preprocessed pixels, or with the reason why it is unusable."""


def write_packed_lines(
    file: IO[bytes],
    prepared: Iterable[list[PreparedLine]],
    height_px: int,
    key: str,
    part: SetPart | None = None,
    draws: Mapping[str, float] | None = None,
) -> int:
    """Write a packed file.

    The pixels of the usable lines are written as they come, then the table; its metadata lists the skipped lines.

    Args:
        file: empty, open for writing.
        prepared: lists of lines, each with its pixels or with the reason why it is unusable.
        height_px: height of every line.
        key: fingerprint of everything that goes into the file.
        part: place of the file in a set of several files.
        draws: how often each line is drawn in an epoch, by id; None for once.

    Returns:
        The time to set with `set_written` when the file is closed.
    """
    rows: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    skipped: list[tuple[str, str]] = []
    for line, result in itertools.chain.from_iterable(prepared):
        if isinstance(result, str):
            skipped.append((line.id, result))
            continue
        pixels = result.tobytes()
        file.write(pixels)
        values = (line.id, line.text, line.group, digest(pixels).hex(), result.shape[1], line.direction)
        for name, value in zip(rows, values, strict=True):
            rows[name].append(value)
    # A minute ago, which no later change can give the file; and some disks store times in steps of two seconds.
    written_s = int(time.time() - 60) // 2 * 2
    metadata: dict[str, Any] = {
        "format": FORMAT,
        "height_px": height_px,
        "fingerprint": key,
        "skipped": skipped,
        "written_s": written_s,
    }
    if part is not None:
        metadata["set"] = part.to_dict()
    schema = SCHEMA
    if draws is not None:
        schema = SCHEMA.append(DRAWS)
        rows[DRAWS.name] = [draws[line_id] for line_id in rows["id"]]
    schema = schema.with_metadata({"htr_lightning": json.dumps(metadata)})
    begin, table = file.tell(), io.BytesIO()
    with pa.ipc.new_stream(table, schema) as out:
        out.write_table(pa.table(rows, schema))
    file.write(table.getbuffer())
    file.write(END.pack(digest(table.getbuffer(), 16), begin, MARK))
    return written_s
