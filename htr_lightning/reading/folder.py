"""Read folders of scans: `read_folder` writes the predictions to files, `read_pages` yields them."""

import functools
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from htr_lightning.device import Shard, count_threads
from htr_lightning.errors import InputError
from htr_lightning.image.files import DataError
from htr_lightning.image.scan import Scan
from htr_lightning.layout.formats import read_layout
from htr_lightning.reading.api import Reader
from htr_lightning.reading.folder_work import FolderWork, work_through
from htr_lightning.reading.line_crops import SegmentedPage
from htr_lightning.reading.page_jobs import PageJob, PagePlan, find_jobs
from htr_lightning.reading.pages import PageReader
from htr_lightning.reading.storage.places import Places, Url, parse_place
from htr_lightning.reading.threads import compute_ahead
from htr_lightning.reading.work import FolderResult, PageResult, Progress, name_work
from htr_lightning.reading.write.writers import PAGE_WRITERS

_MAX_PAGES = 4  # that are in memory at the same time; their lines are read by as many threads as there are cores
Paths = str | Path | Sequence[str | Path]

log = logging.getLogger(__name__)


def read_folder(
    scans: Paths,
    out: str | Path,
    model: Reader | str | Path | Callable[[], Reader],
    *,
    formats: Sequence[str] = ("txt",),
    overlay: bool = False,
    overwrite: bool = False,
    ignore_layouts: bool = False,
    layouts: str | Path | None = None,
    shard: Shard | None = None,
    inputs: Sequence[str | Path] = (),
    settings: Mapping[str, str] | None = None,
    index: bool = False,
    keep_folders: bool = False,
    report: Callable[[str], None] = log.warning,
    progress: Progress | None = None,
) -> FolderResult:
    """Read scans of pages and write the predictions to files. After an interruption, the same call resumes.

    What became of each page is recorded in ``out/.htr_lightning``; a page that cannot be read leaves
    ``NAME.error.json``. A page whose scan has changed since is read again, unless its results have been edited.

    >>> read_folder("scans", "transcripts", "zoo:latin", formats=["alto", "txt"])
    FolderResult(num_pages=120, num_lines=3711, num_skipped=0, problems=())

    Args:
        scans: images, PDF or TIFF documents, or folders that are searched for them; one or several. Each is a path, or
            an address in remote storage, such as ``s3://bucket/scans``, that fsspec can read.
        out: folder for the results; keeps the structure of the searched folders. Also a path or an address.
        model: from `htr_lightning.load`, which takes decoder and segmenter, or what `htr_lightning.load` takes, or a
            function that loads it, which is called if a page is left to read.
        formats: names of `htr_lightning.reading.write.writers.PAGE_WRITERS`: alto, page, hocr, json, txt, pdf.
        overlay: also write a picture of each page with the predictions.
        overwrite: read also the pages whose files all exist, and replace files that exist.
        ignore_layouts: segment also the pages that have an ALTO or PAGE file (``NAME.xml``, ``alto/NAME.xml``,
            ``page/NAME.xml``); otherwise its lines are read, and the predictions are written into a copy of it.
        layouts: folder with the ALTO or PAGE files, such as the one that `htr_lightning.reading.layouts.segment_folder`
            wrote; None for those beside the scans.
        shard: the part of the files to work on, if several machines share them; see
            `htr_lightning.device.Shard`. None for all.
        inputs: other files that are read, such as a lexicon; neither they nor scans and layouts are ever written over.
        settings: what the results depend on besides the scans, option -> value; pages that are read into one folder
            must have the same. None to compare nothing.
        index: also write a table of all pages in ``out``, the worst first; see
            `htr_lightning.reading.records.index.write_index`.
        keep_folders: the results of single files keep the folders below the one that all of these files have in common;
            otherwise they get into one folder.
        report: called with each warning and each problem, a sentence, as it occurs.
        progress: draws a bar.

    Raises:
        InputError: nothing was read: there is no such format, a folder holds no scan, the model cannot be loaded,
            ``out`` has results of other settings, or remote storage cannot be read.
        OutputError: a file cannot be written (the files of all pages before it are complete), two pages would be
            written to one file, a result would be written over a file that is read, or a result would be taken for a
            scan by the next run.
    """
    check_formats(formats, PAGE_WRITERS)
    work = FolderWork(
        to_places(scans, out, layouts, keep_folders=keep_folders),
        PagePlan(Path(), formats, overlay, ignore_layouts),
        overwrite=overwrite,
        shard=shard,
        inputs=to_paths(inputs),
        settings=settings or {},
        index=index,
        report=report,
        progress=progress,
        title="Reading pages",
    )
    load = functools.cache(lambda: load_reader(model).page_reader)
    return work_through(work, lambda waiting: ([step] for step in read_jobs(waiting, load())))


def read_pages(
    scans: Paths,
    model: Reader | str | Path,
    *,
    ignore_layouts: bool = False,
    layouts: str | Path | None = None,
    report: Callable[[str], None] = log.warning,
) -> Iterator[PageResult]:
    """Read scans of pages, one after the other; a page that cannot be read says why in its ``problem``.

    Args:
        scans: see `read_folder`.
        model: see `read_folder`.
        ignore_layouts: see `read_folder`.
        layouts: see `read_folder`.
        report: called with a sentence for what concerns several pages.

    Raises:
        InputError: a folder holds no scan, or the model cannot be loaded.
    """
    plan = PagePlan(Path(), (), False, ignore_layouts, None if layouts is None else Path(layouts))
    jobs, unreadable = find_jobs(to_paths(scans), plan, report=report)
    yield from (PageResult(Scan(path), error=file.error) for path, file in unreadable.items())
    yield from (result for _, result in read_jobs(jobs, load_reader(model).page_reader))


def to_paths(scans: Paths) -> list[Path]:
    """Return one or several paths as a list.

    Raises:
        InputError: one is an address in remote storage.
    """
    several = [scans] if isinstance(scans, str | Path) else scans
    for place in map(parse_place, several):
        if isinstance(place, Url):
            problem = "this can only be a file on this machine"
            raise InputError(problem, file=place, remedy="copy it here; read_folder takes scans from remote storage")
    return [Path(path) for path in several]


def to_places(
    scans: Paths, out: str | Path, layouts: str | Path | None = None, *, keep_folders: bool = False
) -> Places:
    """Return where the scans come from and the results go."""
    several = [scans] if isinstance(scans, str | Path) else scans
    places = tuple(parse_place(scan) for scan in several)
    return Places(places, parse_place(out), None if layouts is None else parse_place(layouts), keep_folders)


def load_reader(model: Reader | str | Path | Callable[[], Reader]) -> Reader:
    """Return a reader, which is loaded if only its model or a function is given."""
    import htr_lightning

    if callable(model):
        return model()
    return model if isinstance(model, Reader) else htr_lightning.load(model)


def check_formats(formats: Sequence[str], known: Collection[str]) -> None:
    """Check that all formats are known.

    Raises:
        InputError: one is not.
    """
    for name in [formats] if isinstance(formats, str) else formats:
        if isinstance(formats, str) or name not in known:
            raise InputError(f"give a list of some of {', '.join(known)}", key="formats", value=repr(formats))


def read_jobs(jobs: Sequence[PageJob], reader: PageReader) -> Iterator[tuple[PageJob, PageResult]]:
    """Read pages, several at the same time, so that one is decoded while the lines of another are found."""
    if any(job.layout is None for job in jobs):
        _ = reader.segmenter  # loaded once, before threads use it
    yield from compute_ahead(lambda job: _read_job(job, reader), jobs, min(count_threads(), _MAX_PAGES))


def _read_job(job: PageJob, reader: PageReader) -> PageResult:
    segmented = segment_job(job, reader)
    if isinstance(segmented, DataError):
        return PageResult(job.scan, error=segmented)
    with name_work(f"while reading {job.scan.name}"):
        return PageResult(job.scan, reader.recognize(segmented))


def segment_job(job: PageJob, reader: PageReader) -> SegmentedPage | DataError:
    """Cut out the lines of a page, or return why that is not possible."""
    try:
        layout = None if job.layout is None else read_layout(job.layout)
    except DataError as error:
        return DataError(f"{error}; to segment the page instead, use --ignore-layouts", kind=error.kind)
    try:
        with name_work(f"while segmenting {job.scan.name}"):
            return reader.segment(job.scan, layout)
    except DataError as error:
        return error
