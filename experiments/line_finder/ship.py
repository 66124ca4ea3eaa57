"""Write a trained line finder into the package: weights in 16 bits, and an ONNX file that refers to them.

python experiments/line_finder/ship.py runs/finder [--name finder] [--mean-with zoo:finder]

With --mean-with, the weights are the mean of both.
"""

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import htr_lightning
from htr_lightning.model.finder_export import write_onnx_finder
from htr_lightning.model.finder_file import read_finder, write_finder
from htr_lightning.model.info import find_model
from htr_lightning.segmentation.follower import LineFollower

LICENSE = "CC-BY-SA-4.0"
ATTRIBUTION = (
    "pages of HTR-United, FoNDUE-HTR and HTRomance (CC BY 4.0), of J. Schaefer's Joseph Hooker HTR and the HTR School "
    "Vienna (CC BY-SA 4.0), of Copiste d'un jour (BAnQ, 2024, CC BY 4.0), and synthetic pages"
)


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--name", default="finder")
    parser.add_argument("--mean-with", help="another finder of the same network")
    options = parser.parse_args()
    finder = read_finder(find_model(options.run, is_finder=True))
    follower = asdict(LineFollower())  # chosen on the pages that the run set aside
    info = replace(finder.info, license=LICENSE, attribution=ATTRIBUTION, follower=follower)
    weights = Path(htr_lightning.__file__).parent / "zoo" / "finders" / f"{options.name}.safetensors"
    state = finder.network.state_dict()
    if options.mean_with:
        other = read_finder(find_model(options.mean_with, is_finder=True)).network.state_dict()
        state = {key: (v + other[key]) / 2 if v.dtype.is_floating_point else v for key, v in state.items()}
    write_finder(weights, state, info, half=True)
    write_onnx_finder(weights.with_suffix(".onnx"), read_finder(weights), weights=weights)
    print(*(f"{path}: {path.stat().st_size:,} bytes" for path in (weights, weights.with_suffix(".onnx"))), sep="\n")


if __name__ == "__main__":
    main()
