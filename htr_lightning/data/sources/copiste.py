"""Copiste d'un jour: contemporary handwriting from Québec, as published or as prepared lines."""

import functools
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from rapidfuzz import fuzz

from htr_lightning.data.line import Line, Split
from htr_lightning.data.sources.lines import Lines
from htr_lightning.data.sources.pages import Pages
from htr_lightning.image.files import DataError

log = logging.getLogger(__name__)
REPOSITORY = "https://github.com/banq-dcn/Copiste-d-un-jour"
VAL_TEXTS = frozenset(
    {6, 8, 10, 14, 26, 53, 81, 86, 101, 107, 129, 147, 170, 175, 176, 178, 205, 206, 226, 228, 230, 241, 246, 251}
)
TEST_TEXTS = frozenset(
    {
        2,
        7,
        15,
        28,
        41,
        54,
        55,
        58,
        73,
        94,
        100,
        133,
        141,
        151,
        153,
        158,
        160,
        161,
        189,
        204,
        223,
        232,
        243,
        253,
        281,
        306,
    }
)
"""Numbers of the copied texts in the splits of this project; all others are for training. No writer copied two."""

_CONSENT = (
    "J'ai lu les conditions de participation et j'y consens. Je comprends que mon manuscrit sera anonymisé et utilisé "
    "par la BAnQ pour des activités de recherche et développement et qu'il pourra aussi être publié et partagé sous "
    "license CC-BY pour être utilisé librement à des fins non commerciales."
)
"""What every volunteer wrote above the text: the same words everywhere would count many times over."""

_SURE_LENGTH = 15
_WRITER = r"((?:[a-z]+_)?)wikitexte_(\d{4})((?:_double)?)"  # two texts were copied by two writers each
_STRUCK_OUT = "[><]"
_REFERENCE = r"(?i)wikitexte|^\W*r[ée]f[ée]rence\b"


class Copiste:
    """*Copiste d'un jour* (BAnQ, 2024, CC BY 4.0): French by some 240 hands, split by writer and by copied text.

    Read from a clone of the public repository (folders ``alto`` and ``jpg``), or from lines that were cut out
    before (``train.tsv``, ``val.tsv``, ``test.tsv``). From the clone, the paragraph of consent, the reference
    numbers and lines with struck-out words are left out. The prepared set went a little further, so that the two
    do not have quite the same lines; say which one was used with a figure.

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
            self._source = Pages(
                root, format="alto", group_pattern=_WRITER, drop_text=[_STRUCK_OUT, _REFERENCE], split_ratios=[1, 0, 0]
            )
        elif any(self.root.glob("train.*")):
            self._source = Lines(root, group_column="writer")
        else:
            raise DataError(
                f"{root}: neither a clone of Copiste d'un jour (a folder alto) nor prepared lines (train.tsv); "
                f"git clone {REPOSITORY} {root}"
            )

    def lines(self, split: Split) -> Sequence[Line]:
        """Return the lines of a split, in the order of their pages.

        Raises:
            DataError: a file that the data set needs is missing or malformed.
        """
        if not self.is_clone:
            return self._source.lines(split)
        return [line for line in self._texts if _split_of(line.group) == split]

    @functools.cached_property
    def _texts(self) -> list[Line]:
        """The lines of all pages but for the paragraph of consent."""
        lines = self._source.lines("train")  # one split of all pages: which text a page shows decides
        surely = [len(line.text) >= _SURE_LENGTH and _is_consent(line.text) for line in lines]
        page = [line.id.rpartition("/")[0] for line in lines]

        def beside(place: int) -> bool:
            return any(
                surely[other] and page[other] == page[place]
                for other in (place - 1, place + 1)
                if 0 <= other < len(lines)
            )

        # A short line, such as the end of a paragraph, may stand in the consent by chance: its neighbors decide.
        kept = [line for n, line in enumerate(lines) if not (surely[n] or (_is_consent(line.text) and beside(n)))]
        log.info("%s: %d lines of the consent are left out", self.root, len(lines) - len(kept))
        return kept


def _split_of(writer: str) -> Split:
    number = int(next(iter(re.findall(r"\d{4}", writer)), 0))
    return "val" if number in VAL_TEXTS else "test" if number in TEST_TEXTS else "train"


def _is_consent(text: str) -> bool:
    """Whether a line is part of the paragraph of consent, which each writer broke elsewhere and varied a little."""
    return fuzz.partial_ratio(text.lower(), _CONSENT.lower()) >= 88
