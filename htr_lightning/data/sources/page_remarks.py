"""What users should know of the lines of their pages, besides those that cannot be used."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from htr_lightning.data.line import Split
from htr_lightning.text import format_count

log = logging.getLogger(__name__)

OUTLINE_TOO_LOW = (
    "with an outline far lower than the others of its page, as Transkribus gives to lines whose outline was never drawn"
)
OUTLINE_MISPLACED = (
    "with an outline elsewhere than its baseline or outside the page, as if it came from another picture of the page"
)


@dataclass
class PageRemarks:
    """Ids of lines whose texts or crops may not be what the user expects.

    Attributes:
        guesses_left_out: lines without transcription, but with the text of a recognizer.
        guesses_kept: likewise, on pages without any transcription.
        hyphens: lines that end in an unwritten hyphen.
        outlines: lines whose outline is replaced, by the reason.
    """

    guesses_left_out: list[str] = field(default_factory=list)
    guesses_kept: list[str] = field(default_factory=list)
    hyphens: list[str] = field(default_factory=list)
    outlines: dict[str, list[str]] = field(default_factory=dict)

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
            *(
                (ids, f"{reason}; a band around the baseline is cropped instead (dataset.outlines=keep does not)")
                for reason, ids in self.outlines.items()
            ),
        )
        for ids, sentence in sentences:
            if ids:
                number = format_count(len(ids), "line")
                log.warning("%s: %s for %s, such as %s, %s", root, number, split, ids[0], sentence)
