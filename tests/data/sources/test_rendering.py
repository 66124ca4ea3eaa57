"""Rendering of synthetic lines: effects of the style, extents of the characters, fingerprints."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("fontpkg")
pytest.importorskip("wordfreq")

from helpers.synthetic import SMALL, render

from htr_lightning.data.sources import fonts as fonts_module
from htr_lightning.data.sources import synthetic_image
from htr_lightning.data.sources.fonts import Face, find_fonts
from htr_lightning.data.sources.rendering import Style, render_line
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.data.sources.synthetic_image import SyntheticImage
from htr_lightning.image.files import DataError


def height_of_ink(image: NDArray[np.uint8]) -> int:
    return int(np.ptp(np.flatnonzero((image < 128).any(axis=1))))


class TestRendering:
    def test_images_are_what_a_line_image_must_be(self) -> None:
        for line in Synthetic(**SMALL, height_px=48).lines("train"):
            image = line.image.read()
            assert image.dtype == np.uint8 and image.ndim == 2 and image.flags["C_CONTIGUOUS"]
            assert image.shape[0] == 48 and image.shape[1] > 20

    @pytest.mark.parametrize("font", fonts_module.PACKAGED_FONTS)
    def test_print_is_not_cut_off(self, font: str) -> None:
        image = render("fÀgçjy Qp", font).image
        border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert border.min() > 100
        assert image.min() < 60

    @pytest.mark.parametrize("style", [Style(), Style(distortion=0.03, ink_width_px=1.5, margin_px=8)])
    def test_a_box_holds_its_character(self, style: Style) -> None:
        text = "a g W é i"
        for seed in range(20):
            rendered = render(text, "delius", style, seed)
            dark = (rendered.image < 200).any(axis=0)
            letters = rendered.boxes[::2]
            # With a space after each letter, letters are apart: gaps in the ink say where they are.
            for k, (start, end) in enumerate(letters):
                left = 0.0 if k == 0 else (letters[k - 1][1] + start) / 2
                right = len(dark) if k == len(letters) - 1 else (end + letters[k + 1][0]) / 2
                columns = np.flatnonzero(dark[int(left) : int(right)]) + int(left)
                assert start <= columns[0] + 0.5 and columns[-1] + 0.5 <= end
                assert columns[0] - start < 5 and end - columns[-1] < 6  # nor is it much too wide

    @pytest.mark.parametrize("font", ["caveat", "great-vibes", "pacifico"])
    def test_boxes_hold_all_ink_of_joined_and_slanted_writing(self, font: str) -> None:
        style = Style(slant_degrees=20, distortion=0.02, baseline_wander=0.03, letter_spacing=0.02, margin_px=6)
        for seed in range(5):
            rendered = render("L'été fjord, Qui?", font, style, seed)
            assert rendered.boxes.shape == (17, 2)
            assert (rendered.boxes[:, 0] < rendered.boxes[:, 1]).all()
            assert rendered.boxes.min() >= 0 and rendered.boxes.max() <= rendered.image.shape[1]
            x = np.arange(rendered.image.shape[1]) + 0.5
            inside = ((rendered.boxes[:, :1] < x) & (x < rendered.boxes[:, 1:])).any(axis=0)
            assert (rendered.image[:, ~inside] > 200).all()

    def test_lines_slant_to_either_side(self) -> None:
        face = find_fonts(["delius"])["delius"].faces[0]
        slants = []
        for seed in range(20):
            generator = np.random.default_rng(seed)
            ink = 255.0 - render_line("lllllll", face, Style(slant_degrees=30), generator).image
            moments = cv2.moments(ink)
            slants.append(-moments["mu11"] / moments["mu02"])
        assert max(slants) > 0.1 and min(slants) < -0.1

    def test_small_letters_are_not_enlarged_to_the_full_height(self) -> None:
        ink = render("a sauce ronce").image < 128
        rows = np.flatnonzero(ink.any(axis=1))
        assert rows[-1] - rows[0] < 0.6 * 64

    def test_block_capitals_have_the_form_of_capitals(self) -> None:
        full = height_of_ink(render("NOUS").image)
        drawn = [render("nous", style=Style(block_capitals=1.0), seed=seed).image for seed in range(16)]
        heights = {round(10 * height_of_ink(image) / full) for image in drawn}
        assert heights == {7, 8, 9, 10}
        assert max(image.shape for image in drawn) == render("NOUS").image.shape

    def test_a_fraction_of_the_lines_is_in_block_capitals_and_keeps_its_text(self) -> None:
        lines = Synthetic(**SMALL, block_capitals=0.5, seed=3).lines("train")
        plain = Synthetic(**SMALL, seed=3).lines("train")
        assert [line.text for line in lines] == [line.text for line in plain]
        widths = [render("llll", style=Style(block_capitals=0.5), seed=seed).image.shape[1] for seed in range(40)]
        assert 10 < widths.count(render("llll").image.shape[1]) < 30

    def test_stray_capitals_are_some_letters_throughout_the_line(self) -> None:
        small, large = (render(text).image.shape[1] for text in ("nnnn oooo", "NNNN OOOO"))
        mixed = {render(text).image.shape[1] for text in ("NNNN oooo", "nnnn OOOO")}
        drawn = [render("nnnn oooo", style=Style(stray_capitals=1.0), seed=seed).image for seed in range(60)]
        full = [image.shape[1] for image in drawn if height_of_ink(image) == height_of_ink(render("NNNN").image)]
        assert mixed < {*full} <= {*mixed, large} and small in {image.shape[1] for image in drawn}
        lines = Synthetic(**SMALL, stray_capitals=1.0, seed=3).lines("train")
        assert [line.text for line in lines] == [line.text for line in Synthetic(**SMALL, seed=3).lines("train")]

    def test_an_accented_letter_goes_with_its_plain_one(self) -> None:
        shapes = {text: render(text).image.shape for text in ("eé", "EÉ", "eÉ", "Eé")}
        drawn = {render("eé", style=Style(stray_capitals=1.0), seed=seed).image.shape for seed in range(40)}
        assert {shapes["eé"], shapes["EÉ"]} <= drawn and not {shapes["eÉ"], shapes["Eé"]} & drawn

    def test_letters_without_a_capital_stay(self) -> None:
        style = Style(block_capitals=1.0)
        np.testing.assert_array_equal(render("ß 7,", style=style).image, render("ß 7,").image)

    def test_squares_and_ruling_lines_are_drawn(self) -> None:
        plain = render("mot").image
        ruled = [render("mot", style=Style(ruling=1.0), seed=seed).image for seed in range(8)]
        assert plain.max() == 255
        for image in ruled:
            faint = (image > 150) & (image < 250)
            assert faint.sum(axis=1).max() > 0.5 * image.shape[1]


class TestFingerprint:
    def test_fingerprints_of_lines_without_block_capitals_have_not_changed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(synthetic_image, "fingerprint_font", lambda path: "font")
        image = SyntheticImage("mot", Face(Path("any.ttf")), 1, Style())
        assert image.fingerprint == "a0445b3350992638868128ce"
        for style in (Style(block_capitals=0.1), Style(stray_capitals=0.1)):
            assert replace(image, style=style).fingerprint != image.fingerprint

    def test_changes_with_every_part(self) -> None:
        faces = find_fonts(["caveat"])["caveat"].faces
        image = SyntheticImage("mot", faces[0], 1, Style())
        others = [
            replace(image, text="mots"),
            replace(image, seed=2),
            replace(image, style=Style(ruling=0.5)),
            replace(image, face=faces[1]),
            replace(image, face=find_fonts(["kalam"])["kalam"].faces[0]),
        ]
        assert len({i.fingerprint for i in (image, *others)}) == 6

    def test_depends_on_the_bytes_of_the_font_not_on_its_path(self, tmp_path: Path) -> None:
        original = find_fonts(["delius"])["delius"].faces[0]
        copy = tmp_path / "x.ttf"
        copy.write_bytes(original.path.read_bytes())
        image = SyntheticImage("mot", original, 1, Style())
        moved = replace(image, face=Face(copy))
        before = moved.fingerprint
        assert before == image.fingerprint
        copy.write_bytes(find_fonts(["zeyada"])["zeyada"].faces[0].path.read_bytes())
        assert moved.fingerprint != before
        copy.unlink()
        assert moved.fingerprint not in (before, image.fingerprint)

    def test_a_missing_font_is_named(self, tmp_path: Path) -> None:
        image = SyntheticImage("mot", Face(tmp_path / "gone.ttf"), 1, Style())
        with pytest.raises(DataError, match=r"gone\.ttf: there is no such file"):
            image.read()
