"""The line finder, its files, and ONNX."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.page_maps import tiny_finder
from safetensors.torch import load_file, save_file

from htr_lightning.errors import InputError
from htr_lightning.model.finder_export import write_onnx_finder
from htr_lightning.model.finder_file import read_finder, write_finder
from htr_lightning.model.finder_onnx import read_onnx_finder
from htr_lightning.model.info import FINDER_KEY, ModelFileError, find_model, list_finders
from htr_lightning.model.line_finder import LineFinder, to_darkness

PIXELS = np.random.default_rng(0).integers(0, 256, (96, 64)).astype(np.uint8)


def test_shapes_and_ranges() -> None:
    network = LineFinder(channels=[4, 6, 8, 10], dilations=[1, 2]).eval()
    logits = network(to_darkness(torch.full((2, 1, 64, 96), 255, dtype=torch.uint8)))
    assert logits.lines.shape == (2, 4, 32, 48) and logits.orientations.shape == (2, 5, 8, 12)
    maps, orientations = logits.to_maps()
    assert maps[:, :2].min() >= 0 and maps[:, :2].max() <= 1 and maps[:, 2:].min() > 0
    torch.testing.assert_close(orientations.sum(1), torch.ones(2, 8, 12))
    assert to_darkness(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)).flatten().tolist() == [1, 0]


def test_padding_below_changes_little_above() -> None:
    finder = tiny_finder()
    padded = np.pad(PIXELS, ((0, 64), (0, 0)), mode="edge")
    np.testing.assert_allclose(finder(PIXELS)[0][:, :10], finder(padded)[0][:, :10], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "value"), [("channels", [4, 4]), ("channels", [0, 4, 4]), ("channels", 7 * [4]), ("dilations", [0])]
)
def test_arguments_out_of_range(name: str, value: list[int]) -> None:
    with pytest.raises(InputError) as refused:
        LineFinder(**{name: value})  # type: ignore[arg-type]
    assert refused.value.key == f"model.{name}"


@pytest.mark.parametrize("half", [False, True])
def test_a_file_gives_the_same_maps(tmp_path: Path, half: bool) -> None:
    finder, path = tiny_finder(), tmp_path / "finder.safetensors"
    write_finder(path, finder.network.state_dict(), finder.info, half=half)
    read = read_finder(path)
    for ours, theirs in zip(finder(PIXELS), read(PIXELS), strict=True):
        np.testing.assert_allclose(ours[:2], theirs[:2], atol=1e-2 if half else 1e-6)
    assert read.info.checksum and dataclasses.replace(read.info, checksum="") == finder.info
    assert not read.network.training
    kinds = {tensor.dtype for name, tensor in load_file(path).items() if tensor.ndim > 1}
    assert kinds == {torch.float16 if half else torch.float32}


@pytest.mark.parametrize("shared", [False, True])
def test_onnx_runtime_predicts_the_same_maps(tmp_path: Path, needs: object, shared: bool) -> None:
    needs("onnx")  # type: ignore[operator]
    weights, path = tmp_path / "finder.safetensors", tmp_path / "finder.onnx"
    finder = tiny_finder()
    write_finder(weights, finder.network.state_dict(), finder.info, half=True)
    finder = read_finder(weights)
    write_onnx_finder(path, finder, weights=weights if shared else None)
    if not shared:
        weights.unlink()
    read = read_onnx_finder(path)
    assert read.info == finder.info
    for pixels in (PIXELS, np.zeros((32, 160), np.uint8)):
        for ours, theirs in zip(finder(pixels), read(pixels), strict=True):
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-3)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelFileError, match="not a complete ONNX file"):
        read_onnx_finder(path)


def rewrite(path: Path, **changes: object) -> None:
    """Change the metadata of a line finder."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        values = json.loads(file.metadata()[FINDER_KEY])
    save_file(load_file(path), path, {FINDER_KEY: json.dumps(values | changes)})


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"format": 99}, "newer", "line finder of format 99"),
        ({"format": "new"}, "damaged", "metadata"),
        ({"format": 0}, "damaged", "format 0"),
        ({"checksum": "0"}, "damaged", "checksum"),
        ({"colour": 1}, "damaged", "colour"),
        ({"preprocess": {"longest_px": 1}}, "damaged", "longest_px"),
        ({"follower": {"max_gap": -1}}, "damaged", "max_gap"),
        ({"arguments": {"channels": [5, 5, 5]}}, "damaged", "metadata"),
    ],
)
def test_damaged_and_newer_files(tmp_path: Path, changes: dict[str, object], kind: str, words: str) -> None:
    finder, path = tiny_finder(), tmp_path / "finder.safetensors"
    write_finder(path, finder.network.state_dict(), finder.info)
    rewrite(path, **changes)
    with pytest.raises(ModelFileError, match=words) as refused:
        read_finder(path)
    assert refused.value.kind == kind and refused.value.file == path


def test_files_from_before_there_were_convolutions_along_the_rows(tmp_path: Path) -> None:
    network = LineFinder(channels=[4, 6, 8, 10], dilations=[1], row_dilations=[])
    arguments = {name: value for name, value in network.arguments.items() if name != "row_dilations"}
    path = tmp_path / "finder.safetensors"
    write_finder(path, network.state_dict(), dataclasses.replace(tiny_finder().info, arguments=arguments))
    assert not read_finder(path).network.rows


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    finder, path = tiny_finder(), tmp_path / "finder.safetensors"
    weights = finder.network.state_dict()
    weights["lines.bias"] = torch.full_like(weights["lines.bias"], torch.nan)
    write_finder(path, weights, finder.info)
    with pytest.raises(ModelFileError, match="not finite"):
        read_finder(path)


def test_other_files_are_no_line_finders(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "a.ckpt")
    (tmp_path / "b.ckpt").write_bytes(b"nothing")
    for source, kind in ((find_model("zoo:latin"), "foreign"), (tmp_path / "a.ckpt", "foreign")):
        with pytest.raises(ModelFileError) as refused:
            read_finder(source)
        assert refused.value.kind == kind
    with pytest.raises(ModelFileError, match="not a complete checkpoint"):
        read_finder(tmp_path / "b.ckpt")


def test_the_finder_that_ships_is_small_and_runs_alike_in_both(needs: object) -> None:
    needs("onnxruntime")  # type: ignore[operator]
    path = list_finders()["finder"]
    assert path.stat().st_size + path.with_suffix(".onnx").stat().st_size < 3e6
    finder, onnx = read_finder(path), read_onnx_finder(path.with_suffix(".onnx"))
    assert finder.info.arguments == onnx.info.arguments and finder.info.preprocess == onnx.info.preprocess
    page = np.full((160, 192), 245, np.uint8)
    page[80:84, 30:160:3] = 40
    for ours, theirs in zip(finder(page), onnx(page), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=5e-3, atol=5e-3)
