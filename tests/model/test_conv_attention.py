"""ConvAttention: size, shapes, padding, export, and construction from the settings in a model file."""

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from htr_lightning.charset import Charset
from htr_lightning.errors import InputError
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.conv_attention import ConvAttention
from htr_lightning.model.file import Model
from htr_lightning.model.info import ModelInfo
from htr_lightning.model.network import get_class_path
from htr_lightning.model.network_check import check_network

TINY: dict[str, Any] = {
    "height_px": 16,
    "stem_channels": 4,
    "channels": [8, 8],
    "blocks": [1, 1],
    "strides": [[2, 2], [2, 1]],
    "width": 12,
    "layers": 2,
    "attention_heads": 3,
    "kernel": 5,
    "max_distance": 6,
}


def build(num_classes: int = 5) -> ConvAttention:
    torch.manual_seed(0)
    network = ConvAttention(num_classes, **TINY).eval()
    for layer in network.layers:  # as after training
        torch.nn.init.normal_(layer.bias.weight)  # type: ignore[arg-type,union-attr]
    return network


def draw(width: int, ink: int, number: int = 2) -> torch.Tensor:
    """Lines with ink in the first ``ink`` columns."""
    images = torch.zeros(number, 1, 16, width)
    images[..., :ink] = torch.rand(number, 1, 16, ink, generator=torch.Generator().manual_seed(1))
    return images


def test_the_size_is_that_of_the_documentation() -> None:
    assert sum(p.numel() for p in ConvAttention(80).parameters()) == pytest.approx(1.8e6, rel=0.03)


def test_it_keeps_the_protocol() -> None:
    check_network(build(), 5)
    assert build().blocks()[:3] == ["norm", "layers.1", "layers.0"]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 120))
def test_frame_lengths_match_the_logits(width: int) -> None:
    with torch.inference_mode():
        logits = build()(draw(width, width)).logits
    assert logits.shape == (2, int(build().frame_lengths(torch.tensor([width]))[0]), 5)
    assert torch.isfinite(logits).all()


def test_blank_lines_have_finite_logits() -> None:
    with torch.inference_mode():
        assert torch.isfinite(build()(torch.zeros(1, 1, 16, 300)).logits).all()


def test_padding_and_the_other_lines_of_a_batch_change_nothing() -> None:
    network = build()
    with torch.inference_mode():
        short, long = network(draw(200, 60)).logits, network(draw(320, 60)).logits
        alone = network(draw(200, 60)[:1]).logits
    torch.testing.assert_close(short[:, :40], long[:, :40])
    torch.testing.assert_close(short[:1], alone)


def test_relative_positions_count_and_far_frames_share_a_bias() -> None:
    network, images = build(), draw(200, 200)
    with torch.inference_mode():
        before = network(images).logits
        for layer in network.layers:
            layer.bias.weight.add_(1.0)  # type: ignore[operator,union-attr]
        torch.testing.assert_close(network(images).logits, before)  # a constant is nothing to a softmax
        for layer in network.layers:
            layer.bias.weight[TINY["max_distance"]] += 5.0  # type: ignore[index,union-attr]
        assert not torch.allclose(network(images).logits, before)


def test_the_auxiliary_head_has_logits_in_training_only() -> None:
    frames = build().train()(draw(64, 64))
    assert frames.auxiliary is not None and frames.auxiliary.shape == frames.logits.shape
    assert build()(draw(64, 64)).auxiliary is None


def test_every_parameter_gets_a_gradient() -> None:
    network = build().train()
    frames = network(draw(64, 64))
    (frames.logits.square().sum() + frames.auxiliary.square().sum()).backward()  # type: ignore[union-attr]
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_arguments_are_the_settings_of_the_signature_as_json_types() -> None:
    network = ConvAttention(5)
    assert ["num_classes", *network.arguments] == list(inspect.signature(ConvAttention).parameters)
    assert json.loads(json.dumps(network.arguments)) == network.arguments


@pytest.mark.parametrize(
    ("name", "value"),
    [("width", 0), ("layers", 0), ("attention_heads", 5), ("kernel", 4), ("max_distance", 0), ("dropout", 1.0)],
)
def test_a_setting_out_of_range_is_refused_by_its_key(name: str, value: float) -> None:
    arguments: dict[str, Any] = {name: value}
    with pytest.raises(InputError) as caught:
        ConvAttention(5, **arguments)
    assert caught.value.key == f"model.{name}"


def test_other_heights_are_refused() -> None:
    with pytest.raises(ValueError, match="32 px high, but this model reads lines of 16 px"):
        build()(torch.rand(1, 1, 32, 64))


def test_the_onnx_file_computes_the_same(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from htr_lightning.model.onnx_export import write_onnx
    from htr_lightning.model.onnx_model import read_onnx

    charset, preprocess = Charset(list("abcd")), Preprocess(height_px=16)
    info = ModelInfo(get_class_path(ConvAttention), build().arguments, charset.to_dict(), preprocess.to_dict(), 32)
    model = Model(build(), charset, preprocess, info)
    write_onnx(tmp_path / "model.onnx", model)
    images = np.full((3, 16, 224), 255, np.uint8)
    images[:, :, :130] = np.random.default_rng(0).integers(0, 255, (3, 16, 130), dtype=np.uint8)
    exported = read_onnx(tmp_path / "model.onnx", "cpu").logits(images)
    np.testing.assert_allclose(exported, model.logits(images), atol=1e-4)
