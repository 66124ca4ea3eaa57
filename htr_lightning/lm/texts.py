"""Texts that a language model or a lexicon is made from, read from files."""

from collections.abc import Iterator
from pathlib import Path

from htr_lightning.text import Normalization, normalize


def read_texts(path: Path, column: str, normalization: Normalization) -> Iterator[str]:
    """Yield the lines of a manifest or of a text file.

    Raises:
        DataError: missing, malformed, or not UTF-8.
    """
    from htr_lightning.data.sources.manifest import MANIFEST_SUFFIXES, read_manifest
    from htr_lightning.image.files import DataError
    from htr_lightning.text import clean_text

    if path.suffix.lower() in MANIFEST_SUFFIXES:
        lines: Iterator[str] = (line.text for line in read_manifest(path, text_column=column))
    else:
        try:
            lines = iter(path.read_text(encoding="utf-8-sig").splitlines())
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from None
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: is not UTF-8 text ({error.reason}); convert it") from None
    for line in lines:
        yield normalize(clean_text(line), normalization)
