"""Average the weights of two models, of which one was trained on from the other (Wortsman et al. 2022, *Model soups*).

python experiments/pretrain_latin/average.py zoo:latin-64 runs/pretrain_latin runs/averaged.safetensors [0.5]

The second may have more characters; their rows in the heads are its own. The last number is its share.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from htr_lightning.model.file import load_model, write_model
from htr_lightning.training.freezing import HEADS

first, second, out = load_model(sys.argv[1]), load_model(sys.argv[2]), Path(sys.argv[3])
share = float(sys.argv[4]) if len(sys.argv) > 4 else 0.5
known = {character: row for row, character in enumerate(first.charset.characters, start=1)}
rows = [0, *(known.get(character, -1) for character in second.charset.characters)]
weights = second.network.state_dict()
for name, old in first.network.state_dict().items():
    new = weights[name]
    if name.split(".")[0] in HEADS:
        old = torch.stack([old[row] if row >= 0 else new[place] for place, row in enumerate(rows)])
    weights[name] = torch.lerp(old, new, share) if new.is_floating_point() else new
out.parent.mkdir(parents=True, exist_ok=True)
write_model(out, weights, replace(second.info, scores={}))
