"""The folder ``.htr`` of a project, and the pages of the folder around it."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from htr_lightning.correction.errors import ProjectError
from htr_lightning.correction.page import LineShape, ProjectPage, Reading, make_key
from htr_lightning.files import (
    check_writable,
    file_lock,
    read_json,
    remove_stale,
    report_write_errors,
    write_json,
    write_text,
)
from htr_lightning.image.files import DataError
from htr_lightning.image.scan import Scan, find_scan_files, list_scans

NAME = ".htr"
FORMAT = 1
_FOLDERS = ("pages", "readings", "models", "cache")


def find_pages(folder: Path) -> list[ProjectPage]:
    """Return the pages of a folder; those of files that cannot be opened have a problem.

    Raises:
        DataError: the folder holds no scan.
        ProjectError: there is no such folder.
    """
    if not folder.is_dir():
        remedy = "name a folder with images or PDF files of pages"
        raise ProjectError("there is no such folder", file=folder, remedy=remedy, kind="missing")
    pages = []
    for file, relative in find_scan_files([folder]):
        try:
            scans, problem = list_scans(file), ""
        except DataError as error:
            scans, problem = [Scan(file)], str(error)
        for scan in scans:
            name = relative.as_posix() + (f", page {scan.number}" if scan.number else "")
            pages.append(ProjectPage(make_key(name), name, scan, problem=problem))
    return pages


class StateFolder:
    """What a project keeps beside its pages: in ``.htr/pages`` and ``.htr/readings``, what models found and read.

    Args:
        folder: of the project.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME
        self._exit = contextlib.ExitStack()

    def claim(self) -> None:
        """Keep other processes out of the project, and make the folder.

        Raises:
            OutputError: it cannot be written.
            ProjectError: another process has opened the project, or its state is of a newer version.
        """
        check_writable(self.folder)
        with report_write_errors(self.folder):
            self.path.mkdir(exist_ok=True)
            self._exit.enter_context(file_lock(self.path / ".lock", self._refuse))
            about = read_json(self.path / "project.json")
            if about.get("format", FORMAT) > FORMAT:
                remedy = "upgrade with pip install -U htr-lightning"
                problem = f"the project has format {about['format']}; this version reads formats up to {FORMAT}"
                raise ProjectError(problem, file=self.path, remedy=remedy, kind="newer")
            if not about:
                write_json(self.path / "project.json", {"format": FORMAT})
                write_text(self.path / ".gitignore", "cache/\n")
            for name in _FOLDERS:
                (self.path / name).mkdir(exist_ok=True)
                remove_stale(self.path / name)
            remove_stale(self.path)

    def release(self) -> None:
        """Let other processes open the project."""
        self._exit.close()

    def _refuse(self) -> None:
        address = read_json(self.path / "server.json").get("address", "")
        where = f"; it shows the folder at {address}" if address else ""
        raise ProjectError(
            f"another process has opened this folder{where}",
            file=self.folder,
            remedy="use that one, or stop it first",
            kind="busy",
        )

    def load_page(self, page: ProjectPage) -> dict[str, str]:
        """Give a page its lines and readings, as far as they are known; return the texts of its layout file."""
        readings = read_json(self._get_file("readings", page))
        page.readings = {line: Reading.from_dict(values) for line, values in readings.items()}
        found = read_json(self._get_file("pages", page))
        if not found:
            return {}
        page.width, page.height = found["size"]
        page.layout_size = tuple(found["layout_size"]) if found["layout_size"] else None
        page.layout = self.folder / found["layout"] if found["layout"] else None
        page.notes = found["notes"]
        page.shapes = [LineShape.from_dict(shape) for shape in found["lines"]]
        return dict(found["texts"])

    def write_lines(self, page: ProjectPage, shapes: Sequence[LineShape], texts: Mapping[str, str]) -> None:
        """Keep the lines that were found on a page, and the texts of its layout file."""
        content = {
            "size": (page.width, page.height),
            "layout_size": page.layout_size,
            "layout": page.layout.relative_to(self.folder).as_posix() if page.layout else "",
            "notes": page.notes,
            "lines": [shape.to_dict() for shape in shapes],
            "texts": dict(texts),
        }
        write_json(self._get_file("pages", page), content)

    def write_readings(self, page: ProjectPage) -> None:
        """Keep the readings of a page."""
        kept = {line: dataclasses.asdict(reading) for line, reading in page.readings.items()}
        write_json(self._get_file("readings", page), kept)

    def _get_file(self, kind: str, page: ProjectPage) -> Path:
        return self.path / kind / f"{page.key}.json"
