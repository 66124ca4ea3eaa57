"""The CRNN: sizes, shapes, batching, and construction from the settings in a model file."""

import inspect
import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from htr_lightning.config.compose import conf_dir
from htr_lightning.errors import InputError
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.network_check import check_network

TINY = {"channels": [8, 8, 8], "stem_channels": 4, "rnn_size": 8, "rnn_layers": 1, "blocks": [1, 1, 1]}


def count_parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_sizes_are_those_of_the_documentation() -> None:
    large = OmegaConf.to_container(OmegaConf.load(conf_dir() / "model" / "crnn.yaml"))
    assert count_parameters(CRNN(80)) == pytest.approx(1.5e6, rel=0.05)
    arguments = {key: value for key, value in large.items() if not key.startswith("_")}
    assert count_parameters(CRNN(80, **arguments)) == pytest.approx(7.4e6, rel=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300), st.sampled_from(["small", "pool"]))
def test_frame_lengths_match_the_logits(width: int, kind: str) -> None:
    options = TINY | ({"downsample": "max_pool", "stem_stride": [4, 2]} if kind == "pool" else {})
    model = CRNN(5, **options).eval()
    with torch.inference_mode():
        logits = model(torch.rand(1, 1, 48, width)).logits
    assert logits.shape == (1, int(model.frame_lengths(torch.tensor([width]))[0]), 5)


def test_the_auxiliary_head_has_logits_in_training_only() -> None:
    model = CRNN(5, **TINY)
    frames = model(torch.rand(2, 1, 48, 64))
    assert frames.auxiliary is not None and frames.auxiliary.shape == frames.logits.shape
    assert model.eval()(torch.rand(2, 1, 48, 64)).auxiliary is None


def test_the_logits_of_a_line_do_not_depend_on_its_batch() -> None:
    model = CRNN(5, **TINY).eval()
    images = torch.rand(3, 1, 48, 96)
    with torch.inference_mode():
        together, alone = model(images).logits[1], model(images[1:2]).logits[0]
    torch.testing.assert_close(together, alone)


def test_other_heights_are_refused() -> None:
    with pytest.raises(ValueError, match="32 px high, but this model reads lines of 48 px"):
        CRNN(5, **TINY)(torch.rand(1, 1, 32, 64))


def test_impossible_stages_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry for each stage"):
        CRNN(5, channels=[8, 8])
    with pytest.raises(ValueError, match=r"model\.stem_kernel=4"):
        CRNN(5, stem_kernel=4)


def test_arguments_are_the_settings_of_the_signature_as_json_types() -> None:
    model = CRNN(5)
    parameters = inspect.signature(CRNN).parameters
    assert ["num_classes", *model.arguments] == list(parameters)
    assert model.arguments["strides"] == [[2, 2], [2, 1], [2, 1]] and model.arguments["dropout"] == 0.2
    assert json.loads(json.dumps(model.arguments)) == model.arguments


def test_a_network_is_built_from_its_arguments() -> None:
    model = CRNN(5, **TINY)
    copy = CRNN(5, **model.arguments)
    copy.load_state_dict(model.state_dict())
    assert copy.arguments == model.arguments


def test_it_keeps_the_protocol() -> None:
    check_network(CRNN(5, **TINY), 5)
    assert CRNN(5, **TINY).blocks() == [
        "rnn",
        "backbone.stages.2",
        "backbone.stages.1",
        "backbone.stages.0",
        "backbone.stem",
    ]


@pytest.mark.parametrize(
    ("name", "value"), [("rnn_size", 0), ("rnn_layers", -1), ("dropout", 1.0), ("stem_channels", 0), ("height_px", 0)]
)
def test_a_setting_out_of_range_is_refused_by_its_key(name: str, value: float) -> None:
    arguments: dict[str, Any] = {name: value}
    with pytest.raises(InputError) as caught:
        CRNN(5, **arguments)
    assert caught.value.key in (f"model.{name}", "model.channels")
