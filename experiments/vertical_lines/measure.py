"""Lines that line finders find on synthetic pages with vertical lines, from fonts of Chinese.

python experiments/vertical_lines/measure.py --fonts data/fonts/chinese --out experiments/vertical_lines/result.json
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.data.sources.synthetic_pages import SyntheticPages
from htr_lightning.image.page_pixels import PagePreprocess
from htr_lightning.image.turn import to_upright
from htr_lightning.reading.segmenters import load_segmenter
from htr_lightning.segmentation.line_scores import LineCounts, count_matches
from htr_lightning.segmentation.page import PageSegmenter
from htr_lightning.segmentation.vertical import VerticalSegmenter

SEGMENTERS = {
    "classical, ttb": lambda: load_segmenter("classical", direction="ttb"),
    "zoo:finder, page as it is": load_segmenter,
    "zoo:finder, page turned": lambda: VerticalSegmenter(load_segmenter()),
}


def count(segmenter: PageSegmenter, pixels: np.ndarray, baselines: list[np.ndarray]) -> LineCounts:
    """Count the lines that run down on a page."""
    height, width = pixels.shape
    found = [line.baseline for region in segmenter.find(pixels).regions for line in region.lines]
    true, turned = ([to_upright(line, 1, width, height) for line in lines] for lines in (baselines, found))
    return count_matches(true, turned)


def main() -> None:
    """Write the counts of all pages for each line finder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fonts", type=Path, required=True)
    parser.add_argument("--pages", type=int, default=16)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pictures", type=Path, help="folder to write the pages to")
    options = parser.parse_args()
    lines = Synthetic(
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
    totals = {name: np.zeros(3, int) for name in segmenters}
    for page in SyntheticPages(num_train=0, num_vertical=options.pages, vertical=lines).pages("train"):
        pixels, targets = page.read(PagePreprocess())
        vertical = [line.baseline for line in targets if line.orientation == 1]
        if not vertical:  # turned, to learn from
            continue
        if options.pictures:
            options.pictures.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(options.pictures / f"{page.id.replace('/', '_')}.png")
        for name, segmenter in segmenters.items():
            counts = count(segmenter, pixels, vertical)
            totals[name] += (counts.true, counts.found, counts.matched)
            print(page.id, name, counts, flush=True)
    result = {}
    for name, (true, found, matched) in totals.items():
        recall, precision = matched / true, matched / max(1, found)
        result[name] = {"true": int(true), "found": int(found), "recall": recall, "precision": precision}
        print(f"{name}: recall {recall:.1%}, precision {precision:.1%} of {true} lines")
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
