"""Layout files beside the images, for eScriptorium and Transkribus; the original ones are kept."""

import hashlib
import logging
import threading
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from htr_lightning.correction.page import READ, ProjectPage
from htr_lightning.correction.project import Project
from htr_lightning.errors import InputError
from htr_lightning.files import OutputError, atomic_write, read_json, remove_stale, report_write_errors, write_json

if TYPE_CHECKING:
    from htr_lightning.reading.page import PredictedPage

log = logging.getLogger(__name__)
ORIGINAL = ".orig.xml"
"""Suffix of the copies of layout files that were there before."""
_DELAY_S = 2.0  # from a change to the file, so that not each line writes it
_SUFFIXES = {"alto": ".xml", "page": ".page.xml"}


class LayoutFiles:
    """Writes the layout file of each page that a person has changed, shortly after the change, in a thread.

    Args:
        project: with the pages.
        form: ``alto`` or ``page``, for pages without a layout file; the others keep their format.
    """

    def __init__(self, project: Project, form: str = "alto") -> None:
        self.project, self.form = project, form
        self.problem = ""
        self._record = project.state / "written.json"
        self._written = read_json(self._record)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="layout files", daemon=True)
        project.listen(lambda page: self._wake.set())

    def start(self) -> None:
        """Start to write, beginning with what an earlier process could not write any more."""
        for folder in {page.scan.path.parent for page in self.project.pages.values()}:
            remove_stale(folder)
        self._wake.set()
        self._thread.start()

    def stop(self) -> None:
        """Write what is left."""
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self.write_changed()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait()
            if self._stopped.wait(_DELAY_S):
                return
            self._wake.clear()
            self.write_changed()

    def write_changed(self) -> None:
        """Write the files of all pages that were changed since their file was written."""
        for page in list(self.project.pages.values()):
            known = self._written.get(page.key, {}).get("revision", 0)
            if page.shapes is not None and page.revision > known:
                try:
                    self.write(page)
                    self.problem = ""
                except InputError as error:
                    self.problem = str(error)
                    log.warning("%s", error)
                    return

    def write(self, page: ProjectPage) -> Path:
        """Write the layout file of a page, and return its path.

        Raises:
            OutputError: it cannot be written.
            DataError: the original layout file was damaged meanwhile.
        """
        with self._lock:
            with self.project.lock:
                revision, path = page.revision, self.get_path(page)
                original = None if page.layout is None else get_original(page.layout)
                content = render_layout(page, original, self.get_form(page))
            before = self._written.get(page.key, {})
            with report_write_errors(path, is_file=True):
                _keep_original(path, before.get("digest", ""))
                with atomic_write(path) as file:
                    file.write(content)
            self._written[page.key] = {"revision": revision, "digest": _digest(content)}
            with report_write_errors(self._record, is_file=True):
                write_json(self._record, self._written)
            return path

    def get_path(self, page: ProjectPage) -> Path:
        """Return the layout file of a page: that which it had, or one beside its image."""
        return page.layout or page.scan.path.with_name(f"{page.scan.stem}{_SUFFIXES[self.form]}")

    def get_form(self, page: ProjectPage) -> str:
        """Return ``alto`` or ``page``: the format of the layout file of a page."""
        if page.layout is None:
            return self.form
        from htr_lightning.layout.formats import detect_format

        return {"alto": "alto", "page_xml": "page"}[detect_format(page.layout)]


def _keep_original(path: Path, digest: str) -> None:
    """Copy a file that another program has written, before it is replaced.

    Raises:
        OutputError: there are too many copies.
    """
    if not path.is_file():
        return
    content = path.read_bytes()
    if _digest(content) == digest:
        return
    names = [path.with_suffix(ORIGINAL), *(path.with_suffix(f".orig-{n}.xml") for n in range(2, 100))]
    for copy in names:
        if copy.is_file() and copy.read_bytes() == content:
            return
        if not copy.exists():
            with atomic_write(copy) as file:
                file.write(content)
            return
    raise OutputError("there are 99 copies of this file already", file=path, remedy="delete some", kind="unwritable")


def get_original(layout: Path) -> Path:
    """Return a layout file as it was in the beginning."""
    original = layout.with_suffix(ORIGINAL)
    return original if original.is_file() else layout


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def render_layout(page: ProjectPage, original: Path | None, form: str) -> bytes:
    """Return the content of the layout file of a page.

    Args:
        page: its lines must be known.
        original: the layout file as it was in the beginning; None without one.
        form: ``alto`` or ``page``, to write a new one where the lines are others now.

    Raises:
        DataError: the original file is damaged.
    """
    from htr_lightning.reading.write.rewrite import rewrite_layout
    from htr_lightning.reading.write.writers import PAGE_WRITERS

    predicted = build_page(page)
    if original is not None and not page.edits:
        lines = {line.id: line for line in predicted.lines}
        return rewrite_layout(original, lines, (page.width, page.height))
    return PAGE_WRITERS[form].write(predicted, datetime.now(UTC))


def build_page(page: ProjectPage, *, pixels: "np.ndarray | None" = None) -> "PredictedPage":
    """Return a page with its present texts, for the writers of formats; a text of a person has the confidence 1."""
    from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion

    regions = []
    used: set[str] = set()
    for number, ((name, kind), group) in enumerate(groupby(page.shapes or (), lambda s: (s.region, s.kind)), 1):
        shapes = list(group)
        lines = []
        for shape in shapes:
            reading = page.readings.get(shape.id)
            is_read = page.get_state(shape.id) in ("", READ)
            confidence = (reading.confidence if reading else 0.0) if is_read else 1.0
            lines.append(
                PredictedLine(
                    shape.id,
                    page.show_text(shape.id),
                    confidence,
                    shape.polygon,
                    shape.baseline,
                    orientation=shape.orientation,
                    cell=shape.cell,
                    vertical=shape.vertical,
                )
            )
        boxes = np.array([shape.box for shape in shapes])
        (left, top), (right, bottom) = boxes[:, :2].min(0).tolist(), boxes[:, 2:].max(0).tolist()
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
        region = name if name and name not in used else f"region_{number}"
        used.add(region)
        regions.append(PredictedRegion(region, corners, tuple(lines), kind))
    return PredictedPage(
        page.scan.path.name,
        page.width,
        page.height,
        tuple(regions),
        number=page.scan.number,
        pixels=pixels,
    )
