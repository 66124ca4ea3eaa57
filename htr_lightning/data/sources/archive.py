"""Datasets that come as archives: checking that their parts are unpacked, and reading their lists of lines."""

import re
from collections.abc import Iterator
from pathlib import Path

from htr_lightning.data.line import Line
from htr_lightning.data.sources.data_files import check_root, read_text_file
from htr_lightning.data.sources.markup import MarkupRules
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile, UnusableImage


def require_part(root: Path, part: str, archive: str, alternative: str = "") -> Path:
    """Return the path of a part of a dataset.

    Args:
        root: folder of the dataset.
        part: file or folder in it.
        archive: name and origin of the archive that contains the part, for the message.
        alternative: another remedy, such as ``set dataset.with_test=false``.

    Raises:
        DataError: the root or the part is missing.
    """
    check_root(root, f"the unpacked {archive}")
    path = root / part
    if not path.exists():
        remedy = f"unpack {archive} into {root}" + (f", or {alternative}" if alternative else "")
        raise DataError("this part of the dataset is missing", file=path, remedy=remedy, kind="missing")
    return path


def read_listed_lines(
    list_file: Path, texts: Path, images: Path, suffix: str, markup: MarkupRules, group: re.Pattern[str]
) -> Iterator[Line]:
    """Yield the lines whose ids are in a list; each id has a text file and an image of that name.

    Args:
        list_file: text file with a line id in each row; empty and repeated rows are skipped.
        texts: folder of the text files ``ID.txt``, UTF-8.
        images: folder of the images.
        suffix: of the images, such as ``.png``.
        markup: applied to the texts.
        group: pattern whose match at the start of an id is the group; an id without a match is a group of its own.

    Raises:
        DataError: the list cannot be read. A line without text is yielded as unusable.
    """
    rows = read_text_file(list_file, remedy="unpack the archive again").splitlines()
    for id in dict.fromkeys(filter(None, map(str.strip, rows))):
        match = group.match(id)
        page = match[0] if match else id
        try:
            text = _read_text(texts, id, list_file)
        except DataError as error:
            yield Line(id, UnusableImage(str(error)), "", page)
            continue
        text_to_learn = markup.apply(text)
        if text_to_learn:
            yield Line(id, ImageFile(images / f"{id}{suffix}"), text_to_learn, page)


def _read_text(folder: Path, id: str, list_file: Path) -> str:
    if "/" in id or "\\" in id or id.startswith("."):
        problem = f"the id {id!r} is not a plain file name"
        raise DataError(problem, file=list_file, remedy="remove the row from the list")
    path = folder / f"{id}.txt"
    text = read_text_file(path, remedy=f"unpack it again, or remove {id} from {list_file}")
    if not text.strip():
        raise DataError(
            "the file is empty", file=path, remedy=f"write the text, or remove {id} from {list_file}", kind="empty"
        )
    return text
