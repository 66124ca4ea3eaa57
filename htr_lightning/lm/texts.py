"""Reading the texts for a language model or a lexicon."""

from collections.abc import Iterator
from pathlib import Path

from htr_lightning.text import Normalization, normalize


def read_texts(path: Path, column: str, normalization: Normalization) -> Iterator[str]:
    """Yield the transcriptions of a manifest, or the lines of a text file, normalized.

    Args:
        path: the file; its suffix decides whether it is a manifest.
        column: of the transcriptions in a manifest.
        normalization: Unicode normalization form.

    Raises:
        DataError: the file is missing, malformed or not UTF-8.
    """
    from htr_lightning.data.sources.data_files import read_text_file
    from htr_lightning.data.sources.manifest import MANIFEST_SUFFIXES, read_manifest_texts
    from htr_lightning.text import clean_text

    if path.suffix.lower() in MANIFEST_SUFFIXES:
        lines = read_manifest_texts(path, column)
    else:
        lines = iter(read_text_file(path, remedy="check the path").splitlines())
    for line in lines:
        yield normalize(clean_text(line), normalization)
