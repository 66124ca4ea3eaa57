"""The report as one HTML page that needs nothing else: no network, no script, no other file."""

import html
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from htr_lightning.data.line import SPLITS
from htr_lightning.doctor.charts import density, histogram
from htr_lightning.doctor.diagnosis import Diagnosis, summary
from htr_lightning.doctor.facts import Frames
from htr_lightning.doctor.finding import Finding
from htr_lightning.doctor.sheet import Picture
from htr_lightning.doctor.suspicious import reason_of
from htr_lightning.report.html import document, figure, glyph, shown, signature, style_of
from htr_lightning.text import format_count

_NAMED = 20  # lines that a finding names on the page; report.json has all
_OPEN = 5  # so many are shown without a click
_CHARACTERS = 600


def render_page(diagnosis: Diagnosis, sheet: Mapping[str, Sequence[Picture]]) -> str:
    """Write the page.

    Args:
        diagnosis: what was found.
        sheet: pictures of lines, by heading (`htr_lightning.doctor.sheet.draw_sheet`).
    """
    words = (
        "Lines that cannot be used are left out of the drawings; <code>report.json</code> names every line of each "
        "finding."
    )
    body = [
        _head(diagnosis),
        _table(diagnosis),
        _findings(diagnosis.findings),
        _charts(diagnosis),
        _characters(diagnosis),
        _sheet(sheet),
        signature(words),
    ]
    return document(f"{diagnosis.title}: {diagnosis.verdict}", body, style_of("htr_lightning.doctor"))


def _head(diagnosis: Diagnosis) -> str:
    kind = diagnosis.verdict.partition(" ")[0]
    counts = {severity: sum(f.severity == severity for f in diagnosis.findings) for severity in ("fault", "warning")}
    words = ", ".join(format_count(number, severity) for severity, number in counts.items())
    return (
        f"<h1>{shown(diagnosis.title)}</h1>\n"
        f'<p class="verdict {kind}">{diagnosis.verdict}</p>\n<p class="faint">{words}</p>'
    )


def _table(diagnosis: Diagnosis) -> str:
    names = ("lines", "usable", "groups", "characters", "charset", "width_px", "height_px", "text_length")
    heads = ("", "lines", "usable", "groups", "characters", "different", "width px", "height px", "text length")
    rows = []
    for split in SPLITS:
        figures = summary(diagnosis.facts[split], diagnosis.counts[split])
        cells = [_cell(figures[name]) for name in names]
        rows.append(f'<tr><td class="{split}"><span class="split">{split}</span></td>{"".join(cells)}</tr>')
    head = "".join(f"<th>{name}</th>" for name in heads)
    return (
        f'<div class="scroll"><table>\n<tr>{head}</tr>\n' + "\n".join(rows) + "\n</table></div>\n"
        '<p class="faint">Width, height and text length: least · median · greatest of the usable lines.</p>'
    )


def _cell(figure: int | dict[str, int] | None) -> str:
    if isinstance(figure, int):
        return f"<td>{figure:,}</td>"
    return f"<td>{' · '.join(f'{number:,}' for number in figure.values()) if figure else '–'}</td>"


def _findings(findings: Iterable[Finding]) -> str:
    cards = "\n".join(map(_finding, findings))
    return "<h2>Findings</h2>\n" + (cards or "<p>Nothing is wrong, as far as can be told.</p>")


def _finding(finding: Finding) -> str:
    parts = [
        f'<div class="finding {finding.severity}">',
        f'<p><span class="tag {finding.severity}">{finding.severity}</span>{shown(finding.title)}</p>',
    ]
    if finding.remedy:
        parts.append(f'<p class="remedy">{shown(finding.remedy)}</p>')
    if finding.lines:
        number = len(finding.lines)
        heading = format_count(number, "line") if number <= _NAMED else f"the first {_NAMED} of {number:,} lines"
        items = "\n".join(
            f'<li class="{line.split}"><span class="split">{line.split}</span> <span class="id">{shown(line.id)}</span>'
            f"{'  ' if line.why else ''}{shown(_without_id(line.why, line.id))}</li>"
            for line in finding.lines[:_NAMED]
        )
        opened = " open" if finding.severity == "fault" or number <= _OPEN else ""
        parts.append(f'<details{opened}><summary>{heading}</summary>\n<ul class="lines">\n{items}\n</ul></details>')
    return "\n".join([*parts, "</div>"])


def _without_id(why: str, id: str) -> str:
    """A reason that stands behind the line's id need not begin with it."""
    return why.removeprefix(f"{id}: ")


def _charts(diagnosis: Diagnosis) -> str:
    facts = {split: rows for split, rows in diagnosis.facts.items() if rows.usable.any()}
    if not facts:
        return ""
    widths = histogram({s: rows.widths_px[rows.usable] for s, rows in facts.items()}, "px")
    heights = histogram({s: rows.heights_px[rows.usable] for s, rows in facts.items()}, "px")
    lengths = histogram({s: rows.lengths[rows.usable] for s, rows in facts.items()}, "characters")
    groups = {
        s: np.fromiter(Counter(filter(None, rows.groups)).values(), np.int64)
        for s, rows in facts.items()
        if any(rows.groups)
    }
    figures = [
        ("Width", "of the images as they come", widths),
        ("Height", "of the images as they come", heights),
        ("Text length", "", lengths),
        ("Lines of a group", "a group is a writer, a page or a font", histogram(groups, "lines") if groups else ""),
        (
            "Width and text length",
            f"after preprocessing to {diagnosis.settings.height_px} px; the stronger the color, the more lines; "
            "rings are lines written or cut unlike the others; below the dashes no text fits (CTC)",
            _density(diagnosis),
        ),
    ]
    drawn = [figure(name, words, svg) for name, words, svg in figures]
    return "<h2>Sizes</h2>\n" + "\n".join(filter(None, drawn))


def _density(diagnosis: Diagnosis) -> str:
    facts = diagnosis.facts
    lengths = np.concatenate([rows.lengths[rows.usable] for rows in facts.values()])
    widths = np.concatenate([rows.line_px[rows.usable] for rows in facts.values()])
    marked = [
        (
            int(facts[odd.split].lengths[odd.row]),
            int(facts[odd.split].line_px[odd.row]),
            f"{facts[odd.split].ids[odd.row]}: {reason_of(facts, odd)}",
        )
        for odd in diagnosis.odd[:200]
    ]
    limit = _ctc_limit(diagnosis.settings.frames, int(lengths.max()), int(widths.max()))
    return density(lengths, widths, marked, ("characters", "px"), limit)


def _ctc_limit(frames: Frames | None, most_characters: int, widest: int) -> list[tuple[int, int]]:
    """Return the least width for each number of characters, at which the model has a frame for each."""
    if frames is None:
        return []
    lengths = np.arange(0, most_characters + 1, max(1, most_characters // 20))
    least = np.searchsorted(frames(np.arange(widest + 1)), lengths)
    return [(int(length), int(width)) for length, width in zip(lengths, least, strict=True) if width <= widest]


def _characters(diagnosis: Diagnosis) -> str:
    characters = diagnosis.charset
    if not characters:
        return ""
    counts = diagnosis.counts
    chips, rows = [], []
    for character in characters[:_CHARACTERS]:
        name = unicodedata.name(character, "no name")
        total = sum(counts[split][character] for split in SPLITS)
        absent = "" if counts["train"][character] else " absent"
        look = glyph(character)
        chips.append(
            f'<div class="chip{absent}" title="{html.escape(name)}"><b>{look}</b><small>{total:,}</small></div>'
        )
        numbers = "".join(f"<td>{counts[split][character]:,}</td>" for split in SPLITS)
        rows.append(
            f'<tr><td>{look}</td><td class="left"><code>U+{ord(character):04X}</code></td>'
            f'<td class="left">{html.escape(name)}</td>{numbers}</tr>'
        )
    more = len(characters) - _CHARACTERS
    rest = f'<p class="faint">and {more:,} more, in report.json</p>' if more > 0 else ""
    head = '<tr><th></th><th class="left">code point</th><th class="left">name</th>' + "".join(
        f"<th>{split}</th>" for split in SPLITS
    )
    return (
        f"<h2>{format_count(len(characters), 'character')}</h2>\n"
        '<p class="faint">Of the usable lines, once normalized, the most frequent first; those that train lacks are '
        f'marked.</p>\n<div class="chips">{"".join(chips)}</div>{rest}\n'
        f'<details><summary>with code points, names and counts</summary>\n<div class="scroll"><table>\n{head}</tr>\n'
        + "\n".join(rows)
        + "\n</table></div></details>"
    )


def _sheet(sheet: Mapping[str, Sequence[Picture]]) -> str:
    if not sheet:
        return ""
    parts = ["<h2>Lines to look at</h2>", '<p class="faint">Each as it comes, and below it as the model sees it.</p>']
    for heading, pictures in sheet.items():
        parts.append(f"<h3>{html.escape(heading)}</h3>")
        parts += [_picture(picture) for picture in pictures]
    return "\n".join(parts)


def _picture(picture: Picture) -> str:
    images = "".join(
        f'<img src="{uri}" alt="{words}">'
        for uri, words in ((picture.image, "the line"), (picture.seen, "the same, preprocessed"))
        if uri
    )
    why = f'<div class="why">{shown(picture.reason)}</div>' if picture.reason else ""
    return (
        f'<div class="picture {picture.split}"><div><span class="split">{picture.split}</span>'
        f' <span class="id">{shown(picture.id)}</span></div>{images}'
        f'<div class="words"><bdi>{shown(picture.text)}</bdi></div>{why}</div>'
    )
