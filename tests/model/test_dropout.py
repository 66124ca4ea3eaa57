"""Dropout on a CPU, and the LSTM that uses it."""

import pytest
import torch
from torch import nn

from htr_lightning.model.conv_attention import ConvAttention
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.dropout import LSTM, Dropout, drop


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_elements_are_dropped_with_the_probability_and_the_mean_stays(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    y = drop(torch.ones(331, 1001, dtype=dtype), p)
    assert y.dtype == dtype
    assert (y == 0).float().mean().item() == pytest.approx(p, abs=0.003)
    kept = y[y != 0].float()
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=0.005, atol=0)


def test_no_two_elements_share_their_random_number() -> None:
    torch.manual_seed(1)
    kept = (drop(torch.ones(40_000), 0.5) != 0).float() - 0.5
    for lag in (1, 2, 3, 4, 8):
        assert abs((kept[lag:] * kept[:-lag]).mean().item()) < 0.005  # 0.25 if they were equal


@pytest.mark.parametrize(("p", "expected"), [(0.0, 1.0), (1.0, 0.0)])
def test_nothing_or_all_is_dropped(p: float, expected: float) -> None:
    assert drop(torch.ones(5), p).tolist() == [expected] * 5


def test_gradients_are_those_of_the_kept_elements() -> None:
    torch.manual_seed(1)
    x = torch.ones(100, requires_grad=True)
    y = Dropout(0.5)(x)
    y.sum().backward()
    assert x.grad is not None and x.grad.tolist() == y.tolist() and 0 < y.count_nonzero() < 100


def test_nothing_is_dropped_in_evaluation() -> None:
    assert Dropout(0.5).eval()(torch.ones(100)).tolist() == [1.0] * 100


def test_the_same_seed_drops_the_same() -> None:
    masks = []
    for _ in range(2):
        torch.manual_seed(3)
        masks.append(drop(torch.ones(1000), 0.3))
    assert torch.equal(*masks)


def test_the_default_device_of_a_program_does_not_matter() -> None:
    with torch.device("meta"):
        assert drop(torch.ones(8, device="cpu"), 0.5).device.type == "cpu"


def test_lstm_is_that_of_pytorch_with_dropout_between_its_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = LSTM(6, 8, 3, 0.4), nn.LSTM(6, 8, 3, bidirectional=True)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 6, 9).permute(2, 0, 1)  # as in a CRNN
    expected, states = theirs(x)
    torch.testing.assert_close(ours.eval()(x)[0], expected)
    ours.train()
    assert not torch.allclose(ours(x)[0], expected)
    dropped: list[tuple[torch.Size, float]] = []
    monkeypatch.setattr("htr_lightning.model.dropout.drop", lambda x, p: dropped.append((x.shape, p)) or x)
    output, (hidden, cells) = ours(x)
    assert dropped == [(torch.Size([9, 2, 16]), 0.4)] * 2
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close((hidden, cells), states)
    output.sum().backward()
    expected.sum().backward()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


def test_lstm_is_that_of_pytorch_in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = LSTM(6, 8, 2, 0.4), nn.LSTM(6, 8, 2, bidirectional=True)
    theirs.load_state_dict(ours.state_dict())
    monkeypatch.setattr("htr_lightning.model.dropout.drop", lambda x, p: x)
    x = torch.randn(9, 2, 6)
    with torch.autocast("cpu", torch.bfloat16):
        output, expected = ours(x)[0], theirs(x)[0]
    assert output.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(output, expected)


def test_an_lstm_of_one_layer_drops_nothing() -> None:
    torch.manual_seed(1)
    lstm = LSTM(6, 8, 1, 0.4)
    x = torch.randn(9, 2, 6)
    assert torch.equal(lstm(x)[0], lstm(x)[0])


def test_recognizers_use_them() -> None:
    modules = [*CRNN(9).modules(), *ConvAttention(9).modules()]
    assert {type(m) for m in modules if isinstance(m, nn.Dropout | nn.LSTM)} == {Dropout, LSTM}
