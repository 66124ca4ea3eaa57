"""Which pixels characters depend on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.typesetting import typeset
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.data.line import Line
from htr_lightning.explain.attribution import METHODS, Method, _EachCharacter, _stops, _targets, attribute
from htr_lightning.explain.evidence import Evidence, ink_of, observe
from htr_lightning.image.files import DataError
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import Model, load_model
from htr_lightning.model.info import ModelInfo

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
def two_words(latin: Model) -> Evidence:
    return observe(latin, line_of("dans          nous"))


@pytest.fixture
def small() -> Model:
    """Too small to read, but smooth."""
    torch.manual_seed(0)
    charset = Charset.from_texts(["abc "])
    network = CRNN(5, height_px=16, channels=[8], blocks=[1], strides=[[2, 2]], stem_channels=4, rnn_size=8)
    info = ModelInfo("CRNN", network.arguments, charset.to_dict(), {}, 32)
    return Model(network.eval(), charset, Preprocess(height_px=16), info)


def test_integrated_gradients_add_up_to_what_the_line_changes(small: Model) -> None:
    found = attribute(small, observe(small, line_of("abc", 16), text="abc"), CPU, steps=48)
    assert found.maps.shape[0] == 3 and np.abs(found.change).min() > 1e-3
    assert found.maps.sum((1, 2)) == pytest.approx(found.change, rel=0.05, abs=0.005)
    assert found.gap < 0.05


def test_blank_paper_adds_nothing(small: Model) -> None:
    evidence = observe(small, line_of("abc", 16), text="abc")
    assert not attribute(small, evidence, CPU, steps=2).maps[:, evidence.pixels == 255].any()


def test_a_model_of_the_zoo_adds_up_roughly(latin: Model, two_words: Evidence) -> None:
    found = attribute(latin, two_words, CPU, steps=32, places=range(2))
    assert found.gap < 0.4


@pytest.mark.parametrize("method", METHODS)
def test_characters_depend_on_pixels_near_them(method: Method, latin: Model, two_words: Evidence) -> None:
    assert two_words.text.startswith("dans ") and two_words.text.endswith("nous")
    last = len(two_words.text) - 1
    half = two_words.pixels.shape[1] // 2
    for place, left in ((1, True), (last - 1, False)):
        found = attribute(latin, two_words, CPU, method=method, steps=6, places=range(place, place + 1))
        weight = np.abs(found.maps[0]).sum(0)
        share = weight[:half].sum() / weight.sum()
        assert (share if left else 1 - share) > 0.65


def test_one_reading_for_all_characters_has_the_gradients_of_one_for_each(small: Model) -> None:
    evidence = observe(small, line_of("abc", 16), text="abc")
    targets = _targets(small, evidence, range(3), CPU)
    lines = torch.stack([alpha * ink_of(evidence.pixels, 32)[0] for alpha in (0.3, 1.0)])
    rows = lines.repeat_interleave(3, 0).requires_grad_()
    values = _EachCharacter.apply(rows, targets, 3)
    (gradients,) = torch.autograd.grad(values.sum(), rows)
    for row in range(6):
        alone = rows[row : row + 1].detach().requires_grad_()
        value = targets(alone)[0, row % 3]
        torch.testing.assert_close(value, values[row])
        torch.testing.assert_close(torch.autograd.grad(value, alone)[0][0], gradients[row], rtol=1e-3, atol=1e-6)


def test_the_path_goes_from_paper_to_the_line(latin: Model, two_words: Evidence) -> None:
    ink = ink_of(two_words.pixels, 32)
    stops = _stops(_targets(latin, two_words, range(3), CPU), ink, 10)
    assert stops[0] == 0 and stops[-1] == 1 and bool((stops.diff() > 0).all())
    assert stops[5] < 0.3  # most happens while the ink is faint
    constant = _stops(lambda images: torch.zeros(len(images), 2), ink, 10)
    assert constant[0] == 0 and constant[-1] == 1


def test_what_is_explained_is_what_was_read(latin: Model, two_words: Evidence) -> None:
    for seen in two_words.characters:
        assert seen.first <= seen.peak < seen.end
        assert seen.alternatives[0] == (seen.character.text, pytest.approx(seen.character.confidence, abs=1e-4))
        probabilities = [p for _, p in seen.alternatives]
        assert probabilities == sorted(probabilities, reverse=True) and sum(probabilities) <= 1.0001
    assert two_words.probabilities.sum(1) == pytest.approx(1, abs=1e-4)


def test_given_texts(latin: Model) -> None:
    line = line_of("dans")
    read, given = observe(latin, line), observe(latin, line, text="dons")
    assert given.text == "dons" and given.given and given.confidence < read.confidence
    with pytest.raises(DataError, match=r"line\.png: .*'☃' \(U\+2603 SNOWMAN\)"):
        observe(latin, line, text="d☃ns")
    with pytest.raises(DataError, match=r"line\.png: the text is too long for the line"):
        observe(latin, line, text="dans" * 40)


def test_the_temperature_of_the_model_counts(latin: Model) -> None:
    line, unsure = line_of("dans"), replace(latin, info=replace(latin.info, temperature=3.0))
    assert observe(unsure, line).confidence < observe(latin, line).confidence
