"""Handwriting fonts: where they are, and which characters they support."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

from htr_lightning.image.files import DataError

# The PyPI packages fontpkg-<name>: open licenses; every font has ASCII and the French accents.
PACKAGED_FONTS: tuple[str, ...] = (
    "caveat",
    "dancing-script",
    "delius",
    "great-vibes",
    "indie-flower",
    "kalam",
    "pacifico",
    "permanent-marker",
    "satisfy",
    "shadows-into-light",
    "yellowtail",
    "zeyada",
)
INSTALL_COMMAND = 'pip install "htr-lightning[synthetic]"'

# These draw small letters as capitals: a transcription in small letters would not match the image.
_CAPITALS_ONLY = frozenset({"permanent-marker"})
_SUFFIXES = frozenset({".ttf", ".otf", ".woff2", ".woff"})
_WEIGHT_STEP = 100
_PROBE_SIZE_PX = 24
_NO_GLYPH = "\uffff"  # a non-character: no font has it, so this draws the font's .notdef glyph


@dataclass(frozen=True, slots=True)
class Face:
    """One font file at one weight.

    Attributes:
        path: the font file.
        weight: position on the weight axis of a variable font (400 regular, 700 bold); None for other fonts.
    """

    path: Path
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class Font:
    """One handwriting.

    Attributes:
        name: package name without ``fontpkg-``, or the stem of the user's file.
        faces: the same handwriting with thinner and thicker strokes, at least one.
        capitals_only: whether the font has no small letters of its own.
    """

    name: str
    faces: tuple[Face, ...]
    capitals_only: bool = False


def find_fonts(names: Sequence[str] | None = None, folder: Path | None = None) -> dict[str, Font]:
    """Find fonts by name among the installed packages and the user's folder.

    Args:
        names: names of the fonts; None for all of `PACKAGED_FONTS` and of the folder.
        folder: folder of the user's font files, searched recursively; the stem of a file is the name of its font.

    Returns:
        The fonts by name: first the packaged ones in the order of `PACKAGED_FONTS`, then those of the folder by name.

    Raises:
        DataError: a package is not installed, a name is unknown, the folder is missing or contains no font,
            two fonts share a name, or a file cannot be opened as a font.
    """
    folder_fonts = {} if folder is None else _find_folder_fonts(folder)
    if duplicates := sorted(set(folder_fonts) & set(PACKAGED_FONTS)):
        raise DataError(
            f"{duplicates[0]} is also the name of a packaged font",
            remedy="rename the file",
            key="dataset.font_folder",
            value=folder,
            kind="duplicate",
        )
    available = [*PACKAGED_FONTS, *folder_fonts]
    requested = available if names is None else list(names)
    if not requested:
        raise DataError(
            "the list is empty", remedy=f"choose from {', '.join(available)}, or leave it out", key="dataset.fonts"
        )
    check_font_names("dataset.fonts", requested, available)
    packaged = _find_packaged_fonts([name for name in PACKAGED_FONTS if name in requested])
    fonts = packaged | {name: font for name, font in folder_fonts.items() if name in requested}
    for font in fonts.values():
        for face in font.faces:
            open_face(face, _PROBE_SIZE_PX)
    return fonts


def check_font_names(key: str, names: Sequence[str], available: Sequence[str]) -> None:
    """Check that all names are those of available fonts.

    Args:
        key: key of the configuration that contains the names.
        names: names to check.
        available: names to choose from.

    Raises:
        DataError: a name is unknown.
    """
    for name in names:
        if name not in available:
            raise DataError(
                f"no font is called {name!r}", remedy=f"choose from {', '.join(available)}", key=key, kind="unknown"
            )


def _find_packaged_fonts(names: Sequence[str]) -> dict[str, Font]:
    if not names:
        return {}
    try:
        import fontpkg

        families = fontpkg.families()
    except ImportError:
        families = {}
    if missing := [name for name in names if name not in families]:
        raise DataError(
            f"the font package fontpkg-{missing[0]} is not installed",
            remedy=f"run: {INSTALL_COMMAND}, or set dataset.fonts to fonts that you have",
            kind="not_installed",
        )
    fonts = {}
    for name in names:
        faces: list[Face] = []
        for file in families[name].files:
            if file.variable and file.wght_min is not None and file.wght_max is not None:
                weights = range(file.wght_min, file.wght_max + 1, _WEIGHT_STEP)
                faces += [Face(file.path, weight) for weight in weights]
            else:
                faces.append(Face(file.path))
        fonts[name] = Font(name, tuple(faces), name in _CAPITALS_ONLY)
    return fonts


def _find_folder_fonts(folder: Path) -> dict[str, Font]:
    if not folder.is_dir():
        raise DataError(
            "there is no such folder", remedy="check the path", key="dataset.font_folder", value=folder, kind="missing"
        )
    fonts: dict[str, Font] = {}
    files = [p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file()]
    for path in sorted(files, key=lambda p: (p.stem, p.as_posix())):
        if path.stem in fonts:
            other = fonts[path.stem].faces[0].path
            raise DataError(
                f"{path} and {other} have the same name",
                remedy="rename one of them",
                key="dataset.font_folder",
                kind="duplicate",
            )
        fonts[path.stem] = Font(path.stem, (Face(path),))
    if not fonts:
        raise DataError(
            f"the folder contains no font file ({', '.join(sorted(_SUFFIXES))})",
            remedy="check the path",
            key="dataset.font_folder",
            value=folder,
            kind="empty",
        )
    return fonts


def is_joining(character: str) -> bool:
    """Whether a letter changes its shape with its neighbors, as Arabic ones do, so that words have to be shaped."""
    return unicodedata.bidirectional(character) == "AL"


def can_shape() -> bool:
    """Whether Pillow was built with Raqm, which shapes words by HarfBuzz."""
    return bool(features.check("raqm"))


@lru_cache(maxsize=512)
def open_face(face: Face, size_px: int, *, shapes: bool = False) -> ImageFont.FreeTypeFont:
    """Open a font at a size in px per em.

    Args:
        face: the font.
        size_px: px per em.
        shapes: for words of joining letters (`can_shape`).

    Raises:
        DataError: the file does not exist or is not a font.
    """
    try:
        # The basic layout is in every build of Pillow, so a text looks the same everywhere.
        engine = ImageFont.Layout.RAQM if shapes else ImageFont.Layout.BASIC
        font = ImageFont.truetype(str(face.path), size_px, layout_engine=engine)
        if face.weight is not None:
            font.set_variation_by_axes([face.weight])
    except OSError as error:
        is_missing = not face.path.exists()
        raise DataError(
            "there is no such file" if is_missing else f"not a font ({error})",
            remedy="remove it from the fonts or replace it with a valid font file",
            file=face.path,
            kind="missing" if is_missing else "damaged",
        ) from error
    return font


def draw_glyph(font: ImageFont.FreeTypeFont, char: str) -> tuple[Image.Image, int, int]:
    """Draw one character, white on black.

    Returns:
        The gray image and the position of its upper left corner relative to the pen on the baseline: x and y in
        px, y pointing down. The image has a border of at least one black px.
    """
    x0, y0, x1, y1 = font.getbbox(char, anchor="ls")
    left, top = int(x0) - 1, int(y0) - 1
    image = Image.new("L", (int(x1) + 2 - left, int(y1) + 2 - top))
    ImageDraw.Draw(image).text((-left, -top), char, fill=255, font=font, anchor="ls")
    return image, left, top


@lru_cache(maxsize=1024)
def find_supported_characters(path: Path, characters: frozenset[str]) -> frozenset[str]:
    """Return those of the characters that a font file can draw one by one; always includes a space that is asked for.

    A character is supported if its glyph has ink and differs from the glyph that the font draws for missing
    characters. Combining marks are not supported, because glyphs are set one after the other; nor joining letters where
    Pillow cannot shape words.

    Raises:
        DataError: the file cannot be opened as a font.
    """
    font = open_face(Face(path), _PROBE_SIZE_PX)
    missing = _rasterize(font, _NO_GLYPH)
    return frozenset(
        c for c in characters if c == " " or (_can_be_set(c) and _rasterize(font, c) not in (None, missing))
    )


def _can_be_set(char: str) -> bool:
    return unicodedata.category(char)[0] not in "CMZ" and (not is_joining(char) or can_shape())


def _rasterize(font: ImageFont.FreeTypeFont, char: str) -> tuple[tuple[int, int], bytes] | None:
    """Return the size and the pixels of a glyph's ink; None if it has none."""
    image, _, _ = draw_glyph(font, char)
    box = image.getbbox()
    return None if box is None else ((box[2] - box[0], box[3] - box[1]), image.crop(box).tobytes())


def fingerprint_font(path: Path) -> str:
    """Return a hash of the bytes of a font file, the same on every machine; ``absent`` if there is no file."""
    try:
        status = path.stat()
        return _hash_file(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return "absent"


@lru_cache(maxsize=1024)
def _hash_file(path: Path, size: int, time_ns: int) -> str:
    # Size and time are parts of the cache key, so that a file that has changed is read again.
    return blake2b(path.read_bytes(), digest_size=8).hexdigest()
