"""What drawings in SVG are made of; colors come from the page's style sheet, so they follow its light or dark look."""

from collections.abc import Iterator, Sequence

from htr_lightning.report.html import shown_plain

WIDTH, LEFT_MARGIN, RIGHT_MARGIN = 720, 52, 14
"""Of a drawing, and of its margins, in its own unit."""


class Scale:
    """Maps numbers to places, from ``low`` at ``start`` to ``high`` at ``end``."""

    def __init__(self, low: float, high: float, start: float = LEFT_MARGIN, end: float = WIDTH - RIGHT_MARGIN) -> None:
        self.low, self.start, self.factor = low, start, (end - start) / max(1e-9, high - low)

    def __call__(self, value: float) -> float:
        """Return the place of a number."""
        return self.start + (value - self.low) * self.factor


def choose_step(span: float, most: int) -> int:
    """Return the least of 1, 2, 5, 10, 20, 50 ... that divides a span into at most so many parts."""
    steps: Iterator[int] = (digit * 10**power for power in range(18) for digit in (1, 2, 5))
    return next(step for step in steps if span / step <= most)


def choose_ticks(low: int, high: int, most: int = 8) -> list[int]:
    """Return round numbers from ``low`` to ``high``."""
    step = choose_step(high - low, most)
    return list(range(-(-low // step) * step, high + 1, step))


def draw_text(x: float, y: float, words: str, classes: str = "") -> str:
    """Write words at a place; classes: ``middle``, ``end`` to align them, ``strong``."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}">{shown_plain(words)}</text>'


def draw_line(x1: float, y1: float, x2: float, y2: float, classes: str = "axis") -> str:
    """Draw a straight line."""
    return f'<line class="{classes}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def draw_bar(x: float, y: float, width: float, height: float, words: str = "", classes: str = "bar") -> str:
    """Draw a bar that says something where one points at it."""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{classes}" {place}><title>{shown_plain(words)}</title></rect>'


def build_svg(height: float, parts: Sequence[str], title: str, width: int = WIDTH) -> str:
    """Return a whole drawing, which is as wide as the page allows; the title is for those who cannot see it."""
    inside = "\n".join(parts)
    return (
        f'<svg viewBox="0 0 {width} {height:g}" role="img" aria-label="{shown_plain(title)}" '
        f'xmlns="http://www.w3.org/2000/svg">\n{inside}\n</svg>'
    )
