"""Measure models on synthetic lines in plain handwriting, in block capitals and with stray capitals.

python experiments/pretrain_latin/capitals.py MODEL ...      (needs HTR_DATA and data/fonts, see fonts.sh)

Prints CER and CER without case, in %, of 300 lines each, with the texts of copiste's val, computed in bf16.
"""

import os
import sys
import tempfile
from pathlib import Path

from htr_lightning.data.sources.manifest import read_manifest
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.metrics import cer
from htr_lightning.model.load import load_recognizer
from htr_lightning.reading.lines import LineReader

VARIANTS: dict[str, dict[str, float]] = {
    "plain": {},
    "block capitals": {"block_capitals": 1.0},
    "stray capitals": {"stray_capitals": 1.0},
}

val = read_manifest(Path(os.environ.get("HTR_DATA", "data")) / "copiste" / "val.tsv")
with tempfile.TemporaryDirectory() as folder:
    texts = Path(folder) / "texts.txt"
    texts.write_text("\n".join(line.text for line in val), encoding="utf-8")
    variants = {
        name: Synthetic(
            num_train=0,
            num_val=300,
            num_test=0,
            languages=["fr"],
            font_folder="data/fonts",
            slant_degrees=20,
            letter_spacing=0.035,
            word_spacing=0.35,
            baseline_wander=0.04,
            distortion=0.05,
            min_length=20,
            max_length=90,
            seed=77,
            text_file=str(texts),
            **arguments,  # type: ignore[arg-type]
        ).lines("val")
        for name, arguments in VARIANTS.items()
    }
for model in sys.argv[1:]:
    reader = LineReader(load_recognizer(model, "cpu", "bf16"))
    for name, lines in variants.items():
        predicted, true = [prediction.text for prediction in reader.read(lines)], [line.text for line in lines]
        without_case = cer([text.lower() for text in true], [text.lower() for text in predicted])
        print(f"{model}: {name} {100 * cer(true, predicted):.2f}, without case {100 * without_case:.2f}", flush=True)
