"""What a layout says in numbers: the size of its page, the outline and the baseline of a line."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from htr_lightning.image.files import DataError
from htr_lightning.image.straighten import Points, no_points
from htr_lightning.layout.xml import parse_points


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Where a line is.

    Attributes:
        polygon: its outline; may be empty.
        baseline: may be empty.
        problem: what is wrong with them (see `htr_lightning.layout.page.PageLine`).
    """

    polygon: Points = field(default_factory=no_points)
    baseline: Points = field(default_factory=no_points)
    problem: str = ""


def parse_shape(outline: str, baseline: str, missing: str = "neither an outline nor a baseline") -> Shape:
    """Read the shape of a line.

    What is written but cannot be used is a problem even if the rest would do: the file is damaged there, and what
    would be cut out is not what its author saw.

    Args:
        outline: points as the file has them; empty when there are none.
        baseline: likewise.
        missing: what a line has that has no shape at all, for the message.
    """
    polygon, line = no_points(), no_points()
    problems = []
    try:
        polygon = _distinct(outline, 3)
    except ValueError as error:
        problems.append(f"its outline {error}")
    try:
        line = _distinct(baseline, 2)
    except ValueError as error:
        problems.append(f"its baseline {error}")
    problem = f"{' and '.join(problems)}; draw it again" if problems else ""
    if not (problem or len(polygon) or len(line)):
        problem = f"it has {missing}; draw one"
    return Shape(polygon, line, problem)


def parse_page_size(path: Path, width: str | None, height: str | None) -> tuple[float, float] | None:
    """Read the width and height of a page; None when one is absent or not positive, as some writers leave it.

    Raises:
        DataError: one is not a number.
    """
    size = []
    for name, written in (("width", width), ("height", height)):
        try:
            size.append(float(parse_points(f"{(written or '').strip() or 0} 0")[0, 0]))
        except ValueError:
            raise DataError(
                f"{path}: the {name} of its page is {written!r}, which is not a number; correct it or take it out"
            ) from None
    return (size[0], size[1]) if min(size) > 0 else None


def format_box(x: float, y: float, width: float, height: float) -> str:
    """Format the corners of a box as points, clockwise from the upper left."""
    return f"{x:.9g},{y:.9g} {x + width:.9g},{y:.9g} {x + width:.9g},{y + height:.9g} {x:.9g},{y + height:.9g}"


def _distinct(written: str, fewest: int) -> Points:
    """Read points of which some number must differ; none are fine."""
    points = parse_points(written)
    found = len(np.unique(points, axis=0))
    if 0 < found < fewest:
        only = "a single point" if found == 1 else f"only {found} different points"
        raise ValueError(f"has {only}, where {fewest} are needed")
    return points
