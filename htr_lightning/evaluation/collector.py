"""Scores predictions one by one as they come, and keeps only the pixels that the report shows."""

from collections.abc import Iterator, Mapping
from typing import Any

from htr_lightning.charset import Charset
from htr_lightning.data.line import Line
from htr_lightning.evaluation.confusion import Confusions
from htr_lightning.evaluation.crops import NUM_MOST_CONFIDENT, ConfusionCrops, WrongLines, rank_by_confidence
from htr_lightning.evaluation.lines import EDIT_KINDS, ScoredLine, score_line
from htr_lightning.evaluation.reliability import Reliability, measure_reliability
from htr_lightning.evaluation.table import ERROR_COLUMNS
from htr_lightning.reading.lines import Prediction


class ScoreCollector:
    """Scores and counts the predictions of a dataset.

    Args:
        charset: of the model; its normalization is applied to the texts.

    Attributes:
        lines: those that could be predicted and have a reference.
        problems: of the others, a sentence each.
        confusions: of the characters.
        worst: the lines with the highest error rates.
        most_confident: the wrong lines with the highest confidence.
        crops: pictures of confused characters.
        character_confidences: of the characters of the hypotheses, if they have any.
        character_correctness: whether each of these characters is correct.
    """

    def __init__(self, charset: Charset) -> None:
        self.charset = charset
        self.lines: list[ScoredLine] = []
        self.problems: list[str] = []
        self.confusions = Confusions()
        self.worst, self.most_confident = WrongLines(), WrongLines(NUM_MOST_CONFIDENT, rank_by_confidence)
        self.crops = ConfusionCrops()
        self.character_confidences: list[float] = []
        self.character_correctness: list[bool] = []

    def add(self, line: Line, prediction: Prediction) -> None:
        """Score the prediction of a line; the problem of an unusable line is recorded."""
        if prediction.problem is not None or not line.text:
            self.problems.append(prediction.problem or f"{line.id}: the text is empty")
            return
        normalization = self.charset.normalization
        scored = score_line(line.id, line.group, line.text, prediction.text, prediction.confidence, normalization)
        self.lines.append(scored)
        self.confusions.add(scored)
        pixels = prediction.pixels
        if pixels is not None:
            for wrong_lines in (self.worst, self.most_confident):
                wrong_lines.offer(scored, lambda: pixels)
            self.crops.offer(scored, pixels, prediction.characters)
        if len(prediction.characters) == len(scored.hypothesis):
            wrong = scored.find_wrong_characters()
            self.character_confidences += [character.confidence for character in prediction.characters]
            self.character_correctness += [position not in wrong for position in range(len(prediction.characters))]

    def measure_reliabilities(self) -> dict[str, Reliability]:
        """Measure the reliability of confidences: of ``line``, and of ``character`` if characters have any."""
        confidences = [line.confidence for line in self.lines]
        reliabilities = {"line": measure_reliability(confidences, [line.is_correct for line in self.lines])}
        if self.character_confidences:
            of_characters = measure_reliability(self.character_confidences, self.character_correctness)
            return {"character": of_characters} | reliabilities
        return reliabilities

    def build_rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield the row of each line in the table ``lines.tsv``, by column."""
        for line in self.lines:
            row: dict[str, Any] = {f"{kind}s": line.count_edits(kind) for kind in EDIT_KINDS}
            for name, (edits, length) in ERROR_COLUMNS.items():
                row[edits], row[length] = line.errors[name]
            yield row | {
                "id": line.id,
                "group": line.group,
                "reference": line.reference,
                "hypothesis": line.hypothesis,
                "confidence": line.confidence,
                "cer": line.cer,
            }
