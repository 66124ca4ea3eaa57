"""HTML reports: Jinja2 templates with autoescape, each rendered to a single file without scripts or external resources.

The templates lie beside the modules that render them (``evaluation/report.html.jinja``) and extend
``report/base.html.jinja``, which has the look that all reports share; it follows the reader's light or dark scheme.
"""

import functools
import unicodedata
from typing import Any

import jinja2
from markupsafe import Markup, escape

from htr_lightning.text import escape_unprintable, format_count, is_unprintable
from htr_lightning.version import __version__


def render_template(name: str, /, **values: Any) -> str:
    """Render a template of this package.

    Args:
        name: path of the template below ``htr_lightning``, such as ``doctor/report.html.jinja``.
        values: variables of the template. Strings are escaped; `markupsafe.Markup` is inserted as it is.

    Raises:
        jinja2.UndefinedError: the template uses a variable that is not in ``values``.
    """
    return _environment().get_template(name).render(values)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("htr_lightning", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "escape_unprintable": escape_unprintable,
        "format_count": format_count,
        "mark_unprintable": mark_unprintable,
        "percent": format_percent,
        "show_character": show_character,
        "thousands": "{:,}".format,
    }
    environment.globals["version"] = __version__
    return environment


def mark_unprintable(text: str) -> Markup:
    """Escape a text, and show each invisible, control or direction-changing character as its marked code point.

    Attributes take no markup; use the filter ``escape_unprintable`` for them.
    """
    marked = Markup('<span class="hidden">U+{:04X}</span>')
    return Markup("").join(marked.format(ord(c)) if is_unprintable(c) else escape(c) for c in text)


def show_character(character: str) -> Markup:
    """Make a single character visible: a space as ``␣``, a combining mark on a dotted circle."""
    if character == " ":
        return Markup("␣")
    return mark_unprintable(f"◌{character}" if unicodedata.combining(character) else character)


def format_percent(fraction: float, digits: int = 1) -> str:
    """Format a fraction (0.05) in percent (``5.0 %``)."""
    return f"{100 * fraction:.{digits}f} %"
