"""What there is to do when pages are read: which page, which files, which layout."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from htr_lightning.files import replacing
from htr_lightning.image.files import DataError
from htr_lightning.image.scan import OVERLAY_SUFFIX, Scan, find_scan_files, list_scans
from htr_lightning.reading.write.writers import PAGE_WRITERS

_BESIDE = ("{}.xml", "{}.alto.xml", "{}.page.xml", "alto/{}.xml", "page/{}.xml")  # where layouts are looked for


@dataclass(frozen=True, slots=True)
class Job:
    """A page to read.

    Attributes:
        scan: the page.
        outputs: the file of each format. The PDF of a page in a document is only a part of what is wanted.
        document: the PDF of the whole document, made of such parts.
        overlay: the file of the picture; None where none is wanted.
        layout: the file with its lines; None where they are to be found.
    """

    scan: Scan
    outputs: dict[str, Path]
    document: Path | None = None
    overlay: Path | None = None
    layout: Path | None = None

    @property
    def is_done(self) -> bool:
        """Whether everything is written already."""
        whole = self.document is not None and self.document.is_file()
        files = [path for form, path in self.outputs.items() if not (form == "pdf" and whole)]
        return all(path.is_file() for path in [*files, *filter(None, [self.overlay])])


def jobs_of(options: argparse.Namespace, formats: Sequence[str]) -> tuple[list[Job], list[str]]:
    """Return what there is to do, and what is wrong with files that cannot be opened; each was printed.

    Raises:
        SystemExit: an output folder cannot be made, or a file would be written twice or over what is read.
    """
    jobs: list[Job] = []
    problems: list[str] = []
    try:
        files = find_scan_files(options.images)
    except DataError as error:
        raise SystemExit(str(error)) from None
    for file, relative in files:
        try:
            scans = list_scans(file)
        except DataError as error:
            problems.append(str(error))
            print(error, file=sys.stderr)
            continue
        folder = (options.out or Path()) / relative.parent
        layout = None if options.find_lines or scans[0].number is not None else layout_beside(file)
        jobs += [_job(scan, folder, formats, options.overlay, layout) for scan in scans]
    if options.out is not None:
        _check_targets(jobs, options)
    return jobs, problems


def layout_beside(image: Path) -> Path | None:
    """Return the ALTO or PAGE file of an image: beside it or in a folder ``alto`` or ``page``; None without any."""
    from htr_lightning.layout.formats import is_layout_file

    for pattern in _BESIDE:
        path = image.parent / pattern.format(image.stem)
        if path.is_file() and is_layout_file(path):
            return path
    return None


def _job(scan: Scan, folder: Path, formats: Sequence[str], overlay: bool, layout: Path | None) -> Job:
    outputs = {form: folder / f"{scan.stem}{PAGE_WRITERS[form].suffix}" for form in formats}
    document = None
    if "pdf" in formats and scan.number is not None:
        document = folder / f"{scan.path.stem}.pdf"
        outputs["pdf"] = folder / f".{scan.path.stem}.pdf-pages" / outputs["pdf"].name
    return Job(scan, outputs, document, folder / f"{scan.stem}{OVERLAY_SUFFIX}" if overlay else None, layout)


def _check_targets(jobs: Sequence[Job], options: argparse.Namespace) -> None:
    """Make the folders, and refuse what would be lost, or taken for a scan or a layout by the next run.

    Raises:
        SystemExit: see `jobs_of`.
    """
    out: Path = options.out
    taken: dict[Path, str] = {}
    near = {(job.scan.path.parent / sub).resolve() for job in jobs for sub in ("", "alto", "page")}
    for job in jobs:
        if job.document is not None and taken.setdefault(job.document, str(job.scan.path)) != str(job.scan.path):
            raise SystemExit(f"{taken[job.document]} and {job.scan.path} would both be written to {job.document}; "
                             "rename one")  # fmt: skip
        for form, path in [*job.outputs.items(), *((OVERLAY_SUFFIX, path) for path in filter(None, [job.overlay]))]:
            if path in taken:
                raise SystemExit(f"{taken[path]} and {job.scan.name} would both be written to {path}; rename one")
            taken[path] = job.scan.name
            if form in ("alto", "page", "pdf") and (job.document or path).parent.resolve() in near:
                raise SystemExit(f"--out {out}: {(job.document or path).name} beside the scans would be taken for a "
                                 "layout or a scan by the next run; name another folder")  # fmt: skip
    for folder in {path.parent for path in taken if path.parent.name[:1] != "."} | {out}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(folder / "writable"):
                raise InterruptedError
        except InterruptedError:
            pass
        except OSError as error:
            raise SystemExit(f"--out {folder}: cannot be written ({error.strerror}); name another folder") from None
