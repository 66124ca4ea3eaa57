"""What data sets that come as archives share: parts that must be there, and lists of lines."""

import re
from collections.abc import Iterator
from pathlib import Path

from htr_lightning.data.line import Line
from htr_lightning.data.sources.markup import Markup
from htr_lightning.data.sources.page_images import check_root
from htr_lightning.image.files import DataError, ImageFile, UnusableImage


def need(root: Path, part: str, archive: str, otherwise: str = "") -> Path:
    """Return the path of a part of a data set.

    Args:
        root: folder of the data set.
        part: path in it.
        archive: what the part comes in, and from where.
        otherwise: another remedy, as the end of a sentence.

    Raises:
        DataError: the root or the part is missing.
    """
    check_root(root, f"in which you unpacked {archive}")
    if not (root / part).exists():
        raise DataError(f"{root}: {part} is missing; unpack {archive} into this folder{otherwise}")
    return root / part


def listed(
    names: Path, texts: Path, images: Path, suffix: str, markup: Markup, group: re.Pattern[str]
) -> Iterator[Line]:
    """Yield the lines that a list names, which have a text file and an image of that name.

    Args:
        names: text file with the id of a line in each row; empty rows and repetitions are passed over.
        texts: folder of ``ID.txt``, UTF-8.
        images: folder of the images.
        suffix: of the images, such as ``.png``.
        markup: what becomes of the texts.
        group: what it matches at the start of an id is the group; an id that it does not match is one itself.

    Raises:
        DataError: the list cannot be read. A line without text is yielded as unusable.
    """
    try:
        rows = names.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{names}: cannot be read ({_words(error)}); unpack the archive again") from None
    for name in dict.fromkeys(filter(None, map(str.strip, rows))):
        match = group.match(name)
        page = match[0] if match else name
        try:
            text = _text_of(texts, name)
        except DataError as error:
            yield Line(name, UnusableImage(f"{names}: line {name}: {error}"), "", page)
            continue
        cleaned = markup(text)
        if cleaned:
            yield Line(name, ImageFile(images / f"{name}{suffix}"), cleaned, page)


def _text_of(folder: Path, name: str) -> str:
    if "/" in name or "\\" in name or name.startswith("."):
        raise DataError("an id is the name of a file without its folder; take the row out of the list")
    path = folder / f"{name}.txt"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({_words(error)}); unpack it again, or take it off the list") from None
    if not text.strip():
        raise DataError(f"{path} is empty; write the text, or take the line off the list")
    return text


def _words(error: OSError | UnicodeDecodeError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error.strerror)
