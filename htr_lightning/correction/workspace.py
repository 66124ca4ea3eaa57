"""Everything that works on one project: its state, the background reading, pictures, layout files, models."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from htr_lightning.correction.background import Background
from htr_lightning.correction.layout_files import LayoutFiles
from htr_lightning.correction.page import CONFIRMED
from htr_lightning.correction.pictures import Pictures
from htr_lightning.correction.project import Project
from htr_lightning.correction.ranking import choose_worst
from htr_lightning.correction.recognition import PageRecognizer

DEFAULT_MODEL = "zoo:latin-large"
_PALETTE = 400  # characters at most
_LEARNED = re.compile(r"\d{4}")  # names of models that were learned here
_KEYBOARD = frozenset(map(chr, range(32, 127)))


class Workspace:
    """A project that is open, with all that works on it.

    Args:
        folder: of the project.
        model: to begin with, what `htr_lightning.reading.runtime.open_recognizer` takes; None for the one that the
            project began with, or `DEFAULT_MODEL`.
        finder: what `htr_lightning.reading.segmenters.load_segmenter` takes.
        layout_format: ``alto`` or ``page``, of layout files for pages that have none.
        device: see `open_recognizer`.
        learning: ``KEY=VALUE`` of the training, which replace those of ``+experiment=adapt``.
        index: table of results by ``predict --index``, to work on its worst pages alone; None for all pages.
        worst: fraction of the pages of the index.

    Raises:
        InputError: see `htr_lightning.correction.project.Project`.
    """

    def __init__(
        self,
        folder: Path,
        model: str | None = None,
        *,
        finder: str = "zoo:finder",
        layout_format: str = "alto",
        device: str | None = None,
        learning: Sequence[str] = (),
        index: Path | None = None,
        worst: float = 0.01,
    ) -> None:
        self.learning = learning
        self._finder, self._device = finder, device
        choose = None if index is None else partial(choose_worst, folder=folder, index=index, fraction=worst)
        self.project = Project(folder, choose)
        self.project.set_base_model(model or self.project.base_model or DEFAULT_MODEL)
        self.pictures = Pictures(self.project)
        self.layout_files = LayoutFiles(self.project, layout_format)
        self.background = Background(self.project, self.load_model)
        self.project.listen(lambda page: self.background.wake())
        self.closers: list[Callable[[], None]] = []

    def start(self) -> None:
        """Start to read pages and to write layout files."""
        self.background.start()
        self.layout_files.start()

    def close(self) -> None:
        """Stop, and write what is left; then another process may open the folder."""
        for close in self.closers:
            close()
        self.background.stop()
        self.layout_files.stop()
        self.project.close()

    def get_model_source(self, name: str) -> str:
        """Return what `open_recognizer` takes for a model of the project: a file, or the model that it began with."""
        learned = self.project.state / "models" / name / "model.safetensors"
        return str(learned) if _LEARNED.fullmatch(name) else name

    def load_model(self, name: str) -> PageRecognizer:
        """Load a model of the project.

        Raises:
            ModelFileError: it is missing or damaged.
        """
        from htr_lightning.reading.runtime import open_recognizer
        from htr_lightning.reading.segmenters import load_segmenter

        recognizer = open_recognizer(self.get_model_source(name), self._device)
        segmenter = load_segmenter(self._finder, charset=recognizer.charset)
        return PageRecognizer(recognizer, name, segmenter)

    def find_unknown(self, text: str) -> str:
        """Return the characters of a text that the present model lacks; empty while it is not loaded."""
        recognizer = self.background.recognizer
        return "" if recognizer is None else recognizer.model.charset.find_unknown(text)

    def list_characters(self) -> list[str]:
        """Return the characters for the palette, those that keyboards lack: the most frequent in the project first."""
        counts: Counter[str] = Counter()
        with self.project.lock:
            for page in self.project.pages.values():
                for line in page.line_ids:
                    weight = 5 if page.get_state(line) == CONFIRMED else 1
                    for character in page.show_text(line):
                        counts[character] += weight
        recognizer = self.background.recognizer
        known = recognizer.model.charset.characters if recognizer is not None else ()
        characters = [c for c in dict.fromkeys([*known, *counts]) if c not in _KEYBOARD and c.isprintable()]
        return sorted(characters, key=lambda c: (-counts[c], c))[:_PALETTE]

    def get_languages(self) -> list[str]:
        """Return the languages of the model, ISO 639-1 codes; empty while it is not loaded or if it names none."""
        recognizer = self.background.recognizer
        return [] if recognizer is None else list(recognizer.model.info.languages)

    def get_status(self) -> dict[str, Any]:
        """Return what goes on, as plain JSON types."""
        status = self.background.get_status()
        with self.project.lock:
            counts = [page.count() for page in self.project.pages.values()]
        totals = {name: sum(count[name] for count in counts) for name in ("lines", "read", "corrected", "confirmed")}
        return status | totals | {"layout_problem": self.layout_files.problem, "model": self.project.model}
