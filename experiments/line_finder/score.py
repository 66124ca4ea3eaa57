"""Precision, recall and F1 of found lines by archive, the part of a page's name before ``__``; and seconds a page."""

import argparse
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from htr_lightning.data.sources.page_images import PageImages
from htr_lightning.image.folder import search_folder
from htr_lightning.layout.formats import read_layout
from htr_lightning.reading.segmenters import load_segmenter
from htr_lightning.segmentation.line_scores import LineCounts, count_matches


def main() -> None:
    """Find the lines of all pages in a folder, and compare them with those of the layouts beside them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("finders", nargs="+", help="zoo:finder, classical, a model file, a run folder")
    parser.add_argument("--pages", type=Path, required=True, help="folder of images with ALTO or PAGE files")
    parser.add_argument("--only", default="", help="only pages whose names begin so")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    options = parser.parse_args()
    result = {finder: score_finder(finder, options.pages, options.only) for finder in options.finders}
    for finder, scores in result.items():
        print(finder, json.dumps(scores))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def score_finder(finder: str, folder: Path, only: str) -> dict[str, dict[str, float]]:
    """Return the scores of each archive, of their mean and of all lines."""
    segmenter, images = load_segmenter(finder), PageImages(folder)
    counts: dict[str, LineCounts] = defaultdict(LineCounts)
    seconds = []
    for path in sorted(search_folder(folder, (".xml",)).files):
        if not path.name.startswith(only):
            continue
        page = read_layout(path)
        pixels = images.find_page(page).read()
        start = time.perf_counter()
        found = segmenter.find(pixels)
        seconds.append(time.perf_counter() - start)
        height, width = pixels.shape[:2]
        scale = np.ones(2) if page.size is None else np.array([width / page.size[0], height / page.size[1]])
        true = [np.asarray(line.baseline * scale, np.float32) for line in page.lines if len(line.baseline) > 1]
        lines = [line.baseline for region in found.regions for line in region.lines]
        counts[path.name.partition("__")[0]] += count_matches(true, lines)
    scores = {name: _describe(count) for name, count in sorted(counts.items())}
    mean = {key: statistics.mean(row[key] for row in scores.values()) for key in ("precision", "recall", "f1")}
    total = sum(counts.values(), LineCounts())
    return scores | {
        "mean": {key: round(value, 4) for key, value in mean.items()},
        "all": _describe(total),
        "seconds": {"median": round(statistics.median(seconds), 2), "max": round(max(seconds), 2)},
    }


def _describe(count: LineCounts) -> dict[str, float]:
    return {
        "lines": count.true,
        "precision": round(count.precision, 4),
        "recall": round(count.recall, 4),
        "f1": round(count.f1, 4),
    }


if __name__ == "__main__":
    main()
