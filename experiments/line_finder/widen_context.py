"""Write a line finder with dilated blocks along the rows and nearly the same output, to train it further.

python experiments/line_finder/widen_context.py zoo:finder runs/wide.safetensors

As in Net2Net (Chen et al. 2016), new blocks start almost as the identity: their features are scaled by 0.1.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from htr_lightning.model.finder_file import read_finder, write_finder
from htr_lightning.model.info import find_model
from htr_lightning.model.line_finder import LineFinder

name, out = sys.argv[1], Path(sys.argv[2])
finder = read_finder(find_model(name, is_finder=True))
arguments = {**finder.info.arguments, "row_dilations": [1, 4, 16]}
torch.manual_seed(1)
network = LineFinder(**arguments).eval()
missing, unexpected = network.load_state_dict(finder.network.state_dict(), strict=False)
assert not unexpected and all(key.startswith("rows.") for key in missing), (missing, unexpected)
for block in network.rows:
    block.get_submodule("norm").get_parameter("weight").data.fill_(0.1)
page = torch.rand(1, 1, 256, 256)
with torch.inference_mode():
    difference = (network(page).lines[:, :2].sigmoid() - finder.network(page).lines[:, :2].sigmoid()).abs().max()
assert difference < 0.1, difference
out.parent.mkdir(parents=True, exist_ok=True)
write_finder(out, network.state_dict(), replace(finder.info, arguments=arguments, scores={}))
print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters, largest difference {difference:.3f}")
