"""Model files that are damaged or made up end in a sentence that names the file."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from htr_lightning.model.file import read_checkpoint, read_model
from htr_lightning.model.info import METADATA_KEY, ModelFileError, list_zoo_models, read_info


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(list_zoo_models()["latin"])


def _metadata() -> dict[str, Any]:
    return dataclasses.asdict(read_info(list_zoo_models()["latin"]))


def _set(**values: Any) -> Callable[[dict[str, Any]], str]:
    return lambda metadata: json.dumps(metadata | values)


def _argument(name: str, value: Any) -> Callable[[dict[str, Any]], str]:
    return lambda metadata: json.dumps(metadata | {"arguments": metadata["arguments"] | {name: value}})


@pytest.mark.parametrize(
    "change",
    [
        *(_set(width_step_px=value) for value in ("32", None, 0, -1, 2**63, 1.5, True, [32])),
        *(_set(temperature=value) for value in ("", None, 0, -1.0, float("nan"), float("inf"), [1])),
        *(_set(**{name: value}) for name in ("arguments", "charset", "preprocess") for value in (None, [], 7, "x")),
        *(_set(scores=value) for value in ([1], {"val/cer": "low"})),
        *(_set(languages=value) for value in ("fr", [1])),
        *(_set(license=3), _set(architecture=None), _set(architecture="RNN"), _set(more=1)),
        *(_argument("stem_stride", value) for value in ([1], [0, 2], [2, 2, 2], 2, None, ["2", 2])),
        *(_argument("strides", value) for value in ([[2]] * 3, [2, 2, 2], [[2, -2]] * 3, [])),
        *(_argument("height_px", value) for value in (64, "48", None)),
        *(_argument("channels", value) for value in ([1], [], "abc", [[1], [2], [3]])),
        *(_argument("blocks", value) for value in ([], [1.5, 1, 1], None)),
        *(_argument("rnn_layers", value) for value in (0, -1, "2", 1.5)),
        lambda _: "[" * 100_000,
        lambda _: '{"format": 1e999}',
        lambda _: '{"format": "3"}',
        lambda _: '{"format": ' + "9" * 5000 + "}",
        lambda _: "[]",
        lambda _: "",
    ],
)
def test_metadata(change: Callable[[dict[str, Any]], str], weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "made-up.safetensors"
    safetensors.torch.save_file(weights, path, {METADATA_KEY: change(_metadata())})
    with pytest.raises(ModelFileError, match=r"made-up\.safetensors"):
        read_model(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite(value: float, weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    changed = weights | {"head.bias": torch.full_like(weights["head.bias"], value)}
    path = tmp_path / "nan.safetensors"
    safetensors.torch.save_file(changed, path, {METADATA_KEY: json.dumps(_metadata())})
    with pytest.raises(ModelFileError, match=r"nan\.safetensors: .*head\.bias.*not finite"):
        read_model(path)
    checkpoint = tmp_path / "nan.ckpt"
    state = {f"model.{name}": tensor for name, tensor in changed.items()}
    torch.save({METADATA_KEY: _metadata(), "state_dict": state}, checkpoint)
    with pytest.raises(ModelFileError, match=r"nan\.ckpt: .*head\.bias.*not finite"):
        read_checkpoint(checkpoint)


def test_checkpoint_with_wrong_metadata(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "made-up.ckpt"
    state = {f"model.{name}": tensor for name, tensor in weights.items()}
    for metadata in ({}, [], None, _metadata() | {"temperature": "warm"}):
        torch.save({METADATA_KEY: metadata, "state_dict": state}, path)
        with pytest.raises(ModelFileError, match=r"made-up\.ckpt"):
            read_checkpoint(path)
