"""Vertical lines whose characters are set side by side, for recognizers of horizontal lines."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from helpers.drawn_columns import SIZE_PX, draw_columns

import htr_lightning
from htr_lightning.reading.columns import set_upright, set_upright_by_confidence
from htr_lightning.reading.line_crops import LineCrop, LineCropper
from htr_lightning.reading.pages import convert_regions
from htr_lightning.reading.segmenters import load_segmenter

PITCH_PX = SIZE_PX + 4


@pytest.fixture(scope="module", name="page")
def draw_page() -> np.ndarray:
    return draw_columns((80, 600), columns=6)


@pytest.fixture(scope="module", name="crops")
def crop_columns(page: np.ndarray) -> list[LineCrop]:
    found = load_segmenter("classical", direction="ttb").find(page)
    cropper = LineCropper(page, 0.0)
    return [cropper(line) for region in convert_regions(found.regions, page.shape) for line in region.lines]


def test_characters_are_set_upright_side_by_side_and_points_lead_back(page: np.ndarray, crops: list[LineCrop]) -> None:
    assert len(crops) == 6
    for crop in crops:
        row = set_upright(crop)
        assert row.pixels is not None and row.to_page is not None and row.is_rearranged and row.line is crop.line
        height, width = row.pixels.shape
        assert height < 1.5 * PITCH_PX and 10 * SIZE_PX < width < 13 * PITCH_PX  # twelve characters
        ys, xs = np.nonzero(row.pixels < 100)
        points = row.to_page(np.stack([xs + 0.5, ys + 0.5], 1))
        on_page = page[points[:, 1].astype(int), points[:, 0].astype(int)]
        assert (on_page < 140).mean() > 0.95  # what is dark in the row is dark there
        order = np.argsort(xs, kind="stable")
        first, last = points[order[:50], 1].mean(), points[order[-50:], 1].mean()
        assert first < 80 + 2 * PITCH_PX and last > 600 - 2 * PITCH_PX  # the row runs down the page


def test_what_cannot_be_cut_stays_as_it_is(crops: list[LineCrop]) -> None:
    blank = replace(crops[0], pixels=np.full((40, 300), 240, np.uint8))
    broken = replace(crops[0], pixels=None, to_page=None)
    assert set_upright(blank) is blank and set_upright(broken) is broken
    color = replace(crops[0], pixels=np.repeat(crops[0].pixels[..., None], 3, 2))  # type: ignore[index]
    row, gray = set_upright(color), set_upright(crops[0])
    assert row.pixels is not None and gray.pixels is not None and row.pixels.shape == (*gray.pixels.shape, 3)


@pytest.mark.parametrize("prefers_upright", [True, False])
def test_confidence_decides(crops: list[LineCrop], *, prefers_upright: bool) -> None:
    def measure(probes: Sequence[LineCrop]) -> float:
        return 0.9 if probes[0].is_rearranged == prefers_upright else 0.4

    horizontal = replace(crops[0], line=replace(crops[0].line, id="other", vertical=""))
    upright = set_upright_by_confidence([*crops, horizontal], measure)
    assert set(upright) == ({crop.line.id for crop in crops} if prefers_upright else set())
    assert set_upright_by_confidence([horizontal], measure) == {}


def test_models_of_other_scripts_do_not_try_it(crops: list[LineCrop], monkeypatch: pytest.MonkeyPatch) -> None:
    reader = htr_lightning.load("zoo:latin", device="cpu").page_reader
    monkeypatch.setattr(reader.line_reader, "read", lambda _: pytest.fail("a line was read"))
    assert reader.set_upright(crops) == crops
