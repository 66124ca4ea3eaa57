"""Parsing of the geometry in layout files: page sizes, polygons and baselines."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from htr_lightning.image.files import DataError
from htr_lightning.image.straighten import Points, no_points
from htr_lightning.layout.page import TURNS_OF_VERTICAL, Vertical
from htr_lightning.layout.xml import parse_points


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Polygon and baseline of a line.

    Attributes:
        polygon: its outline; may be empty.
        baseline: may be empty.
        problem: why they cannot be used (see `htr_lightning.layout.page.PageLine`); empty if they can.
    """

    polygon: Points = field(default_factory=no_points)
    baseline: Points = field(default_factory=no_points)
    problem: str = ""


def parse_shape(outline: str, baseline: str, missing: str = "neither an outline nor a baseline") -> Shape:
    """Parse the shape of a line.

    An invalid polygon or baseline is a problem even if the other one is valid: the file is damaged there, and the crop
    would not show what its author saw.

    Args:
        outline: points as written in the file; empty if there are none.
        baseline: likewise.
        missing: completes "it has ..." in the problem of a line without any shape.
    """
    polygon, line = no_points(), no_points()
    problems = []
    try:
        polygon = _parse_distinct_points(outline, 3)
    except ValueError as error:
        problems.append(f"its outline {error}")
    try:
        line = _parse_distinct_points(baseline, 2)
    except ValueError as error:
        problems.append(f"its baseline {error}")
    problem = f"{' and '.join(problems)}; draw it again" if problems else ""
    if not (problem or len(polygon) or len(line)):
        problem = f"it has {missing}; draw one"
    return Shape(polygon, line, problem)


def parse_page_size(path: Path, width: str | None, height: str | None) -> tuple[float, float] | None:
    """Parse the width and height of a page; None if one is absent or not positive, as some programs write it.

    Raises:
        DataError: one is not a number.
    """
    size = []
    for name, written in (("width", width), ("height", height)):
        try:
            size.append(float(parse_points(f"{(written or '').strip() or 0} 0")[0, 0]))
        except ValueError:
            raise DataError(
                f"the {name} of its page is {written!r}, which is not a number",
                file=path,
                remedy="correct or remove it",
                kind="malformed",
            ) from None
    return (size[0], size[1]) if min(size) > 0 else None


def parse_orientation(written: str | None, baseline: Points) -> int:
    """Return by how many quarter turns clockwise the writing of a line is turned, 0 to 3.

    Args:
        written: the clockwise rotation in degrees that turns the writing of its region upright; None if there is none.
        baseline: of the line; if its direction contradicts the rotation, the line counts as upright.
    """
    try:
        degrees = float(written or 0)
    except ValueError:
        return 0
    if not np.isfinite(degrees):
        return 0
    turns = round(-degrees / 90) % 4
    if len(baseline) > 1:
        across, down = np.abs(baseline[-1] - baseline[0]).tolist()
        if (down > across) != (turns % 2 == 1):
            return 0
    return turns


def parse_vertical(written: str | None, shape: Shape) -> Vertical:
    """Return how a vertical line runs; empty if it is none.

    Args:
        written: the direction that the file gives, as in PAGE or, like ``ttb``, as in ALTO; None if it gives none.
        shape: of the line; if it is wider than high, or its baseline runs across, the line is not vertical.
    """
    names: dict[str | None, Vertical] = {"ttb": "top-to-bottom", "btt": "bottom-to-top"}
    names |= {"top-to-bottom": "top-to-bottom", "bottom-to-top": "bottom-to-top"}
    vertical = names.get(written, "")
    points = shape.baseline if len(shape.baseline) > 1 else shape.polygon
    if not vertical or not len(points):
        return vertical
    across, down = np.ptp(points, axis=0).tolist()
    return vertical if down >= across else ""


def parse_turns(written: str | None, vertical: Vertical, baseline: Points) -> int:
    """Return the orientation of a line: as its region says, or that of a vertical line; see `parse_orientation`."""
    if not vertical or written:
        return parse_orientation(written, baseline)
    return TURNS_OF_VERTICAL[vertical]


def parse_page_number(written: str | None) -> int | None:
    """Parse the number of a page in its document; None if it is absent or no number from 1 on."""
    number = (written or "").strip()
    return int(number) if number.isdecimal() and 0 < len(number) < 10 and int(number) > 0 else None


def format_box(x: float, y: float, width: float, height: float) -> str:
    """Format the corners of a box as points, clockwise from the upper left."""
    return f"{x:.9g},{y:.9g} {x + width:.9g},{y:.9g} {x + width:.9g},{y + height:.9g} {x:.9g},{y + height:.9g}"


def _parse_distinct_points(written: str, least: int) -> Points:
    """Parse points, of which at least a given number must be distinct; an empty string gives no points.

    Raises:
        ValueError: see `parse_points`; or there are too few distinct points.
    """
    points = parse_points(written)
    num_distinct = len(np.unique(points, axis=0))
    if 0 < num_distinct < least:
        only = "a single point" if num_distinct == 1 else f"only {num_distinct} different points"
        raise ValueError(f"has {only}, where {least} are needed")
    return points
