"""Write a model with a larger LSTM and the same output, to continue training (Chen et al. 2016, *Net2Net*).

python experiments/pretrain_latin/wider.py zoo:latin 256 runs/wider.safetensors

The old features depend on old features only; the new ones depend on all features, start with random weights, and have
zero weights in the head.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import load_model, write_model

name, size, out = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
model = load_model(name)
old_size = model.info.arguments["rnn_size"]
if size < old_size:
    raise SystemExit(f"{size}: the LSTM has {old_size} features in each direction already; choose a larger size")
torch.manual_seed(1)
arguments = {**model.info.arguments, "rnn_size": size}
network = CRNN(model.charset.num_classes, **arguments).eval()
weights = network.state_dict()

gates = torch.cat([gate * size + torch.arange(old_size) for gate in range(4)])
both = torch.cat([torch.arange(old_size), size + torch.arange(old_size)])  # columns of both directions
for key, old in model.network.state_dict().items():
    new = weights[key]
    if new.shape == old.shape:
        new.copy_(old)
    elif key.startswith("rnn.bias"):
        new[gates] = old
    elif key.startswith("rnn.weight"):
        columns = torch.arange(old_size) if "_hh_" in key else both if "_l0" not in key else torch.arange(old.shape[1])
        new[gates] = 0
        new[gates[:, None], columns] = old
    elif key == "head.weight":
        new.zero_()
        new[:, both] = old
    else:
        raise SystemExit(f"{key}: {tuple(old.shape)} cannot become {tuple(new.shape)}")
network.load_state_dict(weights)
images = np.random.default_rng(1).integers(0, 256, (2, model.preprocess.height_px, 320), dtype=np.uint8)
wider = replace(model, network=network, info=replace(model.info, arguments=arguments, scores={}))
difference = float(np.abs(wider.logits(images) - model.logits(images)).max())
assert difference < 1e-3, difference
out.parent.mkdir(parents=True, exist_ok=True)
write_model(out, weights, wider.info)
print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters, largest difference {difference:.1e}")
