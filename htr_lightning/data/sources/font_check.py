"""Finds fonts that lack the letters of the texts."""

import logging
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.data.sources.fonts import Font, can_shape, is_joining
from htr_lightning.image.files import DataError
from htr_lightning.text import describe_characters

log = logging.getLogger(__name__)
_MIN_WRITABLE = 0.1  # fraction of the texts; any font can write those of digits alone
_MAX_NAMED = 5  # characters in a message


class FontCheck:
    """Refuses fonts that can write hardly any text: one that is named, or all; warns of one in the user's folder.

    Args:
        named: names of fonts in the configuration.
        folder: of the user's fonts; None for none.
    """

    def __init__(self, named: frozenset[str], folder: Path | None) -> None:
        self._named, self._folder = named, folder
        self._reported = set[str]()

    def __call__(self, texts: Sequence[str], fonts: Sequence[Font], supported: Sequence[frozenset[str]]) -> None:
        """Check fonts on some texts.

        Args:
            texts: like those that are to be written.
            fonts: of which the packaged ones may be useless: they are for several scripts.
            supported: characters of each font.

        Raises:
            DataError: names the font, if it is one, and the characters that are lacking.
        """
        for font, characters in zip(fonts, supported, strict=True):
            is_named = font.name in self._named
            if font.name in self._reported or not (is_named or font.faces[0].path.parent == self._folder):
                continue
            written = [text.upper() if font.capitals_only else text for text in texts]
            if sum(characters.issuperset(text) for text in written) >= _MIN_WRITABLE * len(texts):
                continue
            self._reported.add(font.name)
            error = _build_error(font, Counter(c for text in written for c in text if c not in characters), is_named)
            if is_named:
                raise error
            log.warning("%s", error)
        can_write = sum(any(characters.issuperset(text) for characters in supported) for text in texts)
        if can_write < _MIN_WRITABLE * len(texts):
            known = frozenset().union(*supported)
            raise _build_error(None, Counter(c for text in texts for c in text if c not in known), False)


def _build_error(font: Font | None, missing: Counter[str], is_named: bool) -> DataError:
    """Return the error of a font, or of all fonts, with the characters that are lacking."""
    named = describe_characters("".join(c for c, _ in missing.most_common(_MAX_NAMED)))
    more = f" and {len(missing) - _MAX_NAMED} more" if len(missing) > _MAX_NAMED else ""
    remedy = "choose fonts of this script"
    if any(map(is_joining, missing)) and not can_shape():
        remedy = "install the wheel of Pillow, which has Raqm (HarfBuzz): such letters have to be joined"
    elif missing and all(unicodedata.category(c)[0] == "M" for c in missing):
        remedy = "remove these combining marks from the texts, as they cannot be rendered"
    subject, verb = ("the font", "lacks") if font else ("the fonts", "lack")
    return DataError(
        f"{subject} can write hardly any of the texts, as {'it' if font else 'they'} {verb} {named}{more}",
        key="dataset.fonts" if is_named else "dataset.font_folder",
        value=font.name if font else None,
        remedy=remedy,
        kind="glyphs",
    )
