"""Search for the weights of a language model that recognize lines best."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Line
from htr_lightning.decode.beam import BeamSearch
from htr_lightning.decode.decoder import Decoder, load_language_model
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.decode.languages import LanguageBeams
from htr_lightning.lm.zoo import find_language_models
from htr_lightning.metrics import edit_distance
from htr_lightning.model.load import Recognizer
from htr_lightning.reading.lines import LineReader

LM_WEIGHTS = (0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
INSERTION_BONUSES = (0.0, 0.5, 1.0, 1.5, 2.0)

Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class WeightScore:
    """The character error rate with one pair of weights.

    Attributes:
        lm_weight: weight of the language model's log-probability.
        insertion_bonus: score added for each character.
        cer: a fraction.
    """

    lm_weight: float
    insertion_bonus: float
    cer: float


@dataclass(frozen=True, slots=True)
class WeightSearch:
    """The result of a search.

    Attributes:
        greedy: character error rate of greedy decoding, without the language model.
        tried: the grid of weights.
    """

    greedy: float
    tried: tuple[WeightScore, ...]

    @property
    def best(self) -> WeightScore:
        """The weights with the lowest error rate."""
        return min(self.tried, key=lambda score: score.cer)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Logits ``(N, T, K)``, frames ``(N,)``, and the N references as the model writes them."""

    logits: NDArray[np.float32]
    frame_lengths: NDArray[np.int64]
    references: list[str]


def search_lm_weights(
    model: Recognizer, lines: Sequence[Line], lm: str, *, beam_width: int = 16, progress: Progress | None = None
) -> WeightSearch | None:
    """Decode lines with each pair of `LM_WEIGHTS` and `INSERTION_BONUSES`; the network runs only once.

    Args:
        model: a recognizer.
        lines: with their transcriptions; neither training nor test lines.
        lm: see `htr_lightning.decode.decoder.build_beam_decoder`.
        beam_width: of the beam search.
        progress: draws a bar.

    Returns:
        The error rates; None if no line can be read.

    Raises:
        LanguageModelError: the file cannot be used.
        ValueError: the beam width is not positive.
    """
    paths = find_language_models(lm, model.info.languages)
    search = BeamSearch(beam_width=beam_width)
    searches = [replace(search, lm=load_language_model(path, model.charset)) for path in paths]
    normalize = model.charset.normalize
    batches = [
        _Batch(logits, frame_lengths, [normalize(line.text) for line in batch])
        for batch, logits, frame_lengths in LineReader(model).logits(lines)
    ]
    if not batches:
        return None
    grid: Iterable[Any] = [[(weight, bonus)] for weight in LM_WEIGHTS for bonus in INSERTION_BONUSES]
    if progress is not None:
        grid = progress(grid, len(LM_WEIGHTS) * len(INSERTION_BONUSES), "Decoding")
    tried = []
    for ((weight, bonus),) in grid:
        weighted = [replace(search, lm_weight=weight, insertion_bonus=bonus) for search in searches]
        decoder = LanguageBeams(weighted).decode
        tried.append(WeightScore(weight, bonus, _compute_cer(model, batches, decoder)))
    return WeightSearch(_compute_cer(model, batches, greedy_decode), tuple(tried))


def _compute_cer(model: Recognizer, batches: Sequence[_Batch], decoder: Decoder) -> float:
    edits = characters = 0
    for batch in batches:
        for ids, reference in zip(decoder(batch.logits, batch.frame_lengths), batch.references, strict=True):
            edits += edit_distance(reference, model.charset.decode(ids).strip())
            characters += len(reference)
    return edits / characters
