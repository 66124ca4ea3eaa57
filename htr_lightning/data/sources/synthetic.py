"""Lines written by the computer, in handwriting fonts, on paper that looks like paper."""

import itertools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import SPLITS, Line, Split
from htr_lightning.data.sources.fonts import Face, Font, coverage, find_fonts, font_fingerprint
from htr_lightning.data.sources.grammar import Grammar, characters_of, cut
from htr_lightning.data.sources.rendering import Rendered, Style, render_line
from htr_lightning.image.files import MAX_PIXELS, DataError
from htr_lightning.text import clean_text

_RENDERING = 1  # raise it when the same arguments give other pixels, so that packed lines are made anew
_PATIENCE = 20  # texts looked at for each one wanted, before the search is given up


@dataclass(frozen=True, slots=True)
class SyntheticImage:
    """A line that is drawn when it is read.

    Attributes:
        text: what it says; the font has every character.
        face: the font.
        seed: of everything that the style leaves to chance.
        style: how far the line may differ from print.
    """

    text: str
    face: Face
    seed: int
    style: Style

    @property
    def fingerprint(self) -> str:
        """A digest of all attributes and of the font file's bytes."""
        font = font_fingerprint(self.face.path)
        parts = f"{_RENDERING}|{font}|{self.face.weight}|{self.seed}|{_words(self.style)}|{self.text}"
        return blake2b(parts.encode(), digest_size=12).hexdigest()

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Return the pixels, gray ``(height_px, W)``.

        Raises:
            DataError: the font file is gone or is no font.
        """
        return self.render().image

    def render(self) -> Rendered:
        """Return the pixels and, for each character, where it stands."""
        return render_line(self.text, self.face, self.style, np.random.default_rng(self.seed))


@lru_cache(maxsize=64)
def _words(style: Style) -> str:
    """Return what a style says; a hand without such capitals as before there were any, as its pixels are the same."""
    return repr(style).replace(", block_capitals=0.0", "").replace(", stray_capitals=0.0", "")


class Synthetic:
    """Lines rendered from handwriting fonts; the same arguments give the same texts and pixels anywhere.

    The texts are running text of our own grammar, words drawn by their frequency, or are cut from a file of
    yours. No text of one split occurs in another, whatever its capitals. Most fonts write in all splits;
    held-out fonts tell how well unseen hands are read.

    Args:
        num_train: number of training lines. A text file that is too short is gone through again, in new hands.
        num_val: number of validation lines.
        num_test: number of test lines.
        languages: codes known to ``wordfreq``: en, fr, de ...; each sentence is in one of them. Right-to-left
            scripts and scripts with combining marks cannot be rendered.
        min_length: fewest characters of a line.
        max_length: most characters of a line.
        text_file: UTF-8 text to write instead of the grammar's. Lines of the file that are short enough are
            kept, longer ones cut between words, those under ``min_length`` left out.
        font_folder: folder with font files (ttf, otf, woff, woff2) to use besides the packages'.
        fonts: use only these fonts, named as the packages (without ``fontpkg-``) or as the files; None for all.
        held_out_fonts: the fonts of the test split, used nowhere else; empty for the same fonts everywhere.
        characters: use only these characters, and the space; None for all that the fonts have.
        height_px: height of the images.
        slant_degrees: largest slant to either side, on top of the font's own.
        letter_spacing: spread of the space between letters, in em; also of the width of letters.
        word_spacing: spread of the space between words, as a share of the font's.
        baseline_wander: spread of the words' height over the baseline and of their size, in em.
        distortion: how far strokes are bent from the font's outlines, in em.
        ink_width_px: largest thickening of a stroke.
        ink_lightness: how much lighter than black ink may be, 0..1.
        paper_texture: strength of gradient, stains, grain and blur, 0 for plain white.
        ruling: share of the lines on ruled or squared paper, 0..1.
        margin_px: largest empty border on any side.
        block_capitals: share of the lines whose small letters are written as capitals, high or less high, 0..1. The
            text keeps its small letters.
        stray_capitals: share of the other lines where that is so of some letters only, 0..1.
        seed: of texts, hands and pixels.

    Raises:
        DataError: a value is out of its range, a file or folder is missing, a font is unknown, not installed or
            cannot be opened.
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
        self._characters = None if characters is None else frozenset(characters) | {" "}
        self._check()
        self._text_file = None if text_file is None else Path(text_file)
        if self._text_file is not None and not self._text_file.is_file():
            raise DataError(f"dataset.text_file={text_file}: there is no such file; check the path")
        self._fonts = _pools(fonts, held_out_fonts, None if font_folder is None else Path(font_folder))

    def lines(self, split: Split) -> Sequence[Line]:
        """Return the lines of a split; texts are made here, pixels when a line's image is read.

        Raises:
            DataError: wordfreq is not installed or does not know a language, the fonts cannot write it, or
                there are not enough different texts to keep the splits apart.
        """
        taken: set[str] = set()
        # Training goes last: it alone can do without the texts that the others took.
        for earlier in ("val", "test", "train"):
            lines = self._written(earlier, taken)
            if earlier == split:
                return lines
            taken.update(line.text.casefold() for line in lines)
        raise DataError(f"a data set has no split {split!r}; choose one of {', '.join(SPLITS)}")

    def _written(self, split: Split, taken: set[str]) -> list[Line]:
        """Write the lines of a split, none of them a text that is taken."""
        number = self._num_lines[split]
        generator = np.random.default_rng([self._seed, SPLITS.index(split)])
        pool = self._fonts[split]
        lines: list[Line] = []
        if number == 0:
            return lines
        texts, alphabet = self._texts(split, pool, generator)
        covered = [coverage(font.faces[0].path, alphabet) for font in pool]
        for text in itertools.islice(texts, _PATIENCE * number + 1000):
            fitted = _fit(text, pool, covered, generator)
            if fitted is None or fitted[0].casefold() in taken:
                continue
            written, font = fitted
            face = font.faces[generator.integers(len(font.faces))]
            name = f"{split}/{len(lines):06d}"
            image = SyntheticImage(written, face, _seed_of(self._seed, name), self._style)
            lines.append(Line(name, image, written, font.name))
            if len(lines) == number:
                return lines
        raise self._shortage(split, len(lines))

    def _texts(
        self, split: Split, pool: Sequence[Font], generator: np.random.Generator
    ) -> tuple[Iterator[str], frozenset[str]]:
        """Texts for a split, in no font yet, and all characters that they may use."""
        if self._text_file is not None:
            pieces = self._pieces(self._text_file)
            # Only training may see a text twice, in different hands.
            texts = itertools.cycle(pieces) if split == "train" else iter(pieces)
            alphabet = self._allowed("".join(pieces + [piece.upper() for piece in pieces]))
            return texts, alphabet
        alphabet = self._allowed(characters_of(self._languages))
        drawable = frozenset().union(*(coverage(font.faces[0].path, alphabet) for font in pool))
        words = Grammar(self._languages, drawable).words(generator)
        # A limit, for lengths that no text has.
        num_words = (_PATIENCE * self._num_lines[split] + 1000) * (self._lengths[1] // 3 + 1)
        return cut(itertools.islice(words, num_words), *self._lengths, generator), alphabet

    def _allowed(self, characters: Iterable[str]) -> frozenset[str]:
        found = frozenset(characters)
        return found if self._characters is None else found & self._characters

    def _pieces(self, path: Path) -> list[str]:
        """Lines of the user's text, all different, in an order of the seed's."""
        try:
            content = unicodedata.normalize("NFC", path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"dataset.text_file={path}: {error}; give a text file in UTF-8") from error
        generator = np.random.default_rng([self._seed, len(SPLITS)])
        pieces: dict[str, str] = {}
        for line in map(clean_text, content.splitlines()):
            short = len(line) <= self._lengths[1]
            for piece in [line] if short else cut(iter(line.split()), *self._lengths, generator):
                if len(piece) >= self._lengths[0]:
                    pieces.setdefault(piece.casefold(), piece)
        ordered = list(pieces.values())
        return [ordered[i] for i in generator.permutation(len(ordered))]

    def _shortage(self, split: Split, found: int) -> DataError:
        shortest, longest = self._lengths
        wanted = f"{found} of {self._num_lines[split]} {split} texts of {shortest} to {longest} characters"
        if self._text_file is not None:
            return DataError(
                f"dataset.text_file={self._text_file}: gives only {wanted} that the fonts can write and no other "
                f"split has; give a longer text, or lower dataset.num_val, dataset.num_test or dataset.min_length"
            )
        return DataError(
            f"dataset.max_length={longest}: the grammar found only {wanted} that no other split has; raise "
            f"dataset.max_length or lower dataset.num_val and dataset.num_test"
        )

    def _check(self) -> None:
        """Check the plain values."""
        style, (shortest, longest) = self._style, self._lengths
        ranges: dict[str, tuple[float, float, float]] = {
            **{f"num_{split}": (number, 0, 10_000_000) for split, number in self._num_lines.items()},
            "min_length": (shortest, 1, 1000),
            "max_length": (longest, 1, 1000),
            "height_px": (style.height_px, 16, 512),
            "slant_degrees": (style.slant_degrees, 0, 45),
            "letter_spacing": (style.letter_spacing, 0, 0.2),
            "word_spacing": (style.word_spacing, 0, 1),
            "baseline_wander": (style.baseline_wander, 0, 0.2),
            "distortion": (style.distortion, 0, 0.1),
            "ink_width_px": (style.ink_width_px, 0, 4),
            "ink_lightness": (style.ink_lightness, 0, 0.9),
            "paper_texture": (style.paper_texture, 0, 2),
            "ruling": (style.ruling, 0, 1),
            "margin_px": (style.margin_px, 0, 1000),
            "block_capitals": (style.block_capitals, 0, 1),
            "stray_capitals": (style.stray_capitals, 0, 1),
            "seed": (self._seed, 0, 2**63 - 1),
        }
        for key, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise DataError(f"dataset.{key}={value}: must lie between {low} and {high}")
        if shortest > longest:
            raise DataError(f"dataset.min_length={shortest} is above dataset.max_length={longest}; lower it")
        if not self._languages:
            raise DataError("dataset.languages is empty; name at least one, such as en")


def _pools(names: Sequence[str] | None, held_out: Sequence[str], folder: Path | None) -> dict[Split, tuple[Font, ...]]:
    """The fonts of each split."""
    found = find_fonts(None if names is None else [*names, *held_out], folder)
    if unknown := [name for name in held_out if name not in found]:
        raise DataError(f"dataset.held_out_fonts: no font is called {unknown[0]!r}; there is {', '.join(found)}")
    common = tuple(font for name, font in found.items() if name not in held_out)
    if not common:
        raise DataError(
            f"dataset.held_out_fonts={list(held_out)}: leaves no font to train with; hold out fewer, or add "
            f"others to dataset.fonts"
        )
    test = tuple(found[name] for name in found if name in held_out) or common
    return {"train": common, "val": common, "test": test}


def _fit(
    text: str, pool: Sequence[Font], covered: Sequence[frozenset[str]], generator: np.random.Generator
) -> tuple[str, Font] | None:
    """Choose a font that has all the text's characters; None when there is none.

    Returns:
        The text as that font writes it, and the font.
    """
    first = int(generator.integers(len(pool)))
    for k in range(len(pool)):
        font, characters = pool[(first + k) % len(pool)], covered[(first + k) % len(pool)]
        # `upper` may lengthen a text (ß becomes SS): another font must write that one.
        written = text.upper() if font.capitals_only else text
        if len(written) == len(text) and characters.issuperset(written):
            return written, font
    return None


def _seed_of(seed: int, name: str) -> int:
    """A seed of its own for each line, so that no line depends on how many others were drawn."""
    return int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "little")
