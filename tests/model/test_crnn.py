import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from htr_lightning.model.crnn import CRNN, build_network

CRNN_LARGE = {
    "height_px": 128,
    "stem_channels": 32,
    "stem_kernel": 7,
    "stem_stride": [4, 2],
    "channels": [64, 128, 256],
    "blocks": [2, 3, 2],
    "strides": [[1, 1], [2, 2], [2, 2]],
    "downsample": "max_pool",
    "rnn_size": 256,
    "rnn_layers": 3,
}
TINY = {"channels": [8, 8, 8], "stem_channels": 4, "rnn_size": 8, "rnn_layers": 1, "blocks": [1, 1, 1]}


def num_parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_sizes_are_those_of_the_documentation() -> None:
    assert num_parameters(CRNN(80)) == pytest.approx(1.5e6, rel=0.05)
    assert num_parameters(CRNN(80, **CRNN_LARGE)) == pytest.approx(7.4e6, rel=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300), st.sampled_from(["small", "pool"]))
def test_frame_lengths_are_the_frames_that_come_out(width: int, kind: str) -> None:
    options = TINY | ({"downsample": "max_pool", "stem_stride": [4, 2]} if kind == "pool" else {})
    model = CRNN(5, **options).eval()
    with torch.inference_mode():
        logits = model(torch.rand(1, 1, 48, width)).logits
    assert logits.shape == (1, int(model.frame_lengths(torch.tensor([width]))[0]), 5)


def test_auxiliary_head_speaks_in_training_only() -> None:
    model = CRNN(5, **TINY)
    frames = model(torch.rand(2, 1, 48, 64))
    assert frames.auxiliary is not None and frames.auxiliary.shape == frames.logits.shape
    assert model.eval()(torch.rand(2, 1, 48, 64)).auxiliary is None


def test_a_line_is_read_alike_in_any_batch() -> None:
    model = CRNN(5, **TINY).eval()
    images = torch.rand(3, 1, 48, 96)
    with torch.inference_mode():
        together, alone = model(images).logits[1], model(images[1:2]).logits[0]
    torch.testing.assert_close(together, alone)


def test_other_heights_are_refused() -> None:
    with pytest.raises(ValueError, match="32 px high, but this model reads 48 px"):
        CRNN(5, **TINY)(torch.rand(1, 1, 32, 64))


def test_impossible_stages_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry for each stage"):
        CRNN(5, channels=[8, 8])
    with pytest.raises(ValueError, match="stem_kernel must be odd"):
        CRNN(5, stem_kernel=4)


def test_rebuilt_from_its_arguments() -> None:
    model = CRNN(5, **TINY)
    again = build_network("CRNN", 5, model.arguments)
    again.load_state_dict(model.state_dict())
    assert again.arguments == model.arguments
    with pytest.raises(ValueError, match="'Transformer' is unknown"):
        build_network("Transformer", 5, {})
