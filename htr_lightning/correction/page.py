"""The pages of a project and their lines, as they are kept in memory and on the disk."""

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from htr_lightning.correction.journal import Event
from htr_lightning.directions.scripts import find_column_direction, find_scripts
from htr_lightning.image.scan import Scan
from htr_lightning.image.straighten import Points
from htr_lightning.layout.page import Cell, Vertical

READ, CORRECTED, CONFIRMED = "read", "corrected", "confirmed"
STATES = (READ, CORRECTED, CONFIRMED)
"""Of a line: nobody has changed its text; somebody has; somebody has confirmed it."""
CHANCE_FRACTION = 0.2
"""Fraction of all lines, chosen by the hash of their ids, on which errors are measured; no model learns from them."""


@dataclass(frozen=True, slots=True)
class DoubtfulWord:
    """A word that the model is not certain of.

    Attributes:
        start: index of its first character in the predicted text.
        text: the word.
        confidence: 0..1.
        box: left, top, right, bottom in px of the page.
        alternatives: what else it may be, the most probable first.
    """

    start: int
    text: str
    confidence: float
    box: tuple[float, float, float, float]
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model reads in a line.

    Attributes:
        text: empty if it reads nothing.
        confidence: 0..1, of the whole text.
        doubt: mean probability that a character is wrong, 0..1; calibrated if the model is.
        model: name of the model in this project.
        words: those that it is least certain of, a few at most.
        starts: x of the start of each character on the page, in px.
        problem: why the line could not be read; empty if it could.
    """

    text: str
    confidence: float = 0.0
    doubt: float = 1.0
    model: str = ""
    words: tuple[DoubtfulWord, ...] = ()
    starts: tuple[int, ...] = ()
    problem: str = ""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Reading":
        """Build a reading from the result of `dataclasses.asdict`."""
        words = [
            DoubtfulWord(**word | {"box": tuple(word["box"]), "alternatives": tuple(word["alternatives"])})
            for word in values["words"]
        ]
        return cls(**values | {"words": tuple(words), "starts": tuple(values["starts"])})


@dataclass(frozen=True, slots=True, eq=False)
class LineShape:
    """Where a line is on its page; all points in px of the page's image.

    Attributes:
        id: unique on its page, an XML name.
        baseline: ``(n, 2)``.
        polygon: ``(n, 2)``.
        region: id of its region.
        kind: of its region.
        orientation: quarter turns clockwise by which its writing is turned.
        cell: of the table that it is in; None outside of tables.
        vertical: how it runs if its characters stand below each other; empty for other lines.
    """

    id: str
    baseline: Points
    polygon: Points
    region: str = "r1"
    kind: str = "paragraph"
    orientation: int = 0
    cell: Cell | None = None
    vertical: Vertical = ""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types that `from_dict` reads."""
        return {
            "id": self.id,
            "baseline": np.round(self.baseline).astype(int).tolist(),
            "polygon": np.round(self.polygon).astype(int).tolist(),
            "region": self.region,
            "kind": self.kind,
            "orientation": self.orientation,
            "cell": None if self.cell is None else asdict(self.cell),
            "vertical": self.vertical,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LineShape":
        """Build a shape from the result of `to_dict`."""
        points = {name: np.array(values[name], np.float32).reshape(-1, 2) for name in ("baseline", "polygon")}
        cell = None if values["cell"] is None else Cell(**values["cell"])
        return cls(**values | points | {"cell": cell})

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of its outline."""
        points = np.concatenate([self.polygon, self.baseline])
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        return left, top, right, bottom


@dataclass(slots=True)
class LineText:
    """The text of a line, and how it came about.

    Attributes:
        state: one of `STATES`.
        text: of a person; None if the text is that of the reading.
        revision: number of the last event that concerns it; 0 for none.
        history: earlier states and texts, the last one last, for undo.
        predicted: what the model had read when the line was confirmed; None if that is not known.
        model: which read it then.
    """

    state: str = READ
    text: str | None = None
    revision: int = 0
    history: list[tuple[str, str | None]] = field(default_factory=list)
    predicted: str | None = None
    model: str = ""


@dataclass(slots=True)
class ProjectPage:
    """A page of a project.

    Attributes:
        key: made of its path in the folder; its name in addresses and files of the project.
        name: its path in the folder, with its number in a document.
        scan: its image.
        layout: the layout file that was beside it when the project was made; None without one.
        width: of the image in px; 0 until it was opened.
        height: likewise.
        layout_size: of the layout file, which decides how its image is turned.
        shapes: of its lines, in reading order; None until they were found.
        texts: by the id of a line; also of lines that were deleted, which may come back.
        readings: by the id of a line.
        problem: why the page cannot be used; empty if it can.
        notes: sentences about it.
        edits: earlier orders and shapes of its lines, the last one last, for undo.
        revision: number of the last event that concerns it.
    """

    key: str
    name: str
    scan: Scan
    layout: Path | None = None
    width: int = 0
    height: int = 0
    layout_size: tuple[float, float] | None = None
    shapes: list[LineShape] | None = None
    texts: dict[str, LineText] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    problem: str = ""
    notes: list[str] = field(default_factory=list)
    edits: list[list[LineShape]] = field(default_factory=list)
    revision: int = 0

    @property
    def line_ids(self) -> list[str]:
        """Ids of its lines in reading order."""
        return [shape.id for shape in self.shapes or ()]

    @property
    def has_columns(self) -> bool:
        """Whether most of its letters are of a script that is written in columns, their characters upright."""
        return find_column_direction(find_scripts("".join(map(self.show_text, self.line_ids)))) is not None

    def get_text(self, line: str) -> LineText:
        """Return the text of a line; a new one if it has none yet."""
        return self.texts.setdefault(line, LineText())

    def show_text(self, line: str) -> str:
        """Return the text of a line: that of a person, or else the reading."""
        known = self.texts.get(line)
        if known is not None and known.text is not None:
            return known.text
        reading = self.readings.get(line)
        return "" if reading is None else reading.text

    def get_state(self, line: str) -> str:
        """Return the state of a line, one of `STATES`; empty if it was not read yet."""
        known = self.texts.get(line)
        if known is not None and known.state != READ:
            return known.state
        return READ if line in self.readings else ""

    def apply(self, event: Event) -> None:
        """Change lines and texts as an event of the journal says."""
        self.revision = event["n"]
        if event["kind"] == "text":
            known = self.get_text(event["line"])
            known.history.append((known.state, known.text))
            known.state, known.text, known.revision = event["state"], event["text"], event["n"]
            known.predicted, known.model = event.get("predicted"), event.get("model", "")
        elif event["kind"] == "undo":
            known = self.get_text(event["line"])
            known.state, known.text = known.history.pop() if known.history else (READ, None)
            known.revision = event["n"]
        elif event["kind"] == "lines":
            self.edits.append(self.shapes or [])
            self.shapes = [LineShape.from_dict(shape) for shape in event["shapes"]]
            for line, text in event["texts"].items():
                self.get_text(line).state, self.get_text(line).text = CORRECTED, text
        elif event["kind"] == "undo_lines":
            self.shapes = self.edits.pop() if self.edits else self.shapes

    def count(self) -> dict[str, int]:
        """Return the number of lines, and how many of them are in each state."""
        states = [self.get_state(line) for line in self.line_ids]
        return {"lines": len(states)} | {state: states.count(state) for state in STATES}

    @property
    def needs_reading(self) -> bool:
        """Whether the page has lines that were not read, or was not opened yet."""
        if self.problem:
            return False
        return self.shapes is None or any(shape.id not in self.readings for shape in self.shapes)


def make_key(relative: str) -> str:
    """Return the key of a page: hexadecimal, made of its path in the folder."""
    return hashlib.blake2b(relative.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def draw_lot(page: str, line: str) -> float:
    """Return a number 0..1 that belongs to a line for ever; below `CHANCE_FRACTION`, errors are measured on it."""
    digest = hashlib.blake2b(f"{page}/{line}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
