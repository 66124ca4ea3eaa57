"""Find the layouts of scans: their regions and lines, without recognizing them."""

import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from htr_lightning.device import Shard
from htr_lightning.image.files import DataError
from htr_lightning.image.scan import Scan
from htr_lightning.reading.folder import Paths, check_formats, to_paths, to_places
from htr_lightning.reading.folder_work import FolderWork, work_through
from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.reading.page_jobs import PageJob, PagePlan
from htr_lightning.reading.pages import convert_regions, describe_orientation
from htr_lightning.reading.segmenters import load_segmenter
from htr_lightning.reading.threads import compute_ahead
from htr_lightning.reading.work import FolderResult, PageResult, Progress, name_work
from htr_lightning.segmentation.page import PageSegmenter
from htr_lightning.text import format_count

log = logging.getLogger(__name__)
LAYOUT_FORMATS = ("alto", "page")
_FEW_LINES = 3  # pages with fewer lines are reported
_UNSURE = 0.7  # mean confidence of the lines of a page below which it is reported


def segment_folder(
    scans: Paths,
    out: str | Path,
    segmenter: PageSegmenter | None = None,
    *,
    formats: Sequence[str] = ("alto",),
    overlay: bool = False,
    overwrite: bool = False,
    split_pages: bool = False,
    shard: Shard | None = None,
    inputs: Sequence[str | Path] = (),
    settings: Mapping[str, str] | None = None,
    keep_folders: bool = False,
    report: Callable[[str], None] = log.warning,
    progress: Progress | None = None,
) -> FolderResult:
    """Find the lines of scans and write them to layout files. After an interruption, the same call resumes.

    What became of each page is recorded in ``out/.htr_lightning``; a page that cannot be read leaves
    ``NAME.error.json``. A page whose scan has changed since is segmented again, unless its layout has been edited.

    Args:
        scans: see `htr_lightning.reading.folder.read_folder`.
        out: likewise.
        segmenter: from `htr_lightning.reading.segmenters.load_segmenter`; None for the line finder that ships.
        formats: ``alto``, ``page``.
        overlay: also write a picture of each page with its lines.
        overwrite: segment also the pages whose files all exist, and replace files that exist.
        split_pages: write each half of a double page as an image with a layout of its own, ``NAME_left`` and
            ``NAME_right``, and the images of the other pages beside their layouts.
        shard: the part of the files to work on, if several machines share them; see
            `htr_lightning.device.Shard`. None for all.
        inputs: other files that are read; neither they nor scans are ever written over.
        settings: see `htr_lightning.reading.folder.read_folder`.
        keep_folders: likewise.
        report: called with each problem, a sentence, as it occurs; and at the end with each page that should be
            checked, because it is turned, or has few lines or uncertain ones.
        progress: draws a bar.

    Raises:
        InputError: nothing was segmented: there is no such format, a folder holds no scan, the line finder cannot be
            loaded, or ``out`` has results of other settings.
        OutputError: see `htr_lightning.reading.folder.read_folder`.
    """
    check_formats(formats, LAYOUT_FORMATS)
    doubts: list[str] = []
    work = FolderWork(
        to_places(scans, out, keep_folders=keep_folders),
        PagePlan(Path(), formats, overlay, ignore_layouts=True, split_pages=split_pages),
        overwrite=overwrite,
        shard=shard,
        inputs=to_paths(inputs),
        settings=settings or {},
        report=report,
        warn=doubts.append,
        progress=progress,
        title="Finding lines",
    )
    load = functools.cache(lambda: segmenter or load_segmenter())
    result = work_through(work, lambda waiting: _segment_jobs(waiting, load()))
    if doubts:
        report(f"{format_count(len(doubts), 'page')} to check:")
    for doubt in doubts:
        report(doubt)
    return result


def segment_page(scan: Scan, segmenter: PageSegmenter) -> tuple[PredictedPage, float | None]:
    """Find the lines of a page.

    Returns:
        The page, without texts; and the x of the gutter in px if it is a double page.

    Raises:
        DataError: the page cannot be read.
    """
    pixels = scan.read()
    found = segmenter.find(pixels)
    height, width = pixels.shape[:2]
    page = PredictedPage(
        scan.path.name,
        width,
        height,
        tuple(convert_regions(found.regions, pixels.shape)),
        number=scan.number,
        pixels=pixels,
        is_recognized=False,
    )
    notes = [describe_orientation(found.orientation)] if found.orientation else _describe_doubts(page)
    return replace(page, notes=tuple(notes)), found.gutter


def split_page(page: PredictedPage, gutter: float) -> tuple[PredictedPage, PredictedPage]:
    """Return the left and the right half of a double page, each with its regions and pixels.

    Args:
        page: must have its pixels.
        gutter: x between the halves in px.
    """
    assert page.pixels is not None
    x = min(max(round(gutter), 1), page.width_px - 1)
    sides: tuple[list[PredictedRegion], list[PredictedRegion]] = ([], [])
    for region in page.regions:
        middle = float(region.polygon[:, 0].min() + region.polygon[:, 0].max()) / 2
        sides[middle > gutter if region.half is None else region.half].append(region)
    left, right = (
        replace(
            page,
            width_px=pixels.shape[1],
            regions=tuple(_move_region(region, offset) for region in regions),
            pixels=np.ascontiguousarray(pixels),
        )
        for regions, pixels, offset in ((sides[0], page.pixels[:, :x], 0), (sides[1], page.pixels[:, x:], x))
    )
    return left, right


def _move_region(region: PredictedRegion, offset: int) -> PredictedRegion:
    """Return a region of a page whose left ``offset`` px are cut off."""
    shift = np.array([offset, 0], np.float32)

    def move(line: PredictedLine) -> PredictedLine:
        return replace(line, polygon=line.polygon - shift, baseline=line.baseline - shift)

    return replace(region, polygon=region.polygon - shift, lines=tuple(map(move, region.lines)), half=None)


def _describe_doubts(page: PredictedPage) -> list[str]:
    """Return why a page should be checked: it has few lines, or uncertain ones."""
    if not page.lines:
        return ["no line was found on the page"]
    if len(page.lines) < _FEW_LINES:
        return [f"only {format_count(len(page.lines), 'line')} found"]
    confidences = [line.line_confidence for line in page.lines if line.line_confidence is not None]
    mean = float(np.mean(confidences)) if confidences else 1.0
    return [f"its lines are uncertain (mean confidence {mean:.0%})"] if mean < _UNSURE else []


def _segment_jobs(jobs: Sequence[PageJob], segmenter: PageSegmenter) -> Iterator[list[tuple[PageJob, PageResult]]]:
    """Yield the layout of each page, or those of the halves of a double page, if it is to be split."""
    for job, found in compute_ahead(lambda job: _segment(job, segmenter), jobs):
        if isinstance(found, DataError):
            yield [(job, PageResult(job.scan, error=found))]
            continue
        page, gutter = found
        if job.halves is None:
            yield [(job, PageResult(job.scan, page))]
            continue
        parts = [(job, page)] if gutter is None else zip(job.halves, split_page(page, gutter), strict=True)
        yield [(part, PageResult(part.scan, _name_image(part, half))) for part, half in parts]


def _name_image(job: PageJob, page: PredictedPage) -> PredictedPage:
    """Return a page with the name of its own image, which shows nothing else."""
    assert job.image is not None
    notes = page.notes if job.halves is not None else tuple(_describe_doubts(page))
    return replace(page, image_name=job.image.name, number=None, notes=notes)


def _segment(job: PageJob, segmenter: PageSegmenter) -> tuple[PredictedPage, float | None] | DataError:
    try:
        with name_work(f"while segmenting {job.scan.name}"):
            return segment_page(job.scan, segmenter)
    except DataError as error:
        return error
