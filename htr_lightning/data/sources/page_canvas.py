"""The sheet of a synthetic page: lines, rules and the ink of the back are put on it."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.page_targets import TargetLine
from htr_lightning.data.sources.rendered_lines import RenderedLines


@dataclass(frozen=True, slots=True)
class PageTexts:
    """What is written on pages.

    Attributes:
        lines: running text.
        figures: lines of figures, such as ciphers and sums.
        numbers: short numbers, such as those of pages and paragraphs.
    """

    lines: RenderedLines
    figures: RenderedLines
    numbers: RenderedLines


@dataclass(slots=True)
class PageCanvas:
    """A sheet, and the lines that were written on it.

    Attributes:
        sheet: ``(H, W)`` float32, reflectance 0..1.
        texts: to choose from.
        font: of the lines.
        generator: the only source of randomness.
        targets: the lines so far.
        ink: ``(H, W)``, 0..1.
        is_in_figures: whether the next lines are in figures.
    """

    sheet: NDArray[np.float32]
    texts: PageTexts
    font: str
    generator: np.random.Generator
    targets: list[TargetLine] = field(default_factory=list)
    ink: NDArray[np.float32] = field(init=False)
    is_in_figures: bool = False

    def __post_init__(self) -> None:
        self.ink = np.zeros_like(self.sheet)

    def draw_back(self) -> NDArray[np.float32]:
        """Return how much the ink of the back darkens the sheet: the same writing from behind, pale and blurred."""
        shift = int(self.generator.integers(0, len(self.ink)))
        back = cv2.GaussianBlur(
            np.roll(self.ink[:, ::-1], shift, axis=0), (0, 0), float(self.generator.uniform(0.8, 2))
        )
        return np.asarray(back * float(self.generator.uniform(0.08, 0.35)), np.float32)

    def set_line(
        self,
        left: float,
        right: float,
        y: float,
        size: float,
        slope: float = 0.0,
        *,
        fill: bool = False,
        lines: RenderedLines | None = None,
    ) -> None:
        """Write a line from ``left``, at most to ``right``; with ``fill`` by several texts, until it is full."""
        start, end, above, below = left, left, 0.0, 0.0
        lines = lines or (self.texts.figures if self.is_in_figures else self.texts.lines)
        if self.font not in lines.fonts:  # it has no figures
            lines = self.texts.lines
        while end < right - 2 * size:
            rendered = lines.choose(self.font, self.generator)
            scale = size / len(rendered.image)
            room = int((right - end) / scale)
            ink = rendered.image[:, :room]
            if ink.shape[1] < 8:
                break
            if room < rendered.image.shape[1]:  # cut between two characters
                fits = rendered.boxes[rendered.boxes[:, 1] <= room]
                ink = ink[:, : int(fits[:, 1].max())] if len(fits) else ink[:, :0]
            if not ink.size:
                break
            shape = max(1, round(ink.shape[1] * scale)), max(1, round(size))
            mask = np.float32(1) - np.asarray(cv2.resize(ink, shape, interpolation=cv2.INTER_AREA), np.float32) / 255
            baseline = rendered.baseline_px * scale
            self._stamp(np.asarray(mask, np.float32), end, y + slope * (end - left) - baseline, slope)
            above, below = max(above, 0.8 * baseline), max(below, 0.9 * (size - baseline))
            end += shape[0]
            if not fill:
                break
            end += 0.25 * size
        if end > start + 0.3 * size:
            last = end - (0.25 * size if fill else 0)
            xs = np.linspace(start, last, 5)
            points = np.stack([xs, y + slope * (xs - left)], 1).astype(np.float32)
            self.targets.append(TargetLine(points, above, max(below, 1.0)))

    def _stamp(self, mask: NDArray[np.float32], x: float, y: float, slope: float) -> None:
        """Put ink on the sheet, sheared by a slope."""
        height, width = mask.shape
        rise = slope * width
        matrix = np.array([[1, 0, 0], [slope, 1, max(0.0, -rise)]])
        sheared = cv2.warpAffine(mask, matrix, (width, height + int(abs(rise)) + 1))
        left, top = round(x), round(y - max(0.0, -rise))
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(self.ink.shape[1], left + width), min(self.ink.shape[0], top + len(sheared))
        if x1 > x0 and y1 > y0:
            part = self.ink[y0:y1, x0:x1]
            np.maximum(part, sheared[y0 - top : y1 - top, x0 - left : x1 - left], out=part)

    def rule(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw a ruling line on the sheet."""
        level = float(self.generator.uniform(0.3, 0.8))
        points = [tuple(round(value) for value in point) for point in (start, end)]
        thickness = int(self.generator.integers(1, 4))
        cv2.line(self.sheet, points[0], points[1], level, thickness, cv2.LINE_AA)
