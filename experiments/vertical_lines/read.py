"""CER of a recognizer of horizontal lines on synthetic pages of rows and of columns, which the page itself tells apart.

python experiments/vertical_lines/read.py --model MODEL --fonts data/fonts/chinese --out result.json
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from rapidfuzz.distance import Levenshtein

import htr_lightning
from htr_lightning.data.sources.rendered_lines import lay_sideways
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.data.sources.synthetic_image import SyntheticImage

COLUMNS, SIZE_PX, COLUMN_PX, MARGIN_PX = 10, 48, 76, 90


def draw_pages(fonts: Path, number: int) -> Iterator[tuple[list[np.ndarray], list[np.ndarray], list[str]]]:
    """Yield test lines of ``+experiment=synthetic_chinese`` page by page: rows, columns on their side, texts."""
    names = sorted(path.stem for path in fonts.iterdir())
    source = Synthetic(
        num_train=0,
        num_test=300,
        languages=["zh"],
        font_folder=str(fonts),
        fonts=names,
        min_length=4,
        max_length=14,
        paper_texture=0.0,
        ink_lightness=0.0,
        ruling=0.0,
        margin_px=0,
    )
    by_font: dict[str, list[tuple[SyntheticImage, str]]] = {name: [] for name in names}
    for line in source.lines("test"):
        assert isinstance(line.image, SyntheticImage)
        by_font[line.group].append((line.image, line.text))
    for page in range(number):
        lines = by_font[names[page % len(names)]]
        first = page // len(names) * COLUMNS
        chosen = [lines[(first + k) % len(lines)] for k in range(COLUMNS)]
        rendered = [image.render() for image, _ in chosen]
        sideways = [scale(lay_sideways(line).image) for line in rendered]
        yield [scale(line.image) for line in rendered], sideways, [text for _, text in chosen]


def scale(pixels: np.ndarray) -> np.ndarray:
    """Scale a line to the height of all lines."""
    factor = SIZE_PX / len(pixels)
    return np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def set_page(lines: list[np.ndarray]) -> np.ndarray:
    """Return a page with lines below each other."""
    width = max(line.shape[1] for line in lines) + 2 * MARGIN_PX
    sheet = np.full((COLUMNS * COLUMN_PX + 2 * MARGIN_PX, width), 240, np.uint8)
    for place, line in enumerate(lines):
        top = MARGIN_PX + place * COLUMN_PX
        area = sheet[top : top + len(line), MARGIN_PX : MARGIN_PX + line.shape[1]]
        np.minimum(area, line, out=area)
    return sheet


def join(texts: Iterable[str]) -> str:
    """Return the characters of some lines without spaces, which columns hardly show."""
    return "".join("".join(texts).split())


def main() -> None:
    """Write the CER of lines that are given, of pages of rows, and of pages of columns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--fonts", type=Path, required=True)
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pictures", type=Path, help="folder to write the pages to")
    options = parser.parse_args()
    reader = htr_lightning.load(options.model, device="cpu")
    totals = {kind: np.zeros(3, int) for kind in ("lines", "rows", "columns")}
    for number, (lines, sideways, texts) in enumerate(draw_pages(options.fonts, options.pages)):
        pages = {"rows": set_page(lines), "columns": np.ascontiguousarray(np.rot90(set_page(sideways), -1))}
        read = {"lines": [prediction.text for prediction in reader.read_lines(lines)]}
        for kind, pixels in pages.items():
            read[kind] = [line.text for line in reader.read(pixels).lines]
            if options.pictures:
                options.pictures.mkdir(exist_ok=True)
                Image.fromarray(pixels).save(options.pictures / f"{kind}_{number:02d}.png")
        for kind, found in read.items():
            distance = Levenshtein.distance(join(texts), join(found))
            totals[kind] += np.array([len(found), distance, len(join(texts))])
            print(f"{kind} {number}: {len(found)} lines, {distance} of {len(join(texts))}", flush=True)
    result = {}
    for kind, (number, edits, characters) in totals.items():
        result[kind] = {"lines": int(number), "characters": int(characters), "cer": round(edits / characters, 4)}
        print(kind, result[kind])
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
