"""Aligning a folder of scans with their transcriptions."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from htr_lightning.aligning.defaults import ALIGNED_FORMATS, MIN_CONFIDENCE
from htr_lightning.aligning.page import AlignedPage, align_page
from htr_lightning.aligning.report import (
    MANIFEST,
    MANIFEST_COLUMNS,
    REPORT,
    REPORT_COLUMNS,
    REPORT_SUFFIX,
    build_report,
    describe_page,
    read_reports,
    render_crop,
    render_json,
    render_manifest,
    render_table,
)
from htr_lightning.aligning.texts import PageText, find_page_texts
from htr_lightning.errors import InputError
from htr_lightning.files import report_write_errors, write_text
from htr_lightning.image.files import DataError
from htr_lightning.reading.api import Reader
from htr_lightning.reading.folder import Paths, check_formats, load_reader, segment_job, to_paths
from htr_lightning.reading.line_crops import SegmentedPage
from htr_lightning.reading.page_checks import check_files
from htr_lightning.reading.page_jobs import PageJob, PagePlan, find_jobs
from htr_lightning.reading.pages import PageReader
from htr_lightning.reading.threads import compute_ahead
from htr_lightning.reading.work import FolderResult, PageResult, Progress, name_work, write_pages
from htr_lightning.report.outputs import Output, check_outputs, table_kind

LINES = "lines"
_FOREIGN = (
    0.2  # fraction of what is read on a page that has a text, below which the text is called that of another page
)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AlignmentResult:
    """What became of a folder of scans and their texts.

    Attributes:
        folder: pages, lines and problems; see `htr_lightning.reading.folder.FolderResult`.
        num_placed: lines that have a text now, of all pages, those of earlier runs included.
        num_uncertain: lines whose text was too uncertain.
        num_without_text: lines on which no text was placed.
        num_unplaced: parts of texts that are on no line.
    """

    folder: FolderResult
    num_placed: int
    num_uncertain: int
    num_without_text: int
    num_unplaced: int


def align_folder(
    scans: Paths,
    texts: str | Path,
    out: str | Path,
    model: Reader | str | Path,
    *,
    formats: Sequence[str] = ("alto",),
    min_confidence: float = MIN_CONFIDENCE,
    overlay: bool = False,
    overwrite: bool = False,
    ignore_layouts: bool = False,
    layouts: str | Path | None = None,
    inputs: Sequence[str | Path] = (),
    report: Callable[[str], None] = log.warning,
    progress: Progress | None = None,
) -> AlignmentResult:
    """Cut the transcriptions of pages into lines, and write them as training data. After an interruption, resume.

    Beside the formats, ``NAME.align.json`` says what became of each page, and ``align.tsv`` of all of them.

    Args:
        scans: images, PDF or TIFF documents, or folders that are searched for them; one or several.
        texts: a folder with a text file for each page, or one file; see
            `htr_lightning.aligning.texts.find_page_texts`.
        out: folder for the results; keeps the structure of the searched folders.
        model: from `htr_lightning.load`, which takes the segmenter, or what `htr_lightning.load` takes.
        formats: ``alto``, ``page``, and ``lines``: an image of each line and the manifest ``lines.tsv``.
        min_confidence: lines with a lower confidence get no text; they are listed.
        overlay: also write a picture of each page with the texts.
        overwrite: align also the pages whose files all exist, and replace files that exist.
        ignore_layouts: see `htr_lightning.reading.folder.read_folder`.
        layouts: likewise.
        inputs: likewise.
        report: called with each warning and each problem, a sentence, as it occurs.
        progress: draws a bar.

    Raises:
        InputError: nothing was aligned: there is no such format, scan or text, or the model cannot be loaded.
        OutputError: see `htr_lightning.reading.folder.read_folder`.
    """
    out, texts = Path(out), Path(texts)
    check_formats(formats, ALIGNED_FORMATS)
    check_confidence(min_confidence)
    page_formats = [name for name in formats if name != LINES]
    plan = PagePlan(out, page_formats, overlay, ignore_layouts, None if layouts is None else Path(layouts))
    jobs, unreadable = find_jobs(to_paths(scans), plan, report=report)
    jobs = [_add_files(job, out, LINES in formats) for job in jobs]
    found = find_page_texts(texts, [job.scan for job in jobs], [job.folder.relative_to(out) for job in jobs], report)
    text_of = {job.extra[0]: text for job, text in zip(jobs, found, strict=True) if text is not None}
    jobs = [job for job in jobs if job.extra[0] in text_of]
    tables = [Output(out / REPORT, table_kind(*REPORT_COLUMNS), folder=out)]
    if LINES in formats:
        tables.append(Output(out / MANIFEST, table_kind(*MANIFEST_COLUMNS), folder=out))
    check_files(jobs, out, inputs=[*to_paths(inputs), texts], overwrite=overwrite)
    check_outputs(tables, [texts], overwrite=overwrite)
    writer = _Writer(out, text_of, min_confidence)
    result = write_pages(
        jobs,
        unreadable,
        lambda waiting: ([step] for step in writer.align(waiting, load_reader(model).page_reader)),
        overwrite=overwrite,
        report=report,
        warn=report,
        progress=progress,
        title="Aligning texts",
    )
    return _write_tables(out, jobs, LINES in formats, result)


def _add_files(job: PageJob, out: Path, writes_lines: bool) -> PageJob:
    """Return a job that also writes the report of its page, and the manifest of its lines if wanted or there."""
    report = job.folder / f"{job.scan.stem}{REPORT_SUFFIX}"
    manifest = out / LINES / job.folder.relative_to(out) / f"{job.scan.stem}.tsv"
    return replace(job, extra=(report, manifest) if writes_lines or manifest.is_file() else (report,))


def check_confidence(value: float) -> None:
    """Check that a minimum confidence is a probability.

    Raises:
        InputError: it is not.
    """
    if not 0 <= value <= 1:
        remedy = "give a number from 0 to 1"
        raise InputError("not a probability", key="min_confidence", value=value, remedy=remedy)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Aligns pages, and renders the files of the alignment.

    Attributes:
        out: folder to write into.
        texts: of the pages, by the path of their report.
        min_confidence: lines with a lower confidence get no text.
    """

    out: Path
    texts: Mapping[Path, PageText]
    min_confidence: float

    def align(self, jobs: Sequence[PageJob], reader: PageReader) -> Iterator[tuple[PageJob, PageResult]]:
        """Align pages; another thread finds the lines of the next page in the meantime."""
        for job, segmented in compute_ahead(lambda job: segment_job(job, reader), jobs):
            try:
                if isinstance(segmented, DataError):
                    raise segmented
                yield job, self._align_page(job, segmented, reader)
            except DataError as error:
                yield job, PageResult(job.scan, error=error)

    def _align_page(self, job: PageJob, segmented: SegmentedPage, reader: PageReader) -> PageResult:
        """Align a page.

        Raises:
            DataError: its text is empty or cannot be read.
        """
        text = self.texts[job.extra[0]]
        content = text.read()
        if not content.strip():
            remedy = "write the transcription into it, or remove it"
            raise DataError("the text of the page is empty", file=text.name, remedy=remedy, kind="empty")
        with name_work(f"while aligning {job.scan.name}"):
            page = align_page(segmented, content, reader, min_confidence=self.min_confidence)
        contents = self._render(job, page, text.name)
        result = replace(page.page, notes=tuple(_build_notes(page, text.name)))
        return PageResult(job.scan, result, contents=contents)

    def _render(self, job: PageJob, page: AlignedPage, text: str) -> dict[Path, bytes]:
        """Return the contents of the files of a page: images of lines, their manifest, the report."""
        report, *manifests = job.extra
        images: dict[int, Path] = {}
        for manifest in manifests:
            folder = manifest.with_suffix("")
            images = {n: folder / f"{n + 1:04d}.png" for n, line in enumerate(page.page.lines) if line.text}
        contents = {path: render_crop(page, number) for number, path in images.items()}
        names = {number: path.relative_to(self.out).as_posix() for number, path in images.items()}
        name = report.relative_to(self.out).as_posix().removesuffix(REPORT_SUFFIX)
        told = build_report(name, text, page, names)
        contents |= {manifest: render_manifest([told]).encode() for manifest in manifests}
        return contents | {report: render_json(told)}


def _build_notes(page: AlignedPage, text: str) -> list[str]:
    """Return what the user should know of a page."""
    if not page.lines:
        return ["no line was found on the page"]
    if page.fit < _FOREIGN:
        return [
            f"hardly anything on the page fits {text}; check that it is the text of this page",
            *describe_page(page),
        ]
    return describe_page(page)


def _write_tables(out: Path, jobs: Sequence[PageJob], writes_lines: bool, result: FolderResult) -> AlignmentResult:
    """Write the tables of all pages, those of earlier runs included."""
    reports = read_reports(job.extra[0] for job in jobs)
    with report_write_errors(out, "--out"):
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / REPORT, render_table(reports))
        if writes_lines:
            write_text(out / MANIFEST, render_manifest(reports))
    statuses = [line["status"] for report in reports for line in report["lines"]]
    placed, uncertain, without_text = (statuses.count(status) for status in ("placed", "uncertain", "no text"))
    unplaced = sum(len(report["unplaced"]) for report in reports)
    return AlignmentResult(result, placed, uncertain, without_text, unplaced)
