"""Handwriting fonts: where they are, and which characters they really have."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from htr_lightning.image.files import DataError

# The PyPI packages fontpkg-<name>: open licenses, ASCII and French accents in every one.
SHIPPED: tuple[str, ...] = (
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
INSTALL = 'pip install "htr-lightning[synthetic]"'

# These draw small letters as capitals: a text in small letters would not be what the image shows.
_CAPITALS_ONLY = frozenset({"permanent-marker"})
_SUFFIXES = frozenset({".ttf", ".otf", ".woff2", ".woff"})
_WEIGHT_STEP = 100
_PROBE_SIZE_PX = 24
_NO_GLYPH = "\uffff"  # a non-character: no font has it, so this draws the font's .notdef


@dataclass(frozen=True, slots=True)
class Face:
    """One font file at one weight.

    Attributes:
        path: the font file.
        weight: of a variable font, on its weight axis (400 regular, 700 bold); None for a font that has none.
    """

    path: Path
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class Font:
    """One handwriting.

    Attributes:
        name: package name without ``fontpkg-``, or the stem of the user's file.
        faces: the same hand in thinner and thicker strokes, at least one.
        capitals_only: it has no small letters of its own.
    """

    name: str
    faces: tuple[Face, ...]
    capitals_only: bool = False


def find_fonts(names: Sequence[str] | None = None, folder: Path | None = None) -> dict[str, Font]:
    """Find fonts by name among the installed packages and the user's folder.

    Args:
        names: which fonts, by name; None for all of `SHIPPED` and of the folder.
        folder: where font files of the user's lie, at any depth; the stem of a file is its font's name.

    Returns:
        The fonts by name: the packages' in the order of `SHIPPED`, then the folder's by name.

    Raises:
        DataError: a package is not installed, a name is unknown, the folder is missing or holds no font,
            two fonts share a name, or a file cannot be opened as a font.
    """
    own = {} if folder is None else _folder_fonts(folder)
    if twice := sorted(set(own) & set(SHIPPED)):
        raise DataError(f"dataset.font_folder={folder}: {twice[0]} is also a package's font; rename the file")
    known = [*SHIPPED, *own]
    wanted = known if names is None else list(names)
    if not wanted:
        raise DataError(f"dataset.fonts is empty; name at least one of {', '.join(known)}, or leave it out")
    if unknown := [name for name in wanted if name not in known]:
        raise DataError(f"dataset.fonts: no font is called {unknown[0]!r}; there is {', '.join(known)}")
    packaged = _packaged_fonts([name for name in SHIPPED if name in wanted])
    fonts = packaged | {name: font for name, font in own.items() if name in wanted}
    for font in fonts.values():
        for face in font.faces:
            open_face(face, _PROBE_SIZE_PX)
    return fonts


def _packaged_fonts(names: Sequence[str]) -> dict[str, Font]:
    if not names:
        return {}
    try:
        import fontpkg

        families = fontpkg.families()
    except ImportError:
        families = {}
    if missing := [name for name in names if name not in families]:
        raise DataError(
            f"the font package fontpkg-{missing[0]} is not installed; run: {INSTALL}, "
            f"or name in dataset.fonts only fonts that you have"
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


def _folder_fonts(folder: Path) -> dict[str, Font]:
    if not folder.is_dir():
        raise DataError(f"dataset.font_folder={folder}: there is no such folder; check the path")
    fonts: dict[str, Font] = {}
    files = [p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file()]
    for path in sorted(files, key=lambda p: (p.stem, p.as_posix())):
        if path.stem in fonts:
            other = fonts[path.stem].faces[0].path
            raise DataError(f"dataset.font_folder: {path} and {other} have the same name; rename one")
        fonts[path.stem] = Font(path.stem, (Face(path),))
    if not fonts:
        endings = ", ".join(sorted(_SUFFIXES))
        raise DataError(f"dataset.font_folder={folder}: holds no font file ({endings}); check the path")
    return fonts


@lru_cache(maxsize=512)
def open_face(face: Face, size_px: int) -> ImageFont.FreeTypeFont:
    """Open a font at a size in px per em.

    Raises:
        DataError: there is no such file, or it is not a font.
    """
    try:
        # The basic layout is in every build of Pillow, so a text looks the same everywhere.
        font = ImageFont.truetype(str(face.path), size_px, layout_engine=ImageFont.Layout.BASIC)
        if face.weight is not None:
            font.set_variation_by_axes([face.weight])
    except OSError as error:
        reason = "there is no such file" if not face.path.exists() else f"not a font ({error})"
        raise DataError(f"{face.path}: {reason}; remove it from the fonts or put a sound file there") from error
    return font


def glyph_image(font: ImageFont.FreeTypeFont, char: str) -> tuple[Image.Image, int, int]:
    """Draw one character, white on black.

    Returns:
        The gray image and the place of its upper left corner relative to the pen on the baseline: x and y in
        px, y downwards. The image has a border of at least one black px.
    """
    x0, y0, x1, y1 = font.getbbox(char, anchor="ls")
    left, top = int(x0) - 1, int(y0) - 1
    image = Image.new("L", (int(x1) + 2 - left, int(y1) + 2 - top))
    ImageDraw.Draw(image).text((-left, -top), char, fill=255, font=font, anchor="ls")
    return image, left, top


@lru_cache(maxsize=1024)
def coverage(path: Path, characters: frozenset[str]) -> frozenset[str]:
    """Return those of the characters that a font file can draw one by one, the space included.

    A glyph counts when it has ink and differs from what the font draws for a character it lacks.
    Characters of right-to-left scripts and combining marks count as lacking, for glyphs are set one after
    the other from left to right.

    Raises:
        DataError: the file cannot be opened as a font.
    """
    font = open_face(Face(path), _PROBE_SIZE_PX)
    lacking = _drawn(font, _NO_GLYPH)
    return frozenset(c for c in characters if c == " " or (_settable(c) and _drawn(font, c) not in (None, lacking)))


def _settable(char: str) -> bool:
    return unicodedata.category(char)[0] not in "CMZ" and unicodedata.bidirectional(char) not in ("R", "AL")


def _drawn(font: ImageFont.FreeTypeFont, char: str) -> tuple[tuple[int, int], bytes] | None:
    """Size and pixels of a glyph's ink; None without ink."""
    image, _, _ = glyph_image(font, char)
    box = image.getbbox()
    return None if box is None else ((box[2] - box[0], box[3] - box[1]), image.crop(box).tobytes())


def font_fingerprint(path: Path) -> str:
    """Return a digest of a font file's bytes, the same on every machine; ``absent`` without the file."""
    try:
        status = path.stat()
        return _digest(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return "absent"


@lru_cache(maxsize=1024)
def _digest(path: Path, size: int, time_ns: int) -> str:
    # Size and time are there for the cache: a file that is exchanged is read again.
    return blake2b(path.read_bytes(), digest_size=8).hexdigest()
