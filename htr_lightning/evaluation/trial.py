"""Which model to take for one's own writing: each recognizes a few lines, and is measured, or judged by confidence."""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from htr_lightning.data.line import Line
from htr_lightning.data.sources.lines import Lines
from htr_lightning.decode.confidence import compute_expected_cer
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.scan import find_images
from htr_lightning.layout.formats import read_layout
from htr_lightning.layout.page import Page
from htr_lightning.metrics import edit_distance
from htr_lightning.model.load import Recognizer
from htr_lightning.reading.lines import LineReader
from htr_lightning.reading.page_jobs import PagePlan, are_pages, find_jobs
from htr_lightning.reading.pages import PageReader
from htr_lightning.text import clean_text

NUM_LINES, NUM_PAGES = 40, 3
GOOD_CER, HOPELESS_CER = 0.05, 0.35
"""Below the one, fine-tuning is worth little; above the other, correcting takes longer than typing."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a model recognizes the lines.

    Attributes:
        name: of the model.
        cer: a fraction, over the lines with a transcription; None if no line has one.
        mean_confidence: of the recognized characters; 0 if nothing is recognized.
        seconds_per_line: by the clock.
        example: the text of the first line.
    """

    name: str
    cer: float | None
    mean_confidence: float
    seconds_per_line: float
    example: str

    @property
    def expected_cer(self) -> float:
        """What the confidences let expect, 0..1."""
        return compute_expected_cer(self.mean_confidence)

    @property
    def error(self) -> float:
        """The CER if it is known, else the expected one."""
        return self.expected_cer if self.cer is None else self.cer


def choose_lines(
    folder: Path, page_reader: PageReader, *, num_lines: int = NUM_LINES, report: Callable[[str], None] = print
) -> list[Line]:
    """Return lines spread evenly over those in a folder; the lines of pages are taken from layouts or detected.

    Transcriptions come from ALTO or PAGE files of pages, and for images of lines from tables or ``x.gt.txt``.

    Args:
        folder: images of lines or of pages, or a single image.
        page_reader: detects the lines of pages.
        num_lines: maximum number of lines.
        report: called with a sentence for each page that cannot be used.

    Raises:
        DataError: there is no image, or pages and lines are mixed.
    """
    if not folder.exists():
        raise DataError("there is no such file or folder", file=folder, remedy="check the path", kind="missing")
    lines = list(_read_pages(folder, page_reader, report)) if are_pages([folder], ["txt"]) else _read_lines(folder)
    if not lines:
        raise DataError("there is no line", file=folder, remedy="name a folder of pages or of lines", kind="empty")
    transcribed = [line for line in lines if line.text]
    return spread(transcribed or lines, num_lines)


def spread(items: Sequence[Line], number: int) -> list[Line]:
    """Return at most so many of the lines, from the first to the last."""
    places = np.unique(np.linspace(0, len(items) - 1, min(number, len(items))).round().astype(int))
    return [items[place] for place in places.tolist()]


def _read_lines(folder: Path) -> list[Line]:
    if folder.is_dir():
        with contextlib.suppress(DataError):  # without texts
            source = Lines(str(folder))
            lines = [line for split in ("train", "val", "test") for line in source.lines(split)]
            if lines:
                return lines
    return [Line(path.as_posix(), ImageFile(path), "") for path in find_images([folder])]


def _read_pages(folder: Path, reader: PageReader, report: Callable[[str], None]) -> Iterable[Line]:
    jobs, _ = find_jobs([folder], PagePlan(folder, ()))
    places = np.unique(np.linspace(0, len(jobs) - 1, min(NUM_PAGES, len(jobs))).round().astype(int))
    for job in (jobs[place] for place in places.tolist()):
        try:
            layout: Page | None = None if job.layout is None else read_layout(job.layout)
            page = reader.segment(job.scan, layout)
        except DataError as error:
            report(str(error))
            continue
        texts = {} if layout is None else {line.id: clean_text(line.text) for line in layout.lines}
        for _, crops in page.regions:
            for crop in crops:
                if crop.pixels is not None:
                    yield crop.build_line(f"{job.scan.name}: {crop.line.id}", texts.get(crop.line.id, ""))


def try_model(name: str, model: Recognizer, lines: Sequence[Line]) -> Trial:
    """Recognize lines with a model, and measure it."""
    start = time.perf_counter()
    predictions = list(LineReader(model, positions=True).read(lines))
    seconds = time.perf_counter() - start
    edits = length = 0
    for line, prediction in zip(lines, predictions, strict=True):
        reference = model.charset.normalize(line.text)
        if reference and prediction.error is None:
            edits += edit_distance(reference, prediction.text)
            length += len(reference)
    confidences = [character.confidence for prediction in predictions for character in prediction.characters]
    return Trial(
        name,
        edits / length if length else None,
        sum(confidences) / len(confidences) if confidences else 0.0,
        seconds / len(lines),
        next((prediction.text for prediction in predictions if prediction.text), ""),
    )


def advise(trials: Sequence[Trial]) -> str:
    """Return which model to take, and whether to fine-tune it."""
    best = min(trials, key=lambda trial: trial.error)
    kind = "a CER" if best.cer is not None else "an expected CER (from confidences, roughly)"
    verdict = f"Take {best.name}: {kind} of {best.error:.1%}."
    if best.error < GOOD_CER:
        return f"{verdict} Fine-tuning would gain little."
    tune = f"python -m htr_lightning +experiment=finetune_lines dataset.root=FOLDER stage.start_from={best.name}"
    if best.error > HOPELESS_CER:
        return f"{verdict} Its text is not worth correcting: transcribe 100 lines by hand, then fine-tune:\n  {tune}"
    return f"{verdict} Correct 100 lines or more, and fine-tune:\n  {tune}"
