"""Edits of the lines of a page: pure functions from its lines to other ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from htr_lightning.correction.errors import ProjectError
from htr_lightning.correction.page import LineShape, ProjectPage
from htr_lightning.correction.recognition import build_band
from htr_lightning.image.straighten import Points
from htr_lightning.layout.page import TURNS_OF_VERTICAL, Vertical

MAX_POINTS = 200
_DEFAULT_HEIGHT = 1 / 40  # of the page, for its first line
_MIN_LENGTH_PX = 4.0


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit makes of a page.

    Attributes:
        shapes: all lines, in the new order.
        texts: of new lines that have one.
        line: id of the line to go on with; empty if there is none.
    """

    shapes: list[LineShape]
    texts: dict[str, str]
    line: str = ""


def delete_line(page: ProjectPage, line: str) -> Edit:
    """Delete a line."""
    place = _find(page, line)
    shapes = list(page.shapes or ())
    del shapes[place]
    return Edit(shapes, {}, shapes[min(place, len(shapes) - 1)].id if shapes else "")


def move_line(page: ProjectPage, line: str, steps: int) -> Edit:
    """Move a line in the reading order: up by -1, down by 1; it joins the region of its new neighbor.

    Raises:
        ProjectError: it is the first or the last line already.
    """
    place = _find(page, line)
    shapes = list(page.shapes or ())
    new = place + steps
    if not 0 <= new < len(shapes):
        raise ProjectError("it is the first line already" if steps < 0 else "it is the last line already", kind="end")
    moved = replace(shapes[place], region=shapes[new].region, kind=shapes[new].kind)
    del shapes[place]
    shapes.insert(new, moved)
    return Edit(shapes, {}, line)


def merge_with_next(page: ProjectPage, line: str) -> Edit:
    """Merge a line with the next one.

    Raises:
        ProjectError: it is the last line.
    """
    place = _find(page, line)
    shapes = list(page.shapes or ())
    if place + 1 == len(shapes):
        raise ProjectError("there is no next line to merge with", kind="end")
    one, other = shapes[place], shapes[place + 1]
    first, second = (one, other) if _start(one) <= _start(other) else (other, one)
    baseline = _sort_points(np.concatenate([first.baseline, second.baseline]), one.orientation)
    height = max(_height(first), _height(second))
    both = np.concatenate([one.polygon, other.polygon])
    polygon = build_band(baseline, height) if len(baseline) > 1 else _box_of(both)
    name = _new_id(page)
    merged = replace(one, id=name, baseline=baseline, polygon=polygon)
    texts = [page.show_text(part.id) for part in (first, second)]
    return Edit([*shapes[:place], merged, *shapes[place + 2 :]], {name: " ".join(filter(None, texts))}, name)


def split_line(page: ProjectPage, line: str, position: int) -> Edit:
    """Split a line before a character of its text.

    Raises:
        ProjectError: one of both parts would be empty.
    """
    place = _find(page, line)
    shape, text = (page.shapes or ())[place], page.show_text(line)
    left, right = text[:position].strip(), text[position:].strip()
    if not left or not right:
        raise ProjectError("put the cursor between two words of the line, where it is to be split", kind="position")
    baseline = shape.baseline if len(shape.baseline) > 1 else _middle_of(shape)
    reading = page.readings.get(line)
    fraction = position / len(text)
    if reading is not None and reading.text == text and shape.orientation == 0 and position < len(reading.starts):
        start, end = baseline[0, 0], baseline[-1, 0]
        fraction = (reading.starts[position] - start) / (end - start) if end != start else fraction
    first, second = _split_points(baseline, min(max(float(fraction), 0.02), 0.98))
    height = _height(shape)
    names = [_new_id(page), _new_id(page, 1)]
    parts = [
        replace(shape, id=name, baseline=points, polygon=build_band(points, height))
        for name, points in zip(names, (first, second), strict=True)
    ]
    shapes = list(page.shapes or ())
    return Edit([*shapes[:place], *parts, *shapes[place + 1 :]], dict(zip(names, (left, right), strict=True)), names[0])


def redraw_line(page: ProjectPage, line: str, points: Points) -> Edit:
    """Give a line another baseline; it becomes a line of its own right, with the text that a person gave it.

    Raises:
        ProjectError: the points make no baseline on the page.
    """
    place = _find(page, line)
    shapes = list(page.shapes or ())
    name = _new_id(page)
    old, new = shapes[place], _draw(page, name, points, shapes[place])
    shapes[place] = replace(new, region=old.region, kind=old.kind, cell=old.cell)
    known = page.texts.get(line)
    texts = {name: known.text} if known is not None and known.text is not None else {}
    return Edit(shapes, texts, name)


def draw_line(page: ProjectPage, points: Points, after: str = "") -> Edit:
    """Draw a line that was missed; it comes after another one, or where its height puts it.

    Raises:
        ProjectError: the points make no baseline on the page.
    """
    shapes = list(page.shapes or ())
    place = _find(page, after) + 1 if after else _find_place(shapes, _check_points(page, points))
    near = shapes[max(0, min(place - 1, len(shapes) - 1))] if shapes else None
    new = _draw(page, _new_id(page), points, near)
    if near is not None:
        new = replace(new, region=near.region, kind=near.kind)
    return Edit([*shapes[:place], new, *shapes[place:]], {}, new.id)


def _draw(page: ProjectPage, name: str, points: Points, near: LineShape | None) -> LineShape:
    """Return a line with a baseline that a person drew; one that runs down is vertical if a line near it is."""
    baseline = _check_points(page, points)
    across, down = np.abs(baseline[-1] - baseline[0]).tolist()
    vertical: Vertical = near.vertical if near is not None and down > across else ""
    orientation = TURNS_OF_VERTICAL.get(vertical, 0)
    baseline = _run_along(baseline, orientation)
    band = build_band(baseline, _usual_height(page, is_turned=orientation % 2 == 1))
    return LineShape(name, baseline, band, orientation=orientation, vertical=vertical)


def _find_place(shapes: Sequence[LineShape], baseline: Points) -> int:
    """Return the place of a new line in the reading order, by its height; the last one among vertical lines."""
    if any(shape.vertical for shape in shapes):
        return len(shapes)
    y = float(baseline[:, 1].mean())
    return next((i for i, shape in enumerate(shapes) if float(shape.box[3]) > y + 1), len(shapes))


def _find(page: ProjectPage, line: str) -> int:
    ids = page.line_ids
    if line not in ids:
        raise ProjectError("the page has no such line", key="line", value=line[:40], kind="unknown_line")
    return ids.index(line)


def _new_id(page: ProjectPage, offset: int = 0) -> str:
    known = {*page.line_ids, *page.texts, *(shape.id for shapes in page.edits for shape in shapes)}
    number = 1
    while True:
        name = f"drawn_{number}"
        if name not in known:
            if not offset:
                return name
            offset -= 1
        number += 1


def _check_points(page: ProjectPage, points: Points) -> Points:
    if not 2 <= len(points) <= MAX_POINTS or not np.isfinite(points).all():
        raise ProjectError(f"a baseline needs 2 to {MAX_POINTS} points", key="points", value=len(points), kind="points")
    limits = (max(page.width - 1, 0), max(page.height - 1, 0))
    clipped = np.clip(np.asarray(points, np.float32), 0, limits).astype(np.float32)
    length = float(np.hypot(*np.diff(clipped, axis=0).T).sum())
    if length < _MIN_LENGTH_PX:
        raise ProjectError("the baseline is too short", remedy="set its points farther apart", kind="points")
    return clipped if clipped[-1, 0] >= clipped[0, 0] else np.ascontiguousarray(clipped[::-1])


def _height(shape: LineShape) -> float:
    left, top, right, bottom = shape.box
    return max(8.0, (right - left) if shape.orientation % 2 else (bottom - top))


def _usual_height(page: ProjectPage, *, is_turned: bool = False) -> float:
    heights = [_height(shape) for shape in page.shapes or () if shape.orientation % 2 == is_turned]
    return float(np.median(heights)) if heights else page.height * _DEFAULT_HEIGHT


def _start(shape: LineShape) -> float:
    left, top, right, bottom = shape.box
    return (left, top, -right, -bottom)[shape.orientation]


def _sort_points(points: Points, orientation: int) -> Points:
    keys = (points[:, 0], points[:, 1], -points[:, 0], -points[:, 1])[orientation]
    return np.ascontiguousarray(points[np.argsort(keys, kind="stable")])


def _run_along(baseline: Points, orientation: int) -> Points:
    """Return a baseline in the direction in which a line of an orientation runs."""
    (dx, dy), along = (baseline[-1] - baseline[0]).tolist(), ((1, 0), (0, 1), (-1, 0), (0, -1))[orientation]
    return baseline if dx * along[0] + dy * along[1] >= 0 else np.ascontiguousarray(baseline[::-1])


def _box_of(points: Points) -> Points:
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)


def _middle_of(shape: LineShape) -> Points:
    """Return a baseline for a line that has only an outline: three quarters down its box."""
    left, top, right, bottom = shape.box
    if shape.orientation % 2:
        x = right - 0.75 * (right - left) if shape.orientation == 1 else left + 0.75 * (right - left)
        return _run_along(np.array([(x, top), (x, bottom)], np.float32), shape.orientation)
    y = top + 0.75 * (bottom - top)
    return np.array([(left, y), (right, y)], np.float32)


def _split_points(points: Points, fraction: float) -> tuple[Points, Points]:
    """Split a polyline at a fraction of its length."""
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points.astype(np.float64), axis=0).T))])
    at = fraction * lengths[-1]
    middle = np.array([[np.interp(at, lengths, points[:, axis]) for axis in (0, 1)]], np.float32)
    first, second = points[lengths < at], points[lengths > at]
    return np.concatenate([first, middle]), np.concatenate([middle, second])


EDITS: Sequence[str] = ("delete", "merge", "split", "redraw", "draw", "up", "down")
"""Names of all edits, as they stand in the journal."""
