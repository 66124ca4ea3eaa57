"""Sets synthetic lines on a sheet, as letters, columns, tables, double pages, and text with notes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.page_targets import TargetLine
from htr_lightning.data.sources.page_canvas import PageCanvas

_MIN_HEIGHT_PX, _MAX_HEIGHT_PX = 20.0, 56.0  # of the images of lines on the page


@dataclass(slots=True)
class PageComposer(PageCanvas):
    """Sets lines on a sheet."""

    def finish(self) -> NDArray[np.float32]:
        """Return the sheet with its ink, pale or dark, even or not; perhaps with a number, or ink of the back."""
        if self.generator.random() < 0.4:
            self._number_page()
        if self.generator.random() < 0.15:
            self.sheet *= 1 - self.draw_back()
        darkness = float(self.generator.uniform(0.25, 0.95))
        grid = self.generator.uniform(0.6, 1.0, (4, 4)).astype(np.float32)
        pressure = cv2.resize(grid, self.ink.shape[::-1], interpolation=cv2.INTER_CUBIC)
        return np.asarray(self.sheet * (1 - darkness * pressure * self.ink), np.float32)

    def _number_page(self) -> None:
        """Write a number into a corner, or at the middle of the upper or lower edge."""
        height, width = self.sheet.shape
        size = self._sample_size(0.8)
        x = width * float(self.generator.choice([0.05, 0.48, 0.85]) + self.generator.uniform(-0.03, 0.03))
        y = float(self.generator.choice([1.3 * size, height - size])) + float(self.generator.uniform(0, 0.4 * size))
        region = int(x), int(y - size), int(x + 6 * size), int(y + size)
        if not self.ink[max(0, region[1]) : region[3], region[0] : region[2]].any():
            self.set_line(x, x + 6 * size, y, size, lines=self.texts.numbers)

    def set_letter(self) -> None:
        """Date at the upper right, salutation, paragraphs, signature."""
        height, width = self.sheet.shape
        left, right = self._margins(width)
        size = self._sample_size()
        y = height * float(self.generator.uniform(0.04, 0.15))
        if self.generator.random() < 0.8:
            y = self._set_block(left + 0.5 * (right - left), right, y, size, int(self.generator.integers(1, 4)))
        y = self._set_block(left, left + 0.6 * (right - left), y + 2 * size, size, 1)
        end = height * float(self.generator.uniform(0.6, 0.95))
        y = self.fill(left, right, y + size, end, size)
        self._set_block(left + 0.55 * (right - left), right, y + size, size, 1)
        if self.generator.random() < 0.4:
            self._turn_note(0, left, size)

    def set_columns(self) -> None:
        """Two to four columns of text, perhaps in print size, perhaps under a heading."""
        height, width = self.sheet.shape
        left, right = self._margins(width)
        count = int(self.generator.integers(2, 5))
        size = self._sample_size(0.8)
        top = height * float(self.generator.uniform(0.05, 0.12))
        if self.generator.random() < 0.5:
            top = self._set_block(left + 0.25 * (right - left), right, top, 1.4 * size, 1) + 2 * size
        gap = width * float(self.generator.uniform(0.015, 0.05))
        step = (right - left + gap) / count
        for number in range(count):
            bottom = height * float(self.generator.uniform(0.7, 0.96))
            self.fill(left + number * step, left + (number + 1) * step - gap, top, bottom, size)

    def set_table(self) -> None:
        """Rows and columns of cells, with rules or without."""
        height, width = self.sheet.shape
        left, right = self._margins(width, 0.03)
        size = self._sample_size(0.8)
        count = int(self.generator.integers(3, 9))
        bounds = np.sort(self.generator.uniform(left, right, count - 1))
        bounds = np.concatenate([[left], bounds, [right]])
        bounds = bounds[np.concatenate([[True], np.diff(bounds) > 2.2 * size])]
        bounds[-1] = right
        top, bottom = height * 0.08, height * float(self.generator.uniform(0.7, 0.97))
        pitch = size * float(self.generator.uniform(0.75, 1.5))
        has_rules, has_rows = self.generator.random() < 0.8, self.generator.random() < 0.4
        if has_rules:
            for x in bounds:
                self.rule((x, top - size), (x, bottom))
        self.rule((left, top), (right, top)) if has_rules else None
        rows = np.arange(top + 1.2 * size, bottom - 0.4 * size, pitch)
        filled = self.generator.uniform(0.3, 1.0, len(bounds) - 1)
        numbered = self.generator.random(len(bounds) - 1) < 0.35
        for start, end, share, is_numbered in zip(bounds, bounds[1:], filled, numbered, strict=False):
            self.set_line(start + 0.3 * size, end - 0.3 * size, top - 0.35 * size, 0.8 * size)
            for y in rows:
                if self.generator.random() < share:
                    indent = float(self.generator.choice([0.0, 0.0, 0.3])) * (end - start)
                    lines = self.texts.numbers if is_numbered else None
                    self.set_line(start + 0.2 * size + indent, end - 0.15 * size, float(y), size, lines=lines)
        if has_rows:
            for y in rows:
                self.rule((left, y + 0.25 * size), (right, y + 0.25 * size))

    def set_double(self) -> None:
        """Two facing pages with a gutter between them."""
        height, width = self.sheet.shape
        size = self._sample_size(0.8)
        middle = width * float(self.generator.uniform(0.46, 0.54))
        shade = np.exp(-(((np.arange(width) - middle) / (0.02 * width)) ** 2)) * float(self.generator.uniform(0.2, 0.8))
        self.sheet *= (1 - shade).astype(np.float32)[None]
        margin = width * float(self.generator.uniform(0.015, 0.06))
        for left, right in ((margin, middle - margin), (middle + margin, width - margin)):
            top = height * float(self.generator.uniform(0.05, 0.2))
            self.fill(left, right, top, height * float(self.generator.uniform(0.6, 0.95)), size)

    def set_notes(self) -> None:
        """Text with notes in the margin, some of them turned or upside down, and insertions between the lines."""
        height, width = self.sheet.shape
        size = self._sample_size()
        at_left = self.generator.random() < 0.6
        share = float(self.generator.uniform(0.18, 0.35))
        left, right = (share * width, 0.96 * width) if at_left else (0.05 * width, (1 - share) * width)
        self.fill(left, right, 0.08 * height, height * float(self.generator.uniform(0.6, 0.95)), size)
        note_left, note_right = (0.03 * width, left - size) if at_left else (right + size, 0.98 * width)
        y = height * float(self.generator.uniform(0.08, 0.4))
        while y < 0.8 * height:
            y = self._set_block(note_left, note_right, y, 0.7 * size, int(self.generator.integers(1, 6)))
            y += height * float(self.generator.uniform(0.05, 0.3))
        if self.generator.random() < 0.5:
            self._turn_note(note_left, note_right, 0.8 * size, upside_down=True)

    def _sample_size(self, factor: float = 1.0) -> float:
        """Return the height of the images of lines, small ones more often."""
        low, high = np.log([_MIN_HEIGHT_PX, _MAX_HEIGHT_PX])
        return factor * float(np.exp(self.generator.uniform(low, high)))

    def _margins(self, width: int, least: float = 0.05) -> tuple[float, float]:
        left, right = self.generator.uniform(least, 0.2, 2)
        return width * float(left), width * (1 - float(right))

    def fill(self, left: float, right: float, top: float, bottom: float, size: float) -> float:
        """Fill an area with lines, with paragraphs; return the y of the last baseline."""
        pitch = size * float(self.generator.uniform(0.7, 1.5))
        slope = float(self.generator.normal(0, 0.008))
        y = top
        self.is_in_figures = self.generator.random() < 0.04
        while y < bottom:
            if self.generator.random() < (0.25 if self.is_in_figures else 0.03):
                self.is_in_figures = not self.is_in_figures
            if self.generator.random() < 0.04:  # a numbered paragraph
                x = left + float(self.generator.uniform(0, 0.5)) * (right - left)
                self.set_line(x, right, y, size * float(self.generator.uniform(0.8, 1.4)), lines=self.texts.numbers)
                y += pitch
            indent = (0.1 if self.generator.random() < 0.1 else 0.01 * self.generator.normal()) * (right - left)
            missing = float(self.generator.uniform(0, 0.7)) if self.generator.random() < 0.12 else 0.0
            end = right - missing * (right - left)
            self.set_line(left + indent, end, y, size, slope, fill=True)
            y += pitch * float(self.generator.normal(1, 0.04))
            if self.generator.random() < 0.04:
                y += pitch
        self.is_in_figures = False
        return y

    def _set_block(self, left: float, right: float, y: float, size: float, count: int) -> float:
        pitch = size * float(self.generator.uniform(0.8, 1.3))
        for _ in range(count):
            self.set_line(left, right, y, size)
            y += pitch
        return y

    def _turn_note(self, left: float, right: float, size: float, *, upside_down: bool = False) -> None:
        """Write a note on its side, or upside down, between two columns of the sheet."""
        height, width = self.ink.shape
        turns = 2 if upside_down and self.generator.random() < 0.5 else int(self.generator.choice([1, 3]))
        region = int(max(left, 0)), int(height * 0.55), int(min(right, width)), int(height * 0.95)
        across, down = region[2] - region[0], region[3] - region[1]
        if min(across, down) < 3 * size:
            return
        self.ink[region[1] : region[3], region[0] : region[2]] = 0
        shape = (down, across) if turns == 2 else (across, down)
        note = PageComposer(np.ones(shape, np.float32), self.texts, self.font, self.generator)
        note.fill(0.03 * shape[1], 0.97 * shape[1], 1.2 * size, shape[0] - 0.4 * size, size)
        kept = [t for t in self.targets if not _overlaps(t, region)]
        self.targets[:] = kept + [turn_target(t, turns, shape, region[:2]) for t in note.targets]
        self.ink[region[1] : region[3], region[0] : region[2]] = np.rot90(note.ink, -turns)


def _overlaps(line: TargetLine, region: tuple[int, int, int, int]) -> bool:
    x, y = line.baseline.mean(0)
    return bool(region[0] <= x <= region[2] and region[1] <= y - line.above / 2 <= region[3])


def turn_target(line: TargetLine, turns: int, shape: tuple[int, int], corner: tuple[int, int] = (0, 0)) -> TargetLine:
    """Turn an upright line clockwise by quarter turns.

    Args:
        line: upright.
        turns: 1 to 3.
        shape: height and width of the sheet that it is on.
        corner: x and y to move the upper left corner of the turned sheet to.
    """
    x, y = line.baseline.T
    height, width = shape
    turned = {1: (height - y, x), 2: (width - x, height - y), 3: (y, width - x)}[turns]
    points = np.stack(turned, 1) + np.array(corner)
    return TargetLine(points.astype(np.float32), line.above, line.below, turns)
