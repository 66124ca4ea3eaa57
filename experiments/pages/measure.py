"""Detect and transcribe the lines of copiste's pages, and measure both; see README.md.

    python experiments/pages/measure.py zoo:latin zoo:latin-large --finders zoo:finder classical --splits val test

Needs HTR_DATA. Writes result.json, unless --out names another file.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.decode.decoder import build_default_decoder
from htr_lightning.image.scan import Scan
from htr_lightning.layout.formats import read_layout
from htr_lightning.metrics import cer
from htr_lightning.model.load import load_recognizer
from htr_lightning.reading.lines import LineReader
from htr_lightning.reading.page import PredictedPage
from htr_lightning.reading.pages import PageReader
from htr_lightning.reading.segmenters import load_segmenter
from htr_lightning.segmentation.line_scores import match_lines

PAGES = Path(os.environ.get("HTR_DATA", "data")) / "copiste" / "pages"
REPETITIONS = 3
PRINTED = 0.08  # fraction of the height of an imp_ page: the printed paragraph at the top is not transcribed

Baseline = NDArray[np.float32]


def count_matches(true: list[Baseline], detected: list[Baseline]) -> int:
    """Count true baselines with a detected one of their own: 70 % of the width covered, within a quarter pitch."""
    heights = sorted(float(np.interp((line[0, 0] + line[-1, 0]) / 2, *line.T)) for line in true)
    pitch = sorted(np.diff(heights).tolist())[(len(heights) - 1) // 2] if len(heights) > 1 else 100.0
    used: set[int] = set()
    for line in true:
        for number, other in enumerate(detected):
            low, high = max(line[0, 0], other[0, 0]), min(line[-1, 0], other[-1, 0])
            if number in used or high - low < 0.7 * (line[-1, 0] - line[0, 0]):
                continue
            xs = np.linspace(low, high, 9)
            if np.abs(np.interp(xs, *line.T) - np.interp(xs, *other.T)).mean() <= pitch / 4:
                used.add(number)
                break
    return len(used)


def sort_as(true: list[Any], detected: list[Any]) -> list[Any]:
    """Put detected lines into the order of the ground truth; one without a match stays behind the line before it."""
    matches = match_lines([line.baseline for line in true], [line.baseline for line in detected])
    places = {number: place for place, number in matches.items()}
    keys, place = [], -1
    for number in range(len(detected)):
        place = places.get(number, place)
        keys.append((place, number))
    return [detected[number] for _, number in sorted(keys)]


def get_handwritten_lines(page: PredictedPage, name: str) -> list[Any]:
    """Return the lines of a page without the printed paragraph."""
    min_y = PRINTED * page.height_px if name.startswith("imp_") else 0
    return [line for line in page.lines if float(line.baseline[0, 1]) > min_y]


def measure(split: str, model: str, finder: str, lm: str) -> dict[str, Any]:
    """Measure detection and CER on the pages of a split, with a language model or without (an empty string)."""
    segmenter = load_segmenter(finder)
    recognizer = load_recognizer(model)
    decoder = build_default_decoder(recognizer.charset, lm, recognizer.info.languages)
    reader = PageReader(LineReader(recognizer, decoder=decoder, positions=True), segmenter, model=model)
    true_lines = num_detected = num_matches = 0
    texts: dict[str, list[str]] = {"true": [], "detected": [], "sorted": [], "given": []}
    segmentation_s, prediction_s = [], []
    for path in sorted((PAGES / split).glob("*.xml")):
        layout, scan = read_layout(path), Scan(path.with_suffix(".jpg"))
        pixels = scan.read()
        for _ in range(REPETITIONS):
            start = time.perf_counter()
            segmenter.find(pixels)
            segmentation_s.append(time.perf_counter() - start)
        cut = reader.segment_pixels(pixels, scan)
        start = time.perf_counter()
        page = reader.recognize(cut)
        prediction_s.append((time.perf_counter() - start) / max(1, len(page.lines)))
        lines = get_handwritten_lines(page, path.stem)
        true = [line for line in layout.lines if line.text.strip()]
        true_lines, num_detected = true_lines + len(true), num_detected + len(lines)
        num_matches += count_matches([line.baseline for line in true], [line.baseline for line in lines])
        texts["true"].append(" ".join(line.text for line in true))
        texts["detected"].append(" ".join(line.text for line in lines))
        texts["sorted"].append(" ".join(line.text for line in sort_as(true, lines)))
        ids = {line.id for line in true}
        given = [line.text for line in reader.read(scan, layout).lines if line.id in ids]
        texts["given"].append(" ".join(given))
    return {
        "pages": len(texts["true"]),
        "lines": true_lines,
        "precision": round(num_matches / max(1, num_detected), 4),
        "recall": round(num_matches / max(1, true_lines), 4),
        "cer_lines_found": round(cer(texts["true"], texts["detected"]), 4),
        "cer_lines_found_in_given_order": round(cer(texts["true"], texts["sorted"]), 4),
        "cer_lines_given": round(cer(texts["true"], texts["given"]), 4),
        "segmentation_s_median": round(statistics.median(segmentation_s), 2),
        "segmentation_s_most": round(max(segmentation_s), 2),
        "reading_ms_per_line": round(1000 * statistics.median(prediction_s), 1),
    }


def main() -> None:
    """Measure each split with each model and finder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["zoo:latin"])
    parser.add_argument("--finders", nargs="+", default=["zoo:finder", "classical"])
    parser.add_argument("--splits", nargs="+", default=["val", "test"])
    parser.add_argument("--lm", default="", help="auto for the language models of the model's languages")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "result.json")
    options = parser.parse_args()
    result = {
        model: {
            finder: {split: measure(split, model, finder, options.lm) for split in options.splits}
            for finder in options.finders
        }
        for model in options.models
    }
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
