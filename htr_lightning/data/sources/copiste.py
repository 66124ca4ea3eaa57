"""Copiste d'un jour: contemporary handwriting from Québec, as published or as prepared lines."""

import functools
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from rapidfuzz import fuzz

from htr_lightning.data.line import LeftOut, Line, Split
from htr_lightning.data.sources.lines import Lines
from htr_lightning.data.sources.pages import Pages
from htr_lightning.image.files import DataError

log = logging.getLogger(__name__)
REPOSITORY = "https://github.com/banq-dcn/Copiste-d-un-jour"
VAL_TEXTS = frozenset(
    {6, 8, 10, 14, 26, 53, 81, 86, 101, 107, 129, 147, 170, 175, 176, 178, 205, 206, 226, 228, 230, 241, 246, 251}
)
TEST_TEXTS = frozenset(
    {2, 7, 15, 28, 41, 54, 55, 58, 73, 94, 100, 133, 141}
    | {151, 153, 158, 160, 161, 189, 204, 223, 232, 243, 253, 281, 306}
)
"""Numbers of the copied texts in the val and test splits of this project; the others are for training. No writer
copied two texts."""

_CONSENT = (
    "J'ai lu les conditions de participation et j'y consens. Je comprends que mon manuscrit sera anonymisé et utilisé "
    "par la BAnQ pour des activités de recherche et développement et qu'il pourra aussi être publié et partagé sous "
    "licence CC-BY pour être utilisé librement à des fins non commerciales."
)
"""Written by every volunteer above the text; left out, since the same words would count hundreds of times."""

_MIN_CERTAIN_LENGTH = 15  # characters; a shorter line may match the consent by chance
_WRITER = r"((?:[a-z]+_)?)wikitexte_(\d{4})((?:_double)?)"  # two texts were copied by two writers each
_STRUCK_OUT = "[><]"
_REFERENCE_NUMBER = r"(?i)wikitexte|^\W*r[ée]f[ée]rence\b"


class Copiste:
    """*Copiste d'un jour* (BAnQ, 2024, CC BY 4.0): French by about 240 writers, split by writer and by copied text.

    Reads a clone of the public repository (folders ``alto`` and ``jpg``), or lines that were cropped before
    (``train.tsv``, ``val.tsv``, ``test.tsv``). From the clone, the paragraph of consent, the reference numbers and
    lines with struck-out words are left out. The prepared lines were filtered a little more, so the two sets differ
    slightly; state which one a result is for.

    Args:
        root: the clone, or the folder of prepared lines.

    Raises:
        DataError: the folder is missing or is neither.
    """

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self.is_clone = (self.root / "alto").is_dir()
        self._source: Lines | Pages
        if self.is_clone:
            drop_text = [_STRUCK_OUT, _REFERENCE_NUMBER]
            self._source = Pages(
                root, format="alto", group_pattern=_WRITER, drop_text=drop_text, split_ratios=[1, 0, 0]
            )
        elif any(self.root.glob("train.*")):
            self._source = Lines(root, group_column="writer")
        else:
            raise DataError(
                "this is neither a clone of Copiste d'un jour (with a folder alto) nor a folder of prepared lines "
                "(with train.tsv)",
                key="dataset.root",
                value=root,
                remedy=f"run git clone {REPOSITORY} {root}",
                kind="missing",
            )

    def left_out(self, split: Split) -> LeftOut:
        """Return what the last call of `lines` left out."""
        return self._source.left_out(split)

    def lines(self, split: Split) -> Sequence[Line]:
        """Return the lines of a split, in the order of their pages.

        Raises:
            DataError: a file that the dataset needs is missing or malformed.
        """
        if not self.is_clone:
            return self._source.lines(split)
        return [line for line in self._copied_lines if _get_split(line.group) == split]

    @functools.cached_property
    def _copied_lines(self) -> list[Line]:
        """The lines of all pages, without the paragraph of consent."""
        lines = self._source.lines("train")  # all pages: the split depends on which text a page shows
        is_certain = [len(line.text) >= _MIN_CERTAIN_LENGTH and _is_consent(line.text) for line in lines]
        page = [line.id.rpartition("/")[0] for line in lines]

        def is_next_to_consent(index: int) -> bool:
            return any(
                is_certain[other] and page[other] == page[index]
                for other in (index - 1, index + 1)
                if 0 <= other < len(lines)
            )

        copied = [
            line
            for n, line in enumerate(lines)
            if not (is_certain[n] or (_is_consent(line.text) and is_next_to_consent(n)))
        ]
        log.info("%s: left out %d lines of the consent paragraph", self.root, len(lines) - len(copied))
        return copied


def _get_split(writer: str) -> Split:
    number = int(next(iter(re.findall(r"\d{4}", writer)), 0))
    return "val" if number in VAL_TEXTS else "test" if number in TEST_TEXTS else "train"


def _is_consent(text: str) -> bool:
    """Whether a line belongs to the paragraph of consent, which each writer broke and worded a little differently."""
    return fuzz.partial_ratio(text.lower(), _CONSENT.lower()) >= 88
