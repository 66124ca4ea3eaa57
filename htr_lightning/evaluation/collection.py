"""Readings as they come, scored and counted; of their pixels, only what a report shows is kept."""

from collections.abc import Iterator, Mapping
from typing import Any

from htr_lightning.charset import Charset
from htr_lightning.data.line import Line
from htr_lightning.evaluation.confusion import Confusions
from htr_lightning.evaluation.crops import NUM_SURE, Crops, WrongLines, most_confident_first
from htr_lightning.evaluation.lines import KINDS, ScoredLine, score_line
from htr_lightning.evaluation.reliability import Reliability, reliability
from htr_lightning.evaluation.table import RATE_COLUMNS
from htr_lightning.reading.lines import Prediction


class Collection:
    """All that is known of the lines of a data set, once they are read.

    Args:
        charset: of the model; its normalization is that of the texts.

    Attributes:
        lines: those that could be read and say something.
        problems: of the others, a sentence each.
        confusions: of the characters.
        worst: the lines with the highest error rates.
        most_confident: the lines with errors that the model is most sure of.
        crops: of confused characters.
        sure: confidence of each character of the hypotheses that has one, and whether it is right.
    """

    def __init__(self, charset: Charset) -> None:
        self.charset = charset
        self.lines: list[ScoredLine] = []
        self.problems: list[str] = []
        self.confusions = Confusions()
        self.worst, self.most_confident, self.crops = WrongLines(), WrongLines(NUM_SURE, most_confident_first), Crops()
        self.sure: tuple[list[float], list[bool]] = ([], [])

    def add(self, line: Line, reading: Prediction) -> None:
        """Score what was read in a line; one that cannot be used is noted."""
        if reading.problem is not None or not line.text:
            self.problems.append(reading.problem or f"{line.id}: the text is empty")
            return
        normalization = self.charset.normalization
        scored = score_line(line.id, line.group, line.text, reading.text, reading.confidence, normalization)
        self.lines.append(scored)
        self.confusions.add(scored)
        pixels = reading.pixels
        if pixels is not None:
            for kept in (self.worst, self.most_confident):
                kept.offer(scored, lambda: pixels)
            self.crops.offer(scored, pixels, reading.characters)
        if len(reading.characters) == len(scored.hypothesis):
            wrong = scored.wrong()
            self.sure[0].extend(character.confidence for character in reading.characters)
            self.sure[1].extend(place not in wrong for place in range(len(reading.characters)))

    def reliabilities(self) -> dict[str, Reliability]:
        """Return how far confidences can be relied on: of ``line``, and of ``character`` if characters have any."""
        confidences = [line.confidence for line in self.lines]
        found = {"line": reliability(confidences, [line.is_correct for line in self.lines])}
        if self.sure[0]:
            found = {"character": reliability(*self.sure)} | found
        return found

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield what is known of each line, by the columns of the table."""
        for line in self.lines:
            row: dict[str, Any] = {f"{kind}s": line.count(kind) for kind in KINDS}
            for name, (edits, length) in RATE_COLUMNS.items():
                row[edits], row[length] = line.rates[name]
            yield row | {
                "id": line.id,
                "group": line.group,
                "reference": line.reference,
                "hypothesis": line.hypothesis,
                "confidence": line.confidence,
                "cer": line.cer,
            }
