"""Finds fonts that lack the letters of the texts."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.data.sources.fonts import Font
from htr_lightning.image.files import DataError
from htr_lightning.text import describe_characters

log = logging.getLogger(__name__)
_MIN_WRITABLE = 0.1  # fraction of the texts; any font can write those of digits alone
_MAX_NAMED = 5  # characters in a message


class FontCheck:
    """Refuses a font that is named but can write hardly any text, and warns of one in the user's folder.

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
            DataError: names the font and the characters that it lacks.
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


def _build_error(font: Font, missing: Counter[str], is_named: bool) -> DataError:
    named = describe_characters("".join(c for c, _ in missing.most_common(_MAX_NAMED)))
    more = f" and {len(missing) - _MAX_NAMED} more" if len(missing) > _MAX_NAMED else ""
    return DataError(
        f"the font can write hardly any of the texts, as it lacks {named}{more}",
        key="dataset.fonts" if is_named else "dataset.font_folder",
        value=font.name,
        remedy="choose fonts of this script",
        kind="glyphs",
    )
