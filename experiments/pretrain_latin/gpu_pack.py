"""Pack the real lines for a GPU elsewhere: a Parquet file for each archive, and one for copiste, as small WebP images.

python experiments/pretrain_latin/gpu_pack.py runs/gpu/lines [--max-mib 56]

The quality of the images is the highest of a few with which all of them fit. Needs HTR_DATA and data/recased
(recase.py).
"""

import argparse
import io
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from htr_lightning.config.build import build
from htr_lightning.config.compose import compose_config
from htr_lightning.data.line import Line

QUALITIES = (60, 45, 30, 20, 10)
SAMPLE, HEIGHT_PX = 40, 64  # every 40th line is encoded to choose the quality; the archives have 64 px


def encode(line: Line, quality: int) -> bytes:
    """Return a line as WebP, gray and at most `HEIGHT_PX` high."""
    pixels = np.asarray(line.image.read(), np.uint8)
    pixels = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    if pixels.shape[0] > HEIGHT_PX:
        width = max(1, round(pixels.shape[1] * HEIGHT_PX / pixels.shape[0]))
        pixels = cv2.resize(pixels, (width, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()


def read_lines() -> dict[str, list[tuple[Line, str, str]]]:
    """Return the lines of each archive, with their split and writer."""
    sources = compose_config(["+experiment=pretrain_latin"]).dataset.sources
    archives: dict[str, list[tuple[Line, str, str]]] = defaultdict(list)
    hands, copiste = build(sources.hands), build(sources.real)
    for split in ("train", "val"):
        for line in hands.lines(split):
            archive, writer = hands.get_archive_and_writer(line.id)
            archives[archive].append((line, split, writer))
        archives["copiste"] += [(line, split, line.group) for line in copiste.lines(split)]
    return archives


def write(path: Path, rows: Iterable[tuple[Line, str, str]], quality: int) -> None:
    """Write the lines of one archive; those whose image is damaged are left out and named."""
    columns: dict[str, list[Any]] = {name: [] for name in ("image", "text", "page", "hand", "split")}
    for line, split, writer in rows:
        try:
            image = {"bytes": encode(line, quality), "path": f"{line.id}.webp"}
        except (OSError, ValueError) as error:
            print(f"{line.id}: left out ({error})")
            continue
        for name, value in zip(columns, (image, line.text, line.group, writer, split), strict=True):
            columns[name].append(value)
    pq.write_table(pa.table(columns), path, compression="zstd")


def main() -> None:
    """Choose a quality, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--max-mib", type=float, default=56)
    options = parser.parse_args()
    archives = read_lines()
    every = [line for rows in archives.values() for line, _, _ in rows][::SAMPLE]
    for quality in QUALITIES:
        mib = SAMPLE * sum(len(encode(line, quality)) + len(line.text) + 60 for line in every) / 2**20
        print(f"quality {quality}: about {mib:.0f} MiB")
        if mib < options.max_mib:
            break
    options.out.mkdir(parents=True, exist_ok=True)
    for name, rows in archives.items():
        write(options.out / f"{name}.parquet", rows, quality)
    total = sum(path.stat().st_size for path in options.out.glob("*.parquet")) / 2**20
    print(f"{options.out}: {sum(map(len, archives.values())):,} lines, {total:.1f} MiB")


if __name__ == "__main__":
    main()
