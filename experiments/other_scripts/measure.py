"""Confidence of a model on pages in its script, and on lines in others.

python experiments/other_scripts/measure.py zoo:latin --pages $HTR_DATA/pages/train --fonts data/fonts --out scores.json
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from htr_lightning import load
from htr_lightning.data.line import Line
from htr_lightning.data.sources.page_images import PageImages
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.image.files import DataError
from htr_lightning.image.folder import search_folder
from htr_lightning.image.line_image import InMemoryImage
from htr_lightning.image.scan import list_scans
from htr_lightning.layout.formats import read_layout
from htr_lightning.reading.api import Reader
from htr_lightning.reading.lines import Prediction
from htr_lightning.reading.script_check import ScriptCheck

LANGUAGES = {"arabic": "ar", "hebrew": "he", "greek": "el", "russian": "ru", "chinese": "zh", "latin": "fr"}
NUM_LINES = 10  # of a page


def read_pages(reader: Reader, folder: Path, step: int) -> Iterator[tuple[str, list[Prediction]]]:
    """Yield the kind, and the first lines, of every step-th page of each archive, whose name ends at ``__``."""
    images, pages = PageImages(folder), defaultdict[str, list[Path]](list)
    for path in sorted(search_folder(folder, (".xml",)).files):
        pages[path.name.split("__")[0] if "__" in path.name else folder.name].append(path)
    for archive, paths in pages.items():
        for path in paths[::step]:
            layout = read_layout(path)
            scan = list_scans(images.find(path, layout.image_name))[0]
            try:
                page = reader.page_reader.segment(scan, layout)
            except DataError as error:  # the layout is of the page before it was turned
                print(f"left out: {error}")
                continue
            crops = [c for _, crops in page.regions for c in crops if c.pixels is not None][:NUM_LINES]
            lines = (Line(c.line.id, InMemoryImage(c.pixels), "") for c in crops if c.pixels is not None)
            yield archive, list(reader.line_reader.read(lines))


def read_synthetic(reader: Reader, fonts: Path, script: str, pages: int) -> Iterator[tuple[str, list[Prediction]]]:
    """Yield pages of one font each, in a script."""
    folder = fonts / script
    for font in sorted(folder.iterdir()) if folder.is_dir() else [None]:
        settings = {"fonts": [font.stem], "font_folder": folder} if font else {}
        length = (6, 14) if script == "chinese" else (20, 45)
        data = Synthetic(
            num_train=0,
            num_val=0,
            num_test=pages * NUM_LINES,
            languages=[LANGUAGES[script]],
            min_length=length[0],
            max_length=length[1],
            seed=5,
            **settings,  # type: ignore[arg-type]
        )
        lines = data.lines("test")
        predictions = list(reader.line_reader.read(lines))
        for start in range(0, len(predictions), NUM_LINES):
            yield f"synthetic {script}", predictions[start : start + NUM_LINES]


def describe(predictions: Sequence[Prediction], check: ScriptCheck) -> dict[str, float | None]:
    """Return confidences, characters per height of a line, likelihood of the text, and whether it is reported."""
    characters = [c.confidence for p in predictions for c in p.characters]
    lines = [p for p in predictions if p.pixels is not None]
    widths = sum(p.pixels.shape[1] / p.pixels.shape[0] for p in lines if p.pixels is not None)
    return {
        "characters": round(float(np.mean(characters)), 3) if characters else 0.0,
        "low": round(float(np.mean([c < 0.5 for c in characters])), 3) if characters else 1.0,
        "lines": round(float(np.mean([p.confidence for p in lines])), 3) if lines else 0.0,
        "density": round(len(characters) / max(1.0, widths), 3),
        "likelihood": check.measure([p.text for p in predictions]),
        "reported": bool(check.describe([p.text for p in predictions], float(np.mean(characters or [0])))),
    }


def main() -> None:
    """Write the figures of every page, and print how many of each kind are reported."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--pages", type=Path, nargs="*", default=[], help="folders of pages with ALTO or PAGE files")
    parser.add_argument("--step", type=int, default=3, help="read one page in so many")
    parser.add_argument("--fonts", type=Path, help="folder of a folder of fonts for each script")
    parser.add_argument("--synthetic-pages", type=int, default=2, help="of each font")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    reader = load(options.model)
    check = ScriptCheck(reader.model)
    sources = [read_pages(reader, folder, options.step) for folder in options.pages]
    if options.fonts:
        sources += [read_synthetic(reader, options.fonts, script, options.synthetic_pages) for script in LANGUAGES]
    result = defaultdict[str, list[dict[str, float | None]]](list)
    for source in sources:
        for kind, predictions in source:
            result[kind].append(describe(predictions, check))
            print(kind, result[kind][-1], flush=True)
    for kind, pages in result.items():
        print(f"{kind}, {len(pages)} pages")
        print(f"  {sum(bool(page['reported']) for page in pages)} reported")
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
