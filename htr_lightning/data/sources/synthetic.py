"""Synthetic lines in handwriting fonts, on synthetic paper."""

import copy
import itertools
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path

import numpy as np

from htr_lightning.data.line import SPLITS, Line, Split
from htr_lightning.data.sources.font_check import FontCheck
from htr_lightning.data.sources.fonts import (
    Font,
    check_font_names,
    find_fonts,
    find_supported_characters,
)
from htr_lightning.data.sources.rendering import Style
from htr_lightning.data.sources.synthetic_image import SyntheticImage
from htr_lightning.data.sources.synthetic_texts import SyntheticTexts
from htr_lightning.image.files import DataError

_NUM_TRIED_TEXTS = 300  # of which a font has to be able to write some
_RANGES: dict[str, tuple[float, float]] = {
    "num_train": (0, 10_000_000),
    "num_val": (0, 10_000_000),
    "num_test": (0, 10_000_000),
    "min_length": (1, 1000),
    "max_length": (1, 1000),
    "height_px": (16, 512),
    "slant_degrees": (0, 45),
    "letter_spacing": (0, 0.2),
    "word_spacing": (0, 1),
    "baseline_wander": (0, 0.2),
    "distortion": (0, 0.1),
    "ink_width_px": (0, 4),
    "ink_lightness": (0, 0.9),
    "paper_texture": (0, 2),
    "ruling": (0, 1),
    "margin_px": (0, 1000),
    "block_capitals": (0, 1),
    "stray_capitals": (0, 1),
    "rare_words": (0, 1),
    "seed": (0, 2**63 - 1),
}


class Synthetic:
    """Lines rendered from handwriting fonts; the same arguments give the same texts and pixels on any machine.

    The texts are random running text with words drawn by their frequency, or pieces of a text file. No text of one
    split occurs in another, regardless of case. Most fonts occur in all splits; held-out fonts measure accuracy on
    unseen handwriting.

    Args:
        num_train: number of training lines. The pieces of a short text file are repeated, rendered differently.
        num_val: number of validation lines.
        num_test: number of test lines.
        languages: codes that ``wordfreq`` knows, such as en, fr, de, ar, zh; each sentence is in one of them. Arabic
            letters are joined where Pillow was built with Raqm; combining marks cannot be rendered.
        min_length: minimum number of characters of a line.
        max_length: maximum number of characters of a line.
        text_file: UTF-8 text to use instead of random text. Longer lines of the file are cut between words; those
            under ``min_length`` are left out.
        font_folder: folder with font files (ttf, otf, woff, woff2) to use in addition to the packaged fonts.
        fonts: use only these fonts, by package name (without ``fontpkg-``) or file stem; None for all.
        held_out_fonts: fonts of the test split, used nowhere else; empty for the same fonts in all splits.
        characters: use only these characters, and the space; None for all that the fonts support.
        height_px: height of the images.
        slant_degrees: maximum slant to either side, in addition to the font's own.
        letter_spacing: standard deviation of the space between letters, in em; also varies the width of letters.
        word_spacing: standard deviation of the space between words, relative to the font's.
        baseline_wander: standard deviation of the height of words over the baseline and of their size, in em.
        distortion: maximum displacement of strokes from the font's outlines, in em.
        ink_width_px: maximum thickening of a stroke.
        ink_lightness: how much lighter than black ink may be, 0..1.
        paper_texture: strength of gradient, stains, grain and blur, 0 for plain white.
        ruling: fraction of the lines on ruled or squared paper, 0..1.
        margin_px: maximum empty border on each side.
        block_capitals: fraction of the lines in which capitals, of full or lower height, replace all small letters,
            0..1. The text keeps its small letters.
        stray_capitals: fraction of the other lines in which capitals replace some small letters, 0..1.
        rare_words: fraction of the words of which all are as likely, instead of by frequency, 0..1: rare letters, and
            the rare ones of thousands of Chinese characters, occur more often. Without effect on a text file.
        seed: seed of texts, fonts and pixels.

    Raises:
        DataError: a value is out of range, a file or folder is missing, or a font is unknown, not installed or
            cannot be opened. `lines` refuses a font that is named but lacks the letters of the texts.
    """

    def __init__(
        self,
        *,
        num_train: int = 4000,
        num_val: int = 300,
        num_test: int = 300,
        languages: list[str] | tuple[str, ...] = ("en", "fr"),
        min_length: int = 8,
        max_length: int = 24,
        text_file: str | None = None,
        font_folder: str | None = None,
        fonts: list[str] | tuple[str, ...] | None = None,
        held_out_fonts: list[str] | tuple[str, ...] = (),
        characters: str | None = None,
        height_px: int = 64,
        slant_degrees: float = 10.0,
        letter_spacing: float = 0.02,
        word_spacing: float = 0.25,
        baseline_wander: float = 0.025,
        distortion: float = 0.02,
        ink_width_px: float = 1.2,
        ink_lightness: float = 0.6,
        paper_texture: float = 1.0,
        ruling: float = 0.3,
        margin_px: int = 10,
        block_capitals: float = 0.0,
        stray_capitals: float = 0.0,
        rare_words: float = 0.0,
        seed: int = 1,
    ) -> None:
        self._num_lines: dict[Split, int] = {"train": num_train, "val": num_val, "test": num_test}
        self._style = Style(
            height_px=height_px,
            slant_degrees=slant_degrees,
            letter_spacing=letter_spacing,
            word_spacing=word_spacing,
            baseline_wander=baseline_wander,
            distortion=distortion,
            ink_width_px=ink_width_px,
            ink_lightness=ink_lightness,
            paper_texture=paper_texture,
            ruling=ruling,
            margin_px=margin_px,
            block_capitals=block_capitals,
            stray_capitals=stray_capitals,
        )
        self._lengths = (min_length, max_length)
        self._languages = tuple(languages)
        self._seed = seed
        self._check(rare_words)
        if text_file is not None and not Path(text_file).is_file():
            raise DataError(
                "there is no such file",
                remedy="check the path",
                key="dataset.text_file",
                value=text_file,
                kind="missing",
            )
        self._texts = SyntheticTexts(
            self._languages,
            self._lengths,
            None if characters is None else frozenset(characters) | {" "},
            None if text_file is None else Path(text_file),
            seed,
            rare_words,
        )
        self._fonts = _assign_fonts(fonts, held_out_fonts, None if font_folder is None else Path(font_folder))
        folder = None if font_folder is None else Path(font_folder)
        self._font_check = FontCheck(frozenset([*(fonts or ()), *held_out_fonts]), folder)

    def lines(self, split: Split) -> Sequence[Line]:
        """Return the lines of a split. Texts are generated here, pixels when the image of a line is read.

        Raises:
            DataError: wordfreq is not installed or does not know a language, the fonts do not support it, or
                there are too few different texts to share none between splits.
        """
        excluded: set[str] = set()
        # Training comes last: it has the most lines, and leaves out the texts of the others.
        for current in ("val", "test", "train"):
            lines = self._generate_lines(current, excluded)
            if current == split:
                return lines
            excluded.update(line.text.casefold() for line in lines)
        raise DataError(f"there is no split {split!r}", remedy=f"choose from {', '.join(SPLITS)}", kind="unknown")

    def _generate_lines(self, split: Split, excluded: set[str]) -> list[Line]:
        """Return the lines of a split, with none of the excluded texts."""
        num_lines = self._num_lines[split]
        generator = np.random.default_rng([self._seed, SPLITS.index(split)])
        fonts = self._fonts[split]
        lines: list[Line] = []
        if num_lines == 0:
            return lines
        tried, _ = self._texts.generate(split, num_lines, fonts, copy.deepcopy(generator))
        texts, alphabet = self._texts.generate(split, num_lines, fonts, generator)
        supported = [find_supported_characters(font.faces[0].path, alphabet) for font in fonts]
        self._font_check(list(itertools.islice(tried, _NUM_TRIED_TEXTS)), fonts, supported)
        for candidate in texts:
            choice = _choose_font(candidate, fonts, supported, generator)
            if choice is None or choice[0].casefold() in excluded:
                continue
            text, font = choice
            face = font.faces[generator.integers(len(font.faces))]
            line_id = f"{split}/{len(lines):06d}"
            image = SyntheticImage(text, face, _derive_seed(self._seed, line_id), self._style)
            lines.append(Line(line_id, image, text, font.name))
            if len(lines) == num_lines:
                return lines
        raise self._texts.shortage_error(split, len(lines), num_lines)

    def _check(self, rare_words: float) -> None:
        """Check numbers against their ranges.

        Raises:
            DataError: a value is out of range.
        """
        shortest, longest = self._lengths
        values = {
            **{f"num_{split}": number for split, number in self._num_lines.items()},
            **asdict(self._style),
            "min_length": shortest,
            "max_length": longest,
            "rare_words": rare_words,
            "seed": self._seed,
        }
        for key, (low, high) in _RANGES.items():
            if not low <= values[key] <= high:
                raise DataError(
                    "the value is out of range",
                    remedy=f"give a number between {low} and {high}",
                    key=f"dataset.{key}",
                    value=values[key],
                    kind="range",
                )
        if shortest > longest:
            raise DataError(
                f"the value is above dataset.max_length={longest}",
                remedy="lower it",
                key="dataset.min_length",
                value=shortest,
                kind="range",
            )
        if not self._languages:
            raise DataError(
                "the list is empty", remedy="give at least one, such as en", key="dataset.languages", kind="empty"
            )


def _assign_fonts(
    names: Sequence[str] | None, held_out: Sequence[str], folder: Path | None
) -> dict[Split, tuple[Font, ...]]:
    """Return the fonts of each split."""
    available = find_fonts(None if names is None else [*names, *held_out], folder)
    check_font_names("dataset.held_out_fonts", held_out, list(available))
    common = tuple(font for name, font in available.items() if name not in held_out)
    if not common:
        raise DataError(
            "no font is left for training",
            remedy="hold out fewer, or add others to dataset.fonts",
            key="dataset.held_out_fonts",
            value=list(held_out),
            kind="empty",
        )
    test = tuple(available[name] for name in available if name in held_out) or common
    return {"train": common, "val": common, "test": test}


def _choose_font(
    text: str, fonts: Sequence[Font], supported: Sequence[frozenset[str]], generator: np.random.Generator
) -> tuple[str, Font] | None:
    """Choose a random font that supports all characters of a text; None if there is none.

    Returns:
        The text, in capitals if the font has no small letters, and the font.
    """
    first = int(generator.integers(len(fonts)))
    for k in range(len(fonts)):
        font, characters = fonts[(first + k) % len(fonts)], supported[(first + k) % len(fonts)]
        rendered = text.upper() if font.capitals_only else text
        # `upper` may lengthen a text (ß becomes SS), which would exceed the maximum length.
        if len(rendered) == len(text) and characters.issuperset(rendered):
            return rendered, font
    return None


def _derive_seed(seed: int, line_id: str) -> int:
    """Return a seed for one line, so that its pixels do not depend on the number of lines before it."""
    return int.from_bytes(blake2b(f"{seed}/{line_id}".encode(), digest_size=8).digest(), "little")
