"""Lines that line finders find on synthetic pages with vertical lines, from fonts of Chinese.

python experiments/vertical_lines/measure.py --fonts data/fonts/chinese --out experiments/vertical_lines/result.json
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from htr_lightning.charset import Charset
from htr_lightning.data.page_targets import TargetLine
from htr_lightning.data.sources.page_canvas import PageTexts
from htr_lightning.data.sources.page_composer import PageComposer, turn_target
from htr_lightning.data.sources.rendered_lines import RenderedLines
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.data.sources.synthetic_pages import SyntheticPages
from htr_lightning.image.page_pixels import PagePreprocess
from htr_lightning.image.turn import to_upright
from htr_lightning.reading.segmenters import load_segmenter
from htr_lightning.segmentation.line_scores import LineCounts, count_matches
from htr_lightning.segmentation.page import PageSegmenter

CHINESE = Charset("的一是")  # of any model of Chinese: what finds its lines sees that lines may be vertical
SEGMENTERS = {
    "classical": lambda: load_segmenter("classical", charset=CHINESE),
    "zoo:finder": lambda: load_segmenter(charset=CHINESE),
    "zoo:finder, as for Latin": load_segmenter,
}
Drawn = tuple[str, np.ndarray, list[TargetLine]]


def draw_clean(source: Synthetic, number: int, *, is_vertical: bool) -> Iterator[Drawn]:
    """Yield pages of one column of text, on clean paper, with lines from left to right or from top to bottom."""
    lines = RenderedLines(source.lines("train"), sideways=is_vertical)
    for page in range(number):
        generator = np.random.default_rng(page)
        composer = PageComposer(
            np.full((1000, 1400) if is_vertical else (1400, 1000), 0.93, np.float32),
            PageTexts(lines, lines, lines),
            str(generator.choice(lines.fonts)),
            generator,
        )
        width, height = composer.sheet.shape[::-1]
        composer.fill(90, width - 90, 110, height - 100, float(generator.uniform(30, 50)))
        ink, targets = composer.sheet * (1 - 0.85 * composer.ink), composer.targets
        if is_vertical:
            ink, targets = np.rot90(ink, -1), [turn_target(line, 1, ink.shape) for line in targets]
        name = "columns" if is_vertical else "rows"
        yield f"{name}/{page:02d}", np.ascontiguousarray(255 * ink.clip(0, 1)).astype(np.uint8), targets


def draw_scanned(source: Synthetic, number: int) -> Iterator[Drawn]:
    """Yield the pages of `SyntheticPages` with vertical lines: small and large, on stained, squared or dark paper."""
    for page in SyntheticPages(num_train=0, num_vertical=number, vertical=source).pages("train"):
        pixels, targets = page.read(PagePreprocess())
        if sum(line.orientation == 1 for line in targets) > len(targets) / 2:  # the others are turned, to learn from
            yield f"scanned columns/{page.id}", pixels, targets


def count(segmenter: PageSegmenter, pixels: np.ndarray, targets: list[TargetLine]) -> LineCounts:
    """Count the lines in the direction of the page, rows or columns."""
    height, width = pixels.shape
    turns = targets[0].orientation
    found = [line for region in segmenter.find(pixels).regions for line in region.lines if line.orientation == turns]
    return count_matches(
        [to_upright(line.baseline, turns, width, height) for line in targets],
        [to_upright(line.baseline, turns, width, height) for line in found],
    )


def main() -> None:
    """Write the counts of all pages for each line finder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fonts", type=Path, required=True)
    parser.add_argument("--pages", type=int, default=24)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pictures", type=Path, help="folder to write the pages to")
    options = parser.parse_args()
    source = Synthetic(
        num_train=400,
        num_val=0,
        num_test=0,
        languages=["zh"],
        font_folder=str(options.fonts),
        fonts=sorted(path.stem for path in options.fonts.iterdir()),
        min_length=6,
        max_length=40,
        paper_texture=0.0,
        ink_lightness=0.0,
        ruling=0.0,
        margin_px=0,
    )
    segmenters = {name: build() for name, build in SEGMENTERS.items()}
    totals: dict[str, np.ndarray] = {}
    number = options.pages // 2
    for pages in (
        draw_clean(source, number, is_vertical=False),
        draw_clean(source, number, is_vertical=True),
        draw_scanned(source, options.pages),
    ):
        for id, pixels, targets in pages:
            if options.pictures:
                options.pictures.mkdir(exist_ok=True)
                Image.fromarray(pixels).save(options.pictures / f"{id.replace('/', '_')}.png")
            for name, segmenter in segmenters.items():
                counts = count(segmenter, pixels, targets)
                key = f"{id.partition('/')[0]}: {name}"
                totals[key] = totals.get(key, np.zeros(3, int)) + np.array([counts.true, counts.found, counts.matched])
                print(id, name, counts, flush=True)
    result = {}
    for name, (true, found, matched) in totals.items():
        recall, precision = round(matched / true, 3), round(matched / max(1, found), 3)
        f1 = round(2 * matched / (true + found), 3)
        result[name] = {"true": int(true), "found": int(found), "recall": recall, "precision": precision, "f1": f1}
        print(f"{name}: recall {recall:.1%}, precision {precision:.1%}, F1 {f1:.1%} of {true} lines")
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
