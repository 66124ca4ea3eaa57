"""Measure the positions of characters on synthetic lines with known glyph boxes; see README.md."""

import json
from pathlib import Path

import numpy as np

from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.data.sources.synthetic_image import SyntheticImage
from htr_lightning.decode.positions import bounding_box
from htr_lightning.model.file import load_model
from htr_lightning.reading.lines import LineReader

HERE = Path(__file__).parent
NUM_LINES = 400


def main() -> None:
    """Predict lines, compare boxes, write ``result.json``."""
    source = Synthetic(num_train=1, num_val=NUM_LINES, num_test=0, max_length=40, slant_degrees=20)
    lines = list(source.lines("val"))
    overlaps: dict[str, list[float]] = {"characters": [], "spaces": []}
    is_within: list[bool] = []
    num_correct = 0
    for line, prediction in zip(lines, LineReader(load_model("zoo:latin"), positions=True).read(lines), strict=True):
        if prediction.text != line.text:
            continue
        num_correct += 1
        assert isinstance(line.image, SyntheticImage)
        for character, (start, end) in zip(prediction.characters, line.image.render().boxes, strict=True):
            left, _, right, _ = bounding_box(character.outline)
            overlap = max(0.0, min(end, right) - max(start, left)) / (max(end, right) - min(start, left))
            overlaps["spaces" if character.text == " " else "characters"].append(float(overlap))
            quarter = (end - start) / 4
            is_within.append(bool(start - quarter <= (left + right) / 2 <= end + quarter))
    result = {
        "lines": NUM_LINES,
        "read correctly": num_correct,
        "mean overlap (IoU in x)": {
            **{name: round(float(np.mean(values)), 3) for name, values in overlaps.items()},
            "all": round(float(np.mean(overlaps["characters"] + overlaps["spaces"])), 3),
        },
        "centers within the box grown by a quarter": round(float(np.mean(is_within)), 4),
    }
    (HERE / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
