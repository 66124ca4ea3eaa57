"""Texts in figures, and their lines on synthetic pages."""

import numpy as np

from htr_lightning.data.sources.figures import SYMBOLS, sample_figures, sample_number
from htr_lightning.data.sources.rendered_lines import RenderedLines
from htr_lightning.data.sources.synthetic import Synthetic


def test_texts_are_mostly_digits_of_the_symbols_that_are_stated() -> None:
    generator = np.random.default_rng(1)
    for sample, low, high in ((sample_figures, 10, 90), (sample_number, 1, 10)):
        for _ in range(200):
            text = sample(generator)
            assert low <= len(text) <= high and SYMBOLS.issuperset(text)
            assert any(c.isdigit() for c in text)
    assert [sample_figures(np.random.default_rng(2)), sample_number(np.random.default_rng(2))] == [
        sample_figures(np.random.default_rng(2)),
        sample_number(np.random.default_rng(2)),
    ]


def test_lines_with_other_texts_keep_the_fonts_that_can_write_them() -> None:
    source = Synthetic(num_train=40, num_val=0, num_test=0, margin_px=0)
    lines = RenderedLines(source.lines("train"))
    figures = lines.with_texts(lambda generator: "1234567890", SYMBOLS, 1)
    assert figures.fonts and set(figures.fonts) <= set(lines.fonts)
    assert len(figures.choose(figures.fonts[0], np.random.default_rng(1)).boxes) == 10
    assert not lines.with_texts(lambda generator: "\ue000", SYMBOLS, 1).fonts
