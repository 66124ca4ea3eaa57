"""Which pixels characters depend on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.typesetting import typeset
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.data.line import Line
from htr_lightning.explain.attribution import (
    METHODS,
    Method,
    _build_targets,
    _CharacterTargets,
    _choose_alphas,
    attribute,
)
from htr_lightning.explain.line_output import LineOutput, compute_line_output, to_network_input
from htr_lightning.image.files import DataError
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import Model, load_model
from htr_lightning.model.info import ModelInfo
from htr_lightning.model.network import get_class_path

CPU = torch.device("cpu")


class Drawn:
    """A line image in memory."""

    def __init__(self, text: str, height_px: int) -> None:
        self.pixels = np.asarray(typeset(text, height_px))

    @property
    def fingerprint(self) -> str:
        return "drawn"

    def read(self, max_pixels: int = 0) -> NDArray[np.uint8]:
        return self.pixels


def line_of(text: str, height_px: int = 48) -> Line:
    return Line("line.png", Drawn(text, height_px), "")


@pytest.fixture(scope="module")
def latin() -> Model:
    return load_model("zoo:latin")


@pytest.fixture(scope="module")
def two_words(latin: Model) -> LineOutput:
    return compute_line_output(latin, line_of("dans          nous"))


@pytest.fixture
def small() -> Model:
    """Too small to read, but smooth."""
    torch.manual_seed(0)
    charset = Charset.from_texts(["abc "])
    network = CRNN(5, height_px=16, channels=[8], blocks=[1], strides=[[2, 2]], stem_channels=4, rnn_size=8)
    info = ModelInfo(get_class_path(CRNN), network.arguments, charset.to_dict(), {}, 32)
    return Model(network.eval(), charset, Preprocess(height_px=16), info)


def test_integrated_gradients_add_up_to_what_the_line_changes(small: Model) -> None:
    found = attribute(small, compute_line_output(small, line_of("abc", 16), text="abc"), CPU, steps=48)
    assert found.maps.shape[0] == 3 and np.abs(found.changes).min() > 1e-3
    assert found.maps.sum((1, 2)) == pytest.approx(found.changes, rel=0.05, abs=0.005)
    assert found.relative_delta < 0.05


def test_blank_paper_adds_nothing(small: Model) -> None:
    output = compute_line_output(small, line_of("abc", 16), text="abc")
    assert not attribute(small, output, CPU, steps=2).maps[:, output.pixels == 255].any()


def test_a_model_of_the_zoo_adds_up_roughly(latin: Model, two_words: LineOutput) -> None:
    found = attribute(latin, two_words, CPU, steps=32, positions=range(2))
    assert found.relative_delta < 0.4


@pytest.mark.parametrize("method", METHODS)
def test_characters_depend_on_pixels_near_them(method: Method, latin: Model, two_words: LineOutput) -> None:
    assert two_words.text.startswith("dans ") and two_words.text.endswith("nous")
    last = len(two_words.text) - 1
    half = two_words.pixels.shape[1] // 2
    for position, left in ((1, True), (last - 1, False)):
        found = attribute(latin, two_words, CPU, method=method, steps=6, positions=range(position, position + 1))
        weight = np.abs(found.maps[0]).sum(0)
        share = weight[:half].sum() / weight.sum()
        assert (share if left else 1 - share) > 0.65


def test_one_reading_for_all_characters_has_the_gradients_of_one_for_each(small: Model) -> None:
    output = compute_line_output(small, line_of("abc", 16), text="abc")
    targets = _build_targets(small, output, range(3), CPU)
    lines = torch.stack([alpha * to_network_input(output.pixels, 32)[0] for alpha in (0.3, 1.0)])
    rows = lines.repeat_interleave(3, 0).requires_grad_()
    values = _CharacterTargets.apply(rows, targets, 3)
    (gradients,) = torch.autograd.grad(values.sum(), rows)
    for row in range(6):
        alone = rows[row : row + 1].detach().requires_grad_()
        value = targets(alone)[0, row % 3]
        torch.testing.assert_close(value, values[row])
        torch.testing.assert_close(torch.autograd.grad(value, alone)[0][0], gradients[row], rtol=1e-3, atol=1e-6)


def test_the_path_goes_from_paper_to_the_line(latin: Model, two_words: LineOutput) -> None:
    ink = to_network_input(two_words.pixels, 32)
    alphas = _choose_alphas(_build_targets(latin, two_words, range(3), CPU), ink, 10)
    assert alphas[0] == 0 and alphas[-1] == 1 and bool((alphas.diff() > 0).all())
    assert alphas[5] < 0.3  # most happens while the ink is faint
    constant = _choose_alphas(lambda images: torch.zeros(len(images), 2), ink, 10)
    assert constant[0] == 0 and constant[-1] == 1


def test_what_is_explained_is_what_was_read(latin: Model, two_words: LineOutput) -> None:
    for character in two_words.characters:
        assert character.first <= character.peak < character.end
        assert character.alternatives[0] == (
            character.character.text,
            pytest.approx(character.character.confidence, abs=1e-4),
        )
        probabilities = [p for _, p in character.alternatives]
        assert probabilities == sorted(probabilities, reverse=True) and sum(probabilities) <= 1.0001
    assert two_words.probabilities.sum(1) == pytest.approx(1, abs=1e-4)


def test_given_texts(latin: Model) -> None:
    line = line_of("dans")
    read, given = compute_line_output(latin, line), compute_line_output(latin, line, text="dons")
    assert given.text == "dons" and given.is_given and given.confidence < read.confidence
    with pytest.raises(DataError, match=r"line\.png: .*'☃' \(U\+2603 SNOWMAN\)"):
        compute_line_output(latin, line, text="d☃ns")
    with pytest.raises(DataError, match=r"line\.png: the text is too long for the line"):
        compute_line_output(latin, line, text="dans" * 40)


def test_the_temperature_of_the_model_counts(latin: Model) -> None:
    line, unsure = line_of("dans"), replace(latin, info=replace(latin.info, temperature=3.0))
    assert compute_line_output(unsure, line).confidence < compute_line_output(latin, line).confidence
