"""Building blocks of SVG charts; colors come from the page's style sheet, so they follow its light or dark mode."""

from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup

from htr_lightning.text import escape_unprintable

WIDTH, LEFT_MARGIN, RIGHT_MARGIN = 720, 52, 14
"""Of a chart, and of its margins, in SVG user units."""


class Scale:
    """Maps numbers linearly to coordinates: ``low`` to ``start`` and ``high`` to ``end``."""

    def __init__(self, low: float, high: float, start: float = LEFT_MARGIN, end: float = WIDTH - RIGHT_MARGIN) -> None:
        self.low, self.start, self.factor = low, start, (end - start) / max(1e-9, high - low)

    def __call__(self, value: float) -> float:
        """Return the coordinate of a number."""
        return self.start + (value - self.low) * self.factor


def choose_step(span: float, max_steps: int) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50 ... that divides a span into at most ``max_steps`` parts."""
    steps: Iterator[int] = (digit * 10**power for power in range(18) for digit in (1, 2, 5))
    return next(step for step in steps if span / step <= max_steps)


def choose_ticks(low: int, high: int, max_steps: int = 8) -> list[int]:
    """Return round numbers from ``low`` to ``high``."""
    step = choose_step(high - low, max_steps)
    return list(range(-(-low // step) * step, high + 1, step))


def draw_text(x: float, y: float, text: str, classes: str = "") -> Markup:
    """Draw a text; classes: ``middle`` or ``end`` to align it, ``strong``."""
    return Markup('<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>').format(x, y, classes, escape_unprintable(text))


def draw_line(x1: float, y1: float, x2: float, y2: float, classes: str = "axis") -> Markup:
    """Draw a straight line."""
    line = Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>')
    return line.format(classes, x1, x2, y1, y2)


def draw_bar(x: float, y: float, width: float, height: float, tooltip: str = "", classes: str = "bar") -> Markup:
    """Draw a rectangle with a tooltip."""
    rect = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
    return rect.format(classes, x, y, width, height, escape_unprintable(tooltip))


def draw_polyline(points: Iterable[tuple[float, float]], classes: str, tooltip: str = "") -> Markup:
    """Draw a line through points, with a tooltip if it is not empty."""
    coordinates = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    title = Markup("<title>{}</title>").format(escape_unprintable(tooltip)) if tooltip else ""
    return Markup('<polyline class="{}" points="{}">{}</polyline>').format(classes, coordinates, title)


def build_svg(height: float, parts: Sequence[Markup], title: str, width: int = WIDTH) -> Markup:
    """Build a whole chart, which is as wide as the page allows; screen readers read the title."""
    svg = Markup(
        '<svg viewBox="0 0 {} {:g}" role="img" aria-label="{}" xmlns="http://www.w3.org/2000/svg">\n{}\n</svg>'
    )
    return svg.format(width, height, escape_unprintable(title), Markup("\n").join(parts))
