"""Regions and lines are found on pages."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.drawn_pages import PITCH, Drawn, bend, blank, match_baselines, rule, shade, turn, write
from PIL import Image, ImageDraw

from htr_lightning.image.decode import read_image
from htr_lightning.layout.formats import read_layout
from htr_lightning.report.panel import load_font
from htr_lightning.segmentation.binarization import binarize_page, find_dark_border, flatten_page_background
from htr_lightning.segmentation.regions import DetectedLine, group_lines
from htr_lightning.segmentation.ruling import find_ruling_lines, remove_ruling
from htr_lightning.segmentation.segmenter import Segmenter

PAGES = Path(os.environ.get("HTR_DATA", "data")) / "copiste" / "pages"


def one_column(*, lines: int = 12) -> Drawn:
    page = blank()
    write(page, 150, 1250, 160, lines)
    return page


def find_baselines(page: Drawn) -> list[np.ndarray]:
    return [line.baseline for region in Segmenter()(page.pixels) for line in region.lines]


def in_order(number: int) -> list[int]:
    return list(range(number))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda page: None,
        lambda page: bend(page, 5),
        lambda page: bend(page, -4),
        lambda page: bend(page, 1, bow_px=45),
        lambda page: rule(page),
        lambda page: rule(page, PITCH // 2, upright=True),
        shade,
        lambda page: (rule(page), bend(page, 2), shade(page)),
    ],
    ids=["clean", "falling", "rising", "bowed", "ruled", "squared", "shaded", "all"],
)
def test_lines_are_found_in_order(spoil: Callable[[Drawn], object]) -> None:
    page = one_column()
    spoil(page)
    found = find_baselines(page)
    assert match_baselines(page.baselines, found) == in_order(12) and len(found) == 12


def test_white_ink_on_black() -> None:
    page = one_column()
    page.pixels = 255 - page.pixels
    assert match_baselines(page.baselines, find_baselines(page)) == in_order(12)


@pytest.mark.parametrize("factor", [0.5, 2.0], ids=["small", "large"])
def test_any_resolution(factor: float) -> None:
    page = blank(round(1400 * factor), round(1500 * factor))
    pitch = round(PITCH * factor)
    write(page, pitch, round(1250 * factor), 2 * pitch, 12, size_px=pitch // 2, pitch=pitch)
    found = find_baselines(page)
    assert match_baselines(page.baselines, found, pitch) == in_order(12) and len(found) == 12


def test_a_dense_page_is_segmented_at_a_higher_resolution() -> None:
    page = blank(3000, 4000)
    write(page, 100, 2900, 100, 100, size_px=20, pitch=38)
    found = find_baselines(page)
    assert len(found) == 100 and match_baselines(page.baselines, found, 38) == in_order(100)


def test_columns_are_read_one_after_the_other() -> None:
    page = blank()
    write(page, 80, 640, 160, 12, seed=1)
    write(page, 760, 1320, 160, 12, seed=2)
    regions = Segmenter()(page.pixels)
    assert match_baselines(page.baselines, [line.baseline for region in regions for line in region.lines]) == in_order(
        24
    )
    assert [len(region.lines) for region in regions] == [12, 12]
    whole = Segmenter(columns=False)(page.pixels)
    assert sum(len(region.lines) for region in whole) == 12


def test_a_heading_comes_before_the_columns_below_it() -> None:
    page = blank()
    write(page, 300, 1100, 120, 1)
    write(page, 80, 640, 400, 9, seed=1)
    write(page, 760, 1320, 400, 9, seed=2)
    found = find_baselines(page)
    assert match_baselines(page.baselines, found) == in_order(19)


def test_notes_in_the_margin_are_apart() -> None:
    page = blank()
    write(page, 420, 1320, 160, 12)
    write(page, 60, 330, 300, 4, size_px=26, pitch=46, seed=3)
    regions = Segmenter()(page.pixels)
    assert [(region.kind, len(region.lines)) for region in sorted(regions, key=lambda r: -len(r.lines))] == [
        ("paragraph", 12),
        ("marginalia", 4),
    ]


def test_paragraphs_are_regions() -> None:
    page = blank()
    write(page, 150, 1250, 160, 5)
    write(page, 150, 1250, 160 + 7 * PITCH, 5, seed=1)
    assert [len(region.lines) for region in Segmenter()(page.pixels)] == [5, 5]


def test_small_print_between_handwriting() -> None:
    page = blank()
    write(page, 150, 1250, 100, 2, size_px=22, pitch=30)
    write(page, 150, 1250, 260, 12, seed=1)
    found = find_baselines(page)
    assert match_baselines(page.baselines[:2], found, 30) == [0, 1]
    assert match_baselines(page.baselines[2:], found) == list(range(2, 14))


@pytest.mark.parametrize(
    "page",
    [
        blank(),
        blank(20, 20),
        blank(1, 1),
        blank(3000, 40),
    ],
    ids=["blank", "tiny", "one pixel", "flat"],
)
def test_pages_without_writing_have_no_lines(page: Drawn) -> None:
    assert Segmenter()(page.pixels) == []


@pytest.mark.parametrize("squared", [False, True])
def test_ruled_paper_without_writing_has_no_lines(squared: bool) -> None:
    page = blank()
    rule(page, 45, upright=squared)
    bend(page, 1)
    assert Segmenter()(page.pixels) == []


@pytest.mark.parametrize(
    "image",
    [
        np.random.default_rng(0).integers(0, 256, (900, 700, 3), np.uint8),
        np.tile(np.linspace(0, 255, 700).astype(np.uint8), (900, 1)),
        np.where(np.random.default_rng(0).random((900, 700)) < 0.05, 20, 240).astype(np.uint8),
        ((np.sin(np.arange(900) / 3)[:, None] + np.sin(np.arange(700) / 3)) * 60 + 128).astype(np.uint8),
    ],
    ids=["noise", "gradient", "specks", "halftone"],
)
def test_lines_of_other_images_stay_on_the_image(image: np.ndarray) -> None:
    for region in Segmenter()(image):
        for line in region.lines:
            assert (line.polygon >= 0).all() and (line.polygon <= (699, 899)).all()


def test_a_very_long_page() -> None:
    page = blank(1400, 30_000)
    write(page, 150, 1250, 160, 320)
    found = find_baselines(page)
    assert len(found) == 320 and match_baselines(page.baselines[:40], found[:40]) == in_order(40)


def test_outlines_hold_their_ink_and_stay_on_the_page() -> None:
    page = one_column()
    write(page, 0, 1399, 30, 1, seed=5)
    for region in Segmenter()(page.pixels):
        for line in region.lines:
            assert (line.polygon >= 0).all() and (line.polygon <= (1399, 1499)).all()
            assert line.polygon[:, 1].min() < line.baseline[:, 1].min() - 20
            assert line.polygon[:, 1].max() > line.baseline[:, 1].max()


@pytest.mark.parametrize("size_px", [22, 36, 44])
def test_writing_is_not_detected_as_ruling_lines(size_px: int) -> None:
    page = blank()
    write(page, 150, 1250, 160, 12, size_px=size_px)
    image = Image.fromarray(page.pixels)
    for row in range(12):  # the same letters below each other make dark columns
        ImageDraw.Draw(image).text((20, 160 + row * PITCH), "18 ill", 40, load_font(size_px), anchor="ls")
    pixels = np.asarray(image)
    darkness = np.minimum(255 - flatten_page_background(pixels), 90)
    assert find_ruling_lines(darkness, 0.25) == [] and find_ruling_lines(np.ascontiguousarray(darkness.T), 0.4) == []
    assert remove_ruling(*binarize_page(pixels)).sum() > 0.95 * (pixels < 128).sum()


@pytest.mark.parametrize("size_px", [30, 36, 40])
def test_columns_of_narrow_writing(size_px: int) -> None:
    page = blank()
    write(page, 300, 1100, 120, 1, size_px=size_px)
    write(page, 80, 640, 400, 5, size_px=size_px, seed=1)
    write(page, 760, 1320, 400, 5, size_px=size_px, seed=2)
    found = find_baselines(page)
    assert match_baselines(page.baselines, found) == in_order(11) and len(found) == 11


@pytest.mark.parametrize("degrees", [4, -4])
def test_columns_of_rotated_pages(degrees: float) -> None:
    page = blank()
    write(page, 100, 640, 200, 11, seed=1)
    write(page, 760, 1300, 200, 11, seed=2)
    turn(page, degrees)
    regions = Segmenter()(page.pixels)
    assert [len(region.lines) for region in regions] == [11, 11]
    assert match_baselines(page.baselines, [line.baseline for region in regions for line in region.lines]) == in_order(
        22
    )


@pytest.mark.parametrize("degrees", [0, 3])
@pytest.mark.parametrize("table", [10, 70])
def test_a_sheet_on_a_dark_table(table: int, degrees: float) -> None:
    page = one_column()
    turn(page, degrees)
    page.pixels = cv2.copyMakeBorder(page.pixels, 120, 90, 150, 60, cv2.BORDER_CONSTANT, value=table)
    noise = np.random.default_rng(0).normal(0, 3, page.pixels.shape)
    page.pixels = (page.pixels + noise).clip(0, 255).astype(np.uint8)
    found = find_baselines(page)
    assert (
        match_baselines([line + np.array([150, 120]) for line in page.baselines], found) == in_order(12)
        and len(found) == 12
    )
    plain = one_column()
    shade(plain)
    assert not find_dark_border(plain.pixels).any() and not find_dark_border(255 - plain.pixels).any()


def test_many_regions_are_grouped() -> None:
    places = [np.array([(x, y), (x + 40.0, y)], np.float32) for y in range(0, 6000, 200) for x in range(0, 3000, 200)]
    lines = [DetectedLine(place, np.concatenate([place - 5, place + 5])) for place in places]
    assert len(group_lines(lines, 20)) == len(places) == 450


def test_ruling_lines_are_removed_and_strokes_stay() -> None:
    page = one_column()
    before = remove_ruling(*binarize_page(page.pixels))
    rule(page, upright=True, first=30)
    after = remove_ruling(*binarize_page(page.pixels))
    assert after.sum() < 1.02 * before.sum()
    assert (after & before).sum() > 0.9 * before.sum()


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match=r"segmenter\.working_px=5: "):
        Segmenter(working_px=5)
    with pytest.raises(ValueError, match=r"segmenter\.min_height_px=-1: "):
        Segmenter(min_height_px=-1)


@pytest.mark.skipif(not PAGES.is_dir(), reason=f"needs {PAGES}; set HTR_DATA")
def test_lines_of_real_pages() -> None:
    true_lines = matches = num_found = 0
    for path in sorted(PAGES.glob("val/*.xml")):
        true = [line.baseline.astype(np.float64) for line in read_layout(path).lines if line.text]
        pixels = read_image(path.with_suffix(".jpg"))
        found = [line.baseline for region in Segmenter()(pixels) for line in region.lines]
        if path.stem.startswith("imp_"):  # their printed paragraph, at the top, is not transcribed
            found = [line for line in found if line[0, 1] > 0.08 * len(pixels)]
        pitch = float(np.median(np.diff(sorted(line[:, 1].mean() for line in true))))
        matches += sum(number >= 0 for number in match_baselines(true, found, pitch))
        true_lines, num_found = true_lines + len(true), num_found + len(found)
    assert matches >= 0.95 * true_lines and matches >= 0.95 * num_found
