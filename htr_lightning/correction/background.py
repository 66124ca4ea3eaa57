"""The background of a project: one thread of low priority that finds and reads lines, the open page first."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from htr_lightning.correction.page import ProjectPage
from htr_lightning.correction.project import Project
from htr_lightning.correction.recognition import FoundPage, PageRecognizer, drop_empty, read_pixels
from htr_lightning.errors import InputError
from htr_lightning.image.files import DataError

log = logging.getLogger(__name__)
_START_DELAY_S = 1.5  # the list of pages is shown first; loading PyTorch keeps the interpreter busy
_RETRY_S = 10.0  # after a full disk
_NICENESS = 10  # of the thread, where the system gives threads priorities of their own


class Background:
    """Reads the lines of a project that were not read yet, or only by another model.

    Args:
        project: to read.
        load: from the name of a model of the project to what reads with it.
    """

    def __init__(self, project: Project, load: Callable[[str], PageRecognizer]) -> None:
        self.project, self._load = project, load
        self.open_page = ""
        self.activity = "loading the model"
        self.problem = ""
        self.recognizer: PageRecognizer | None = None
        self._ignored_layouts: set[str] = set()
        self._tasks: list[Callable[[], None]] = []
        self._wake = threading.Event()  # takes no lock while the project's is held
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="reading", daemon=True)

    def start(self) -> None:
        """Start to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the page that is being read."""
        self._stopped = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self, open_page: str = "") -> None:
        """Look for work again.

        Args:
            open_page: the page that a person looks at, which is read first; empty for the same as before.
        """
        self.open_page = open_page or self.open_page
        self._wake.set()

    def run_soon(self, task: Callable[[], None]) -> None:
        """Run a task in this thread before the next page is read."""
        self._tasks.append(task)
        self._wake.set()

    def find_again(self, key: str) -> None:
        """Find the lines of a page in its image, whatever its layout file says."""
        self._ignored_layouts.add(key)
        self.project.report_problem(key, "")
        self.wake(key)

    def get_status(self) -> dict[str, Any]:
        """Return what is being done, how many pages are left, and why nothing can be read, as plain JSON types."""
        with self.project.lock:
            left = sum(self._is_waiting(page) for page in self.project.pages.values())
        return {"activity": self.activity, "left": left, "pages": len(self.project.pages), "problem": self.problem}

    def _is_waiting(self, page: ProjectPage) -> bool:
        if page.problem:
            return False
        return page.shapes is None or any(self.project.is_outdated(page, line) for line in page.line_ids)

    def _next_page(self) -> ProjectPage | None:
        with self.project.lock:
            pages = list(self.project.pages.values())
            opened = self.project.pages.get(self.open_page)
            start = pages.index(opened) if opened in pages else 0
            return next((page for page in pages[start:] + pages[:start] if self._is_waiting(page)), None)

    def _run(self) -> None:
        with contextlib.suppress(AttributeError, OSError):  # Linux alone has priorities of threads
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        self._wake.wait(_START_DELAY_S)
        while not self._stopped:
            self._wake.clear()
            if not self._work():
                self._wake.wait()

    def _work(self) -> bool:
        """Do one piece of work; return False if there is none, or none can be done before something changes."""
        if self._tasks:
            self._tasks.pop(0)()
            return True
        page = self._next_page()
        if page is None:
            self.activity = ""
            return False
        recognizer = self._get_recognizer()
        if recognizer is None:
            return False  # until another model is chosen
        self.activity = f"reading {page.name}"
        try:
            self._read_page(page, recognizer)
        except DataError as error:
            self.project.report_problem(page.key, str(error))
        except InputError as error:  # the disk is full, the model is damaged
            self.problem = str(error)
            self._wake.wait(_RETRY_S)
        except Exception as error:  # one page must not end the reading of all others
            log.exception("while reading %s", page.name)
            self.project.report_problem(page.key, f"it cannot be read ({type(error).__name__}: {error})")
        return True

    def _get_recognizer(self) -> PageRecognizer | None:
        name = self.project.model
        if self.recognizer is None or self.recognizer.name != name:
            self.activity = "loading the model"
            try:
                self.recognizer = self._load(name)
                self.problem = ""
            except InputError as error:
                self.problem, self.activity = str(error), ""
                return None
        return self.recognizer

    def _read_page(self, page: ProjectPage, recognizer: PageRecognizer) -> None:
        if page.shapes is None:
            found = recognizer.find_lines(page, ignore_layout=page.key in self._ignored_layouts)
            page.layout_size = found.layout_size
            if found.layout is None:
                readings = recognizer.read_lines(read_pixels(page), found.shapes)
                found = drop_empty(found, readings)
                kept = {shape.id: readings[shape.id] for shape in found.shapes}
                self.project.store_readings(page.key, kept)
            self._store_lines(page, found)  # those of a layout file are read next, but shown now
            return
        with self.project.lock:
            waiting = [shape for shape in page.shapes if self.project.is_outdated(page, shape.id)]
        self.project.store_readings(page.key, recognizer.read_lines(read_pixels(page), waiting))

    def _store_lines(self, page: ProjectPage, found: FoundPage) -> None:
        self.project.store_lines(
            page.key,
            found.size,
            found.shapes,
            found.texts,
            layout=found.layout,
            layout_size=found.layout_size,
            notes=found.notes,
        )
