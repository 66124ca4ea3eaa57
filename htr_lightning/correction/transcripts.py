"""Existing transcriptions, laid along the lines that were found on their pages."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from htr_lightning.aligning.defaults import MIN_CONFIDENCE
from htr_lightning.correction.errors import ProjectError
from htr_lightning.correction.page import CONFIRMED, ProjectPage
from htr_lightning.correction.project import Project
from htr_lightning.correction.recognition import PageRecognizer, crop_lines, read_pixels


@dataclass(frozen=True, slots=True)
class PlacedPage:
    """What became of the transcription of a page.

    Attributes:
        page: key of the page.
        name: of the page.
        placed: lines that got a text.
        uncertain: lines whose text was too uncertain: number on the page, text, confidence.
        unplaced: parts of the text that are on no line.
    """

    page: str
    name: str
    placed: int
    uncertain: tuple[tuple[int, str, float], ...]
    unplaced: tuple[str, ...]


def assign_texts(project: Project, file_name: str, text: str) -> tuple[dict[str, str], list[str]]:
    """Decide which page each part of a text file belongs to.

    A file is of the page whose name it has; one with lines ``=== NAME ===`` has a part for each page that is named; one
    divided by form feeds has a part for each page, in their order.

    Returns:
        Texts by the keys of pages, and the names of pages that are not there.

    Raises:
        ProjectError: there is no page of this name, or the number of parts is not that of the pages.
    """
    from htr_lightning.aligning.texts import split_pages

    names, parts = split_pages(text)
    by_name = {name: page.key for page in project.pages.values() for name in _list_names(page)}
    if any(names):
        texts = {by_name[name]: part for name, part in zip(names, parts, strict=True) if name in by_name}
        return texts, [name or "(without name)" for name in names if name not in by_name]
    stem = Path(file_name).stem
    if len(parts) == 1 and stem in by_name:
        return {by_name[stem]: parts[0]}, []
    if len(parts) == len(project.pages):
        return dict(zip(project.pages, parts, strict=True)), []
    problem = f"there is no page called {stem!r}, and the file has {len(parts)} parts for {len(project.pages)} pages"
    remedy = "call it like its page, or put a line === NAME === before the text of each page"
    raise ProjectError(problem, file=file_name, remedy=remedy, kind="unknown_page")


def _list_names(page: ProjectPage) -> list[str]:
    """Return the names by which a text file may call a page; those of its folder last, as they are unique."""
    stem = page.scan.stem
    return [stem, page.scan.path.name, page.name, (Path(page.name).parent / stem).as_posix()]


def place_texts(
    project: Project,
    recognizer: PageRecognizer,
    texts: Mapping[str, str],
    min_confidence: float = MIN_CONFIDENCE,
) -> list[PlacedPage]:
    """Lay texts along the lines of their pages; confirmed lines keep their text.

    The text of a line becomes a correction, which a person can undo and has yet to confirm.

    Args:
        project: to change.
        recognizer: reads the lines.
        texts: by the keys of pages.
        min_confidence: below it, a line keeps its text.

    Raises:
        DataError: the image of a page cannot be read.
        OutputError: the journal cannot be written.
    """
    placed = []
    for key, text in texts.items():
        page = project.get_page(key)
        place = functools.partial(_place_text, project, recognizer, min_confidence) if page.shapes else _place_none
        placed.append(place(page, text))
    return placed


def _place_none(page: ProjectPage, text: str) -> PlacedPage:
    return PlacedPage(page.key, page.name, 0, (), tuple(row for row in text.splitlines() if row.strip()))


def _place_text(
    project: Project, recognizer: PageRecognizer, min_confidence: float, page: ProjectPage, text: str
) -> PlacedPage:
    from htr_lightning.aligning.page import align_lines, read_frames

    shapes = list(page.shapes or ())
    pixels = read_pixels(page)
    crops = crop_lines(pixels, shapes)
    frames = read_frames(crops, recognizer.line_reader)
    alignment = align_lines(crops, frames, text, recognizer.model.charset, pixels.shape[1])
    changes: list[tuple[str, str, str]] = []
    uncertain: list[tuple[int, str, float]] = []
    for number, (shape, line) in enumerate(zip(shapes, alignment.lines, strict=True), 1):
        if not line.text:
            continue
        if line.confidence < min_confidence:
            uncertain.append((number, line.text, round(line.confidence, 3)))
        elif page.get_state(shape.id) != CONFIRMED and shape.id in page.line_ids:
            changes.append((page.key, shape.id, line.text))
    project.set_texts(changes, "aligned")
    return PlacedPage(page.key, page.name, len(changes), tuple(uncertain), alignment.unplaced)
