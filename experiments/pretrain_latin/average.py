"""Average the weights of two models, one of them trained from the other (Wortsman et al. 2022, *Model soups*).

python experiments/pretrain_latin/average.py zoo:latin-large runs/pretrain_latin runs/averaged.safetensors [0.5]

The second model may have additional characters; their rows in the heads are copied from it. The last argument is the
weight of the second model.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from htr_lightning.model.file import load_model, write_model

first, second, out = load_model(sys.argv[1]), load_model(sys.argv[2]), Path(sys.argv[3])
weight = float(sys.argv[4]) if len(sys.argv) > 4 else 0.5
first_rows = {character: row for row, character in enumerate(first.charset.characters, start=1)}
rows = [0, *(first_rows.get(character, -1) for character in second.charset.characters)]
weights = second.network.state_dict()
for name, old in first.network.state_dict().items():
    new = weights[name]
    if any(name.startswith(f"{head}.") for head in first.network.heads):
        old = torch.stack([old[row] if row >= 0 else new[index] for index, row in enumerate(rows)])
    weights[name] = torch.lerp(old, new, weight) if new.is_floating_point() else new
out.parent.mkdir(parents=True, exist_ok=True)
write_model(out, weights, replace(second.info, scores={}))
