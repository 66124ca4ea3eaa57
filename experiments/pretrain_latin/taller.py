"""Write a model for another line height, to continue training: max-pooling of columns allows the same weights.

python experiments/pretrain_latin/taller.py 64 runs/taller.safetensors
"""

import sys
from dataclasses import replace
from pathlib import Path

from htr_lightning.model.file import load_model, write_model

height_px, out = int(sys.argv[1]), Path(sys.argv[2])
model = load_model("zoo:latin")
info = replace(
    model.info,
    arguments={**model.info.arguments, "height_px": height_px},
    preprocess={**model.info.preprocess, "height_px": height_px},
)
out.parent.mkdir(parents=True, exist_ok=True)
write_model(out, model.network.state_dict(), info)
