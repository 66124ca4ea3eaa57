"""Read the frames of the lines of pages once, and keep them; see README.md.

    python experiments/align/frames.py zoo:latin-large pages/val layout --out frames
    python experiments/align/frames.py zoo:latin-large copiste/pages/test finder --out frames

Needs HTR_DATA. Writes a file for each page, and passes over those that exist.
"""

import argparse
import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np

import htr_lightning
from htr_lightning.aligning.page import read_frames
from htr_lightning.errors import InputError
from htr_lightning.image.scan import Scan
from htr_lightning.layout.formats import read_layout
from htr_lightning.reading.pages import PageReader

DATA = Path(os.environ.get("HTR_DATA", "data"))
MIN_LINES = 3
SUFFIXES = (".webp", ".jpg")


def choose_pages(folder: Path, per_archive: int) -> list[Path]:
    """Draw pages with a layout, at most so many of each archive (the part of the name before ``__``)."""
    pages: dict[str, list[Path]] = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES):
        lines = read_layout(path.with_suffix(".xml")).lines
        if sum(bool(line.text.strip()) for line in lines) >= MIN_LINES:
            pages.setdefault(path.name.split("__")[0] if "__" in path.name else "", []).append(path)
    generator = random.Random(7)
    return [page for group in pages.values() for page in generator.sample(group, min(per_archive, len(group)))]


def read_page(path: Path, reader: PageReader, from_layout: bool) -> dict[str, Any]:
    """Return the lines of the layout, and those that were found with their frames, in px of the image."""
    layout = read_layout(path.with_suffix(".xml"))
    segmented = reader.turn_lines(reader.segment(Scan(path), layout if from_layout else None))
    height, width = segmented.pixels.shape[:2]
    scale = np.array([width / layout.size[0], height / layout.size[1]]) if layout.size else np.ones(2)
    crops = [crop for _, crops in segmented.regions for crop in crops]
    frames = read_frames(crops, reader.line_reader)
    return {
        "page": path.stem,
        "size": (height, width),
        "charset": reader.line_reader.model.charset.to_dict(),
        "gt": [
            {"id": line.id, "text": line.text, "baseline": line.baseline * scale, "polygon": line.polygon * scale}
            for line in layout.lines
        ],
        "found": [
            {
                "id": crop.line.id,
                "baseline": crop.line.baseline,
                "polygon": crop.line.polygon,
                "frames": line.log_probs.astype(np.float16),
            }
            for crop, line in zip(crops, frames, strict=True)
        ],
    }


def main() -> None:
    """Read the pages of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("pages", help="folder in HTR_DATA")
    parser.add_argument("lines", choices=("layout", "finder"))
    parser.add_argument("--per-archive", type=int, default=99)
    parser.add_argument("--out", type=Path, default=Path("frames"))
    options = parser.parse_args()
    reader = htr_lightning.load(options.model).page_reader
    name = f"{options.model.removeprefix('zoo:')}-{options.pages.replace('/', '-')}-{options.lines}"
    options.out.mkdir(parents=True, exist_ok=True)
    for path in choose_pages(DATA / options.pages, options.per_archive):
        file = options.out / f"{name}-{path.stem}.pkl"
        if file.exists():
            continue
        try:
            page = read_page(path, reader, options.lines == "layout")
        except InputError as error:
            print(f"left out: {error}")
            continue
        file.write_bytes(pickle.dumps(page))
        print(path.stem, len(page["gt"]), len(page["found"]), flush=True)


if __name__ == "__main__":
    main()
