"""The evaluation report: a single HTML file without scripts or external resources."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from htr_lightning.evaluation.charts import (
    MAX_GROUPS,
    draw_edit_kinds,
    draw_group_rates,
    draw_length_rates,
    draw_reliability_diagram,
)
from htr_lightning.evaluation.confusion import Confusions, rank_pairs
from htr_lightning.evaluation.crops import ConfusionCrops, Pixels
from htr_lightning.evaluation.lines import ScoredLine
from htr_lightning.evaluation.marks import Run, mark_errors
from htr_lightning.evaluation.result import Evaluation
from htr_lightning.report.html import render_template
from htr_lightning.report.picture import encode_jpeg_uri, encode_png_uri

_MAX_PAIRS, _MAX_CHARACTERS, _MAX_PROBLEMS = 18, 14, 20


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """A row of the table of confused characters.

    Attributes:
        reference: the correct character.
        hypothesis: the character predicted instead.
        count: of these substitutions.
        fraction: of the occurrences of ``reference``.
        crops: pictures of some of them, as data URIs.
    """

    reference: str
    hypothesis: str
    count: int
    fraction: float
    crops: Sequence[str]


@dataclass(frozen=True, slots=True)
class LinePicture:
    """A line with errors, its picture as a data URI, and its texts with the errors marked."""

    line: ScoredLine
    picture: str
    reference: Sequence[Run]
    hypothesis: Sequence[Run]


def render_page(
    evaluation: Evaluation,
    matrix: Image.Image | None = None,
    crops: ConfusionCrops | None = None,
    worst: Sequence[tuple[ScoredLine, Pixels]] = (),
    most_confident: Sequence[tuple[ScoredLine, Pixels]] = (),
) -> str:
    """Render the report.

    Args:
        evaluation: the scores.
        matrix: picture of the confusion matrix.
        crops: of confused characters.
        worst: lines with their pixels, the worst first.
        most_confident: wrong lines with their pixels, the highest confidence first.
    """
    overall = evaluation.scores["cer"]
    nouns = {"character": "characters", "line": "lines"}
    return render_template(
        "evaluation/report.html.jinja",
        evaluation=evaluation,
        scores=evaluation.scores,
        options=[name if value is True else f"{name} {value}" for name, value in evaluation.options.items()],
        edit_chart=draw_edit_kinds(evaluation.edits),
        group_chart=draw_group_rates(evaluation.by_group, overall),
        length_chart=draw_length_rates(evaluation.by_length, overall),
        reliability_charts={
            name: draw_reliability_diagram(reliability, nouns[name])
            for name, reliability in evaluation.reliabilities.items()
        },
        matrix=encode_png_uri(matrix) if matrix is not None else None,
        pairs=_list_pairs(evaluation.confusions, crops or ConfusionCrops()),
        worst=_draw_lines(worst),
        most_confident=_draw_lines(most_confident),
        max_groups=MAX_GROUPS,
        max_characters=_MAX_CHARACTERS,
        max_problems=_MAX_PROBLEMS,
    )


def _list_pairs(confusions: Confusions, crops: ConfusionCrops) -> list[ConfusedPair]:
    return [
        ConfusedPair(
            reference,
            hypothesis,
            count,
            count / max(1, confusions.occurrences[reference]),
            [encode_jpeg_uri(crop, max_height_px=64) for crop in crops.get((reference, hypothesis))],
        )
        for (reference, hypothesis), count in rank_pairs(confusions)[:_MAX_PAIRS]
    ]


def _draw_lines(lines: Sequence[tuple[ScoredLine, Pixels]]) -> list[LinePicture]:
    return [LinePicture(line, encode_jpeg_uri(pixels), *mark_errors(line)) for line, pixels in lines]
