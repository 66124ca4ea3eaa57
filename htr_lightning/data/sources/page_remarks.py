"""What users should know of the lines of their pages, besides those that cannot be used."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from htr_lightning.data.line import Split
from htr_lightning.text import format_count

log = logging.getLogger(__name__)


@dataclass
class PageRemarks:
    """Ids of lines whose texts or crops may not be what the user expects.

    Attributes:
        guesses_left_out: lines without transcription, but with the text of a recognizer.
        guesses_kept: likewise, on pages without any transcription.
        hyphens: lines that end in an unwritten hyphen.
        slivers: lines whose outline is replaced.
    """

    guesses_left_out: list[str] = field(default_factory=list)
    guesses_kept: list[str] = field(default_factory=list)
    hyphens: list[str] = field(default_factory=list)
    slivers: list[str] = field(default_factory=list)

    def report(self, root: Path, split: Split) -> None:
        """Log them."""
        sentences = (
            (
                self.guesses_left_out,
                "left out, because their only text is a TextEquiv with an index above 0, which LAREX and others use "
                "for predictions, while other lines of the page have one with index 0; transcribe them, or set "
                "dataset.text_index=1 to learn from predictions",
            ),
            (
                self.guesses_kept,
                "with a TextEquiv whose index is above 0, which LAREX and others use for predictions, and none with "
                "index 0; if they are not transcriptions, set dataset.text_index=0",
            ),
            (
                self.hyphens,
                "ending in a HYP element without CONTENT, which is read as '-'; to write another sign or none, set "
                "dataset.replace=[['-$', '...']] or +dataset.spans.HYP=delete",
            ),
            (
                self.slivers,
                "with an outline far lower than the others of its page, as Transkribus gives to lines whose outline "
                "was never drawn; a band around the baseline is cropped instead",
            ),
        )
        for ids, sentence in sentences:
            if ids:
                number = format_count(len(ids), "line")
                log.warning("%s: %s for %s, such as %s, %s", root, number, split, ids[0], sentence)
