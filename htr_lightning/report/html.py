"""One HTML page that needs nothing else: no network, no script, no other file."""

import html
import unicodedata
from collections.abc import Iterable
from importlib import resources

from htr_lightning.text import is_unprintable
from htr_lightning.version import __version__


def document(title: str, body: Iterable[str], style: str = "") -> str:
    """Write a whole page in the look that all reports share; it follows the reader's light or dark look.

    Args:
        title: of the window; any text.
        body: its parts, HTML; empty ones are left out.
        style: CSS of this report alone (see `style_of`).
    """
    inside = "\n".join(part for part in body if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{shown_plain(title)}</title>\n"
        f"<style>\n{style_of('htr_lightning.report')}{style}</style>\n</head>\n<body>\n{inside}\n</body>\n</html>\n"
    )


def style_of(package: str) -> str:
    """Return the ``report.css`` of a package."""
    return (resources.files(package) / "report.css").read_text(encoding="utf-8")


def shown(text: str) -> str:
    """Escape a text; what is invisible, or would turn the page's writing round, is shown as its code point."""
    return "".join(hidden(c) if is_unprintable(c) else html.escape(c) for c in text)


def shown_plain(text: str) -> str:
    """Escape a text for a place that takes no markup (a title, an attribute); code points as in `shown`."""
    return "".join(f"U+{ord(c):04X}" if is_unprintable(c) else html.escape(c) for c in text)


def hidden(character: str) -> str:
    """Return what stands for a character that cannot be seen."""
    return f'<span class="hidden">U+{ord(character):04X}</span>'


def glyph(character: str) -> str:
    """Return how one character is shown by itself: a space as ␣, a combining mark on a dotted ring."""
    if character == " ":
        return "␣"
    return f"◌{shown(character)}" if unicodedata.combining(character) else shown(character)


def figure(name: str, words: str, drawing: str) -> str:
    """Frame a drawing.

    Args:
        name: its heading; any text.
        words: what to know in order to read it; any text.
        drawing: SVG or other HTML; for an empty one there is no figure.
    """
    if not drawing:
        return ""
    heading = f"<figcaption>{shown(name)} <span>{shown(words)}</span></figcaption>"
    return f"<figure>{heading}\n{drawing}</figure>"


def signature(words: str = "") -> str:
    """Return the last line of a page.

    Args:
        words: HTML that goes on from the name of the program.
    """
    return f'<p class="faint">Written by htr_lightning {html.escape(__version__)}.{" " if words else ""}{words}</p>'
