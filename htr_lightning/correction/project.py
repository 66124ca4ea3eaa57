"""A project: a folder of pages, its journal, and everything that is known of its lines."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from htr_lightning.correction.errors import ConflictError, ProjectError
from htr_lightning.correction.journal import Event, Journal
from htr_lightning.correction.page import CONFIRMED, CORRECTED, READ, LineShape, ProjectPage, Reading
from htr_lightning.correction.state_folder import StateFolder, find_pages
from htr_lightning.text import clean_text

MAX_TEXT_LENGTH = 4000


class Project:
    """A folder of pages with the texts of their lines. All methods may be called from several threads.

    Every decision of a person is an event of the journal (`htr_lightning.correction.journal`); what models found and
    read lies in ``.htr/pages`` and ``.htr/readings``, and can be made again. The state in memory follows from both.

    Args:
        folder: holds images, PDF files, or images with ALTO or PAGE files.
        choose: chooses pages among all of the folder, and their order; None for all. What was done on the others stays.

    Raises:
        DataError: the folder holds no scan.
        OutputError: the folder cannot be written.
        ProjectError: another process has opened it, or its state is of a newer version.
        JournalError: its journal is damaged.
    """

    def __init__(
        self, folder: Path, choose: Callable[[Sequence[ProjectPage]], Sequence[ProjectPage]] | None = None
    ) -> None:
        self.folder = folder
        self.files = StateFolder(folder)
        self.state = self.files.path
        self.lock = threading.RLock()
        self.model = self.base_model = ""
        self.version = 0
        self.page_versions: dict[str, int] = {}
        self.pages: dict[str, ProjectPage] = {}
        self._listeners: list[Callable[[ProjectPage], None]] = []
        pages: Sequence[ProjectPage] = find_pages(folder)
        if choose is not None:
            pages = choose(pages)
        try:
            self.files.claim()
            self.journal = Journal(self.state / "journal.jsonl")
            self._load(pages)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let other processes open the folder."""
        self.files.release()

    def listen(self, listener: Callable[[ProjectPage], None]) -> None:
        """Call a function with each page whose lines or texts a person has changed."""
        self._listeners.append(listener)

    def _load(self, pages: Sequence[ProjectPage]) -> None:
        for page in pages:
            self.pages[page.key] = page
            texts = self.files.load_page(page)
            self._set_found(page, page.shapes, texts)
        for event in self.journal.read():
            self._apply(event)

    def _set_found(self, page: ProjectPage, shapes: list[LineShape] | None, texts: Mapping[str, str]) -> None:
        page.shapes = shapes
        for line, text in texts.items():
            known = page.get_text(line)
            if not known.revision:
                known.state, known.text = CORRECTED, text

    def get_page(self, key: str) -> ProjectPage:
        """Return a page.

        Raises:
            ProjectError: there is none of this key.
        """
        if key not in self.pages:
            raise ProjectError("there is no such page", value=key[:40], key="page", kind="unknown_page")
        return self.pages[key]

    def check_line(self, page: ProjectPage, line: str) -> None:
        """Check that a page has a line.

        Raises:
            ProjectError: it has not, or no longer.
        """
        if line not in page.line_ids:
            problem = "the page has no such line; it may have been deleted in another window"
            raise ProjectError(problem, key="line", value=line[:40], remedy="reload the page", kind="unknown_line")

    def set_text(
        self, key: str, line: str, text: str, state: str, *, revision: int | None = None, origin: str = "typed"
    ) -> None:
        """Set the text of a line.

        Args:
            key: of its page.
            line: its id.
            text: is cleaned: one row, in Unicode form NFC.
            state: `CORRECTED` or `CONFIRMED`.
            revision: of the line that the person has seen; None to overwrite whatever it is now.
            origin: how the text came about: typed, replaced, aligned.

        Raises:
            ConflictError: the line was changed to another text since.
            ProjectError: there is no such line, or the text is too long.
            OutputError: the journal cannot be written.
        """
        with self.lock:
            page = self.get_page(key)
            self.check_line(page, line)
            event = self._build_text_event(page, line, text, state, revision, origin)
            if event is not None:
                self._record(event)

    def set_texts(self, changes: Iterable[tuple[str, str, str]], origin: str) -> int:
        """Set the texts of many lines, all or none; the state of each stays, unless it was `READ`.

        Args:
            changes: key of the page, id of the line and text of each.
            origin: see `set_text`.

        Returns:
            How many lines have changed.
        """
        with self.lock:
            events = []
            for key, line, text in changes:
                page = self.get_page(key)
                self.check_line(page, line)
                state = CONFIRMED if page.get_state(line) == CONFIRMED else CORRECTED
                events.append(self._build_text_event(page, line, text, state, None, origin))
            given = [event for event in events if event is not None]
            if given:
                self._record(*given)
            return len(given)

    def _build_text_event(
        self, page: ProjectPage, line: str, text: str, state: str, revision: int | None, origin: str
    ) -> Event | None:
        """Return the event of a new text; None if it changes nothing."""
        text = clean_text(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        if len(text) > MAX_TEXT_LENGTH:
            problem = f"the text has {len(text)} characters, where {MAX_TEXT_LENGTH} are allowed"
            raise ProjectError(problem, remedy="split the line", line_id=line, kind="too_long")
        known = page.get_text(line)
        if (known.state, known.text) == (state, text):
            return None
        if revision is not None and known.revision > revision and text != page.show_text(line):
            raise ConflictError("the line was changed in another window", line_id=line, kind="conflict")
        event = {"kind": "text", "page": page.key, "line": line, "state": state, "text": text, "origin": origin}
        reading = page.readings.get(line)
        if state == CONFIRMED and reading is not None and not reading.problem:
            event |= {"predicted": reading.text, "model": reading.model}
        return event

    def undo_text(self, key: str, line: str) -> bool:
        """Give a line its previous text and state back; return False if it has none."""
        with self.lock:
            page = self.get_page(key)
            self.check_line(page, line)
            if not page.get_text(line).history:
                return False
            self._record({"kind": "undo", "page": key, "line": line})
            return True

    def set_lines(self, key: str, edit: str, shapes: Sequence[LineShape], texts: Mapping[str, str]) -> None:
        """Change which lines a page has.

        Args:
            key: of the page.
            edit: the name of what a person did, such as ``merge``.
            shapes: of all lines, in the new order.
            texts: of new lines that have one, by their ids.

        Raises:
            OutputError: the journal cannot be written.
        """
        with self.lock:
            self.get_page(key)
            event = {"kind": "lines", "page": key, "edit": edit, "texts": dict(texts)}
            self._record(event | {"shapes": [shape.to_dict() for shape in shapes]})

    def undo_lines(self, key: str) -> bool:
        """Undo the last change of which lines a page has; return False if there is none."""
        with self.lock:
            if not self.get_page(key).edits:
                return False
            self._record({"kind": "undo_lines", "page": key})
            return True

    def set_base_model(self, source: str) -> None:
        """Begin with a model; if the project began with another one, read with this one from now on.

        Args:
            source: what `htr_lightning.model.load.load_recognizer` takes.
        """
        with self.lock:
            if source != self.base_model:
                self._record({"kind": "model", "model": source, "is_base": True})

    def choose_model(self, name: str) -> None:
        """Read with another model of the project from now on."""
        with self.lock:
            if name != self.model:
                self._record({"kind": "model", "model": name, "is_base": False})

    def record_learned(self, values: Mapping[str, Any]) -> None:
        """Keep in the journal what a model has learned from."""
        with self.lock:
            self._record({"kind": "learned", **values})

    def store_lines(
        self,
        key: str,
        size: tuple[int, int],
        shapes: Sequence[LineShape],
        texts: Mapping[str, str],
        *,
        layout: Path | None = None,
        layout_size: tuple[float, float] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        """Store the lines that a line finder, or a layout file, found on a page."""
        with self.lock:
            page = self.get_page(key)
            page.width, page.height = size
            page.layout, page.layout_size, page.notes = layout, layout_size, list(notes)
            self.files.write_lines(page, shapes, texts)
            self._set_found(page, list(shapes), texts)
            self._touch(page)

    def store_readings(self, key: str, readings: Mapping[str, Reading]) -> None:
        """Store what a model read in lines of a page."""
        with self.lock:
            page = self.get_page(key)
            page.readings |= readings
            self.files.write_readings(page)
            self._touch(page)

    def report_problem(self, key: str, problem: str) -> None:
        """Note why a page cannot be used; empty to try again."""
        with self.lock:
            page = self.get_page(key)
            page.problem = problem
            self._touch(page)

    def _record(self, *events: Event) -> None:
        for event in self.journal.append(*events):
            self._apply(event)
            page = self.pages.get(event.get("page", ""))
            if page is not None:
                self._touch(page)
                for listener in self._listeners:
                    listener(page)
            else:
                self.version += 1

    def _touch(self, page: ProjectPage) -> None:
        self.version += 1
        self.page_versions[page.key] = self.version

    def _apply(self, event: Event) -> None:
        """Change the state in memory as an event says; events of pages that are no longer there are passed over."""
        if event["kind"] == "model":
            self.model = event["model"]
            self.base_model = self.model if event["is_base"] else self.base_model
        page = self.pages.get(event.get("page", ""))
        if page is not None:
            page.apply(event)

    def confirmed_lines(self) -> list[tuple[ProjectPage, LineShape, str]]:
        """Return all confirmed lines with their texts."""
        with self.lock:
            return [
                (page, shape, page.show_text(shape.id))
                for page in self.pages.values()
                for shape in page.shapes or ()
                if page.get_state(shape.id) == CONFIRMED
            ]

    def is_outdated(self, page: ProjectPage, line: str) -> bool:
        """Whether a line is to be read: it was not, or nobody has touched it and another model read it."""
        reading = page.readings.get(line)
        return reading is None or (reading.model != self.model and page.get_state(line) == READ)
