"""What checkpoints say of a model, so that they need nothing else to be loaded."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from htr_lightning.charset import Charset
from htr_lightning.data.module import LineDataModule
from htr_lightning.model.file import load_model
from htr_lightning.model.info import ModelInfo, find_model
from htr_lightning.model.network import Network, get_class_path, hash_source, is_ours


def describe_network(network: Network, charset: Charset, data: LineDataModule) -> ModelInfo:
    """Return the metadata of a model without that of its training: what its file needs to be used."""
    kind = type(network)
    return ModelInfo(
        architecture=get_class_path(kind),
        arguments=dict(network.arguments),
        charset=charset.to_dict(),
        preprocess=data.preprocess.to_dict(),
        width_step_px=data.width_step_px,
        source_digest="" if is_ours(kind) else hash_source(kind),
    )


def load_task_arguments(path: Path | str, trust: Sequence[str]) -> dict[str, Any]:
    """Return arguments of `RecognitionTask` that a checkpoint, run folder or model file holds: all but the optimizer.

    Args:
        path: of the file or folder.
        trust: as `htr_lightning.load` takes it.

    Raises:
        ModelFileError: it is missing, damaged, or does not say what its network is.
    """
    model = load_model(path, trust=trust)
    file = find_model(str(path))
    state = torch.load(file, map_location="cpu", weights_only=True) if file.suffix == ".ckpt" else {}
    saved = dict(state.get("hyper_parameters", {}))
    return {"model": model.network, "charset": model.charset, "info": asdict(model.info), **saved}
