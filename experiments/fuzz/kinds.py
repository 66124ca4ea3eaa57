"""The kinds of inputs, and how many of each there are."""

from collections.abc import Sequence
from pathlib import Path

from outcome import FAULTS, PRINTED, READ, REFUSED, Kind

WEIGHTS = {
    "image": 2300,
    "pdf": 300,
    "layout": 1700,
    "tables": 1000,
    "pylaia": 250,
    "iam": 300,
    "rimes": 250,
    "competitions": 300,
    "mnist": 150,
    "parquet": 600,
    "model": 450,
    "checkpoint": 250,
    "onnx": 350,
    "language model": 450,
    "texts": 250,
    "packed lines": 500,
    "overrides": 400,
    "config files": 200,
}
COMMAND = "command"
PLANTED = (READ, REFUSED, PRINTED, *FAULTS)


def make_seeds(folder: Path) -> None:
    """Write the valid files that take long to make, for all workers."""
    from models import make_model

    from htr_lightning.model.onnx_export import write_onnx

    write_onnx(folder / "model.onnx", make_model(folder))


def load_kinds(seeds: Path, names: Sequence[str]) -> dict[str, Kind]:
    """Return the kinds of some names.

    Args:
        seeds: folder that `make_seeds` has filled.
        names: keys of `WEIGHTS`, `COMMAND`, or some of `PLANTED`.
    """
    import tempfile

    import torch

    if set(names) <= set(PLANTED):
        from faults import Planted

        return {name: Planted(name) for name in names}
    import sources
    from commands import Commands
    from images import Images, Pdfs
    from language import LanguageModels, Texts
    from layouts import Layouts
    from models import Models
    from packed import Packed
    from settings import ConfigFiles, Overrides

    torch.set_num_threads(1)
    own, model = Path(tempfile.mkdtemp(dir=Path.cwd())), seeds / "model.safetensors"
    made: list[Kind] = [Images(model), Pdfs(), Layouts(model), LanguageModels(own), Texts(), Packed(own)]
    made += [Overrides(), ConfigFiles()]
    made += [Models(name, path) for name, path in (("model", model), ("checkpoint", seeds / "model.ckpt"))]
    made.append(Models("onnx", seeds / "model.onnx"))
    for name in ("tables", "pylaia", "iam", "rimes", "competitions", "mnist", "parquet"):
        made.append(sources.Sources(name, getattr(sources, f"make_{name}")()))
    kinds = {kind.name: kind for kind in made}
    return kinds | {COMMAND: Commands(kinds, model)}
