"""The evaluation as one HTML page that needs nothing else: no network, no script, no other file."""

import html
from collections import Counter
from collections.abc import Iterable, Sequence

from PIL import Image

from htr_lightning.evaluation.charts import MAX_GROUPS, edit_bar, group_chart, length_chart, percent, reliability_chart
from htr_lightning.evaluation.confusion import Confusions, ranked_pairs
from htr_lightning.evaluation.crops import Crops, Pixels
from htr_lightning.evaluation.lines import ScoredLine
from htr_lightning.evaluation.marks import legend, marked
from htr_lightning.evaluation.result import Evaluation
from htr_lightning.report.html import document, figure, glyph, shown, signature, style_of
from htr_lightning.report.picture import encode_jpeg_uri, encode_png_uri

_PAIRS, _CHARACTERS, _PROBLEMS = 18, 14, 20
_TILES = {
    "cer": ("CER", "character error rate"),
    "wer": ("WER", "words between spaces"),
    "wer_tokens": ("WER, tokens", "words and punctuation apart"),
    "accuracy": ("Lines", "without any error"),
}
_VARIANTS = {
    "": "as it stands",
    "_ignoring_case": "ignoring case",
    "_ignoring_accents": "ignoring accents",
    "_ignoring_case_and_accents": "ignoring both",
}


def render_page(
    found: Evaluation,
    matrix: Image.Image | None = None,
    crops: Crops | None = None,
    worst: Sequence[tuple[ScoredLine, Pixels]] = (),
    most_confident: Sequence[tuple[ScoredLine, Pixels]] = (),
) -> str:
    """Write the page.

    Args:
        found: what was measured.
        matrix: picture of the confusions.
        crops: of confused characters.
        worst: lines with their pixels, the worst first.
        most_confident: lines with errors, those that the model is most sure of first.
    """
    body = [
        _head(found),
        _tiles(found),
        _notes(found),
        _scores(found),
        _where(found),
        _confusions(found.confusions, matrix, crops or Crops()),
        _reliabilities(found),
        _lines("Worst lines", f"Those with the highest CER. Marks: {legend()}", worst),
        _lines(
            "Sure, but wrong",
            "The lines with errors that the model is most sure of: is the reference right?",
            most_confident,
        ),
        signature(
            "<code>result.json</code> holds all figures, <code>lines.tsv</code> every line; "
            "<code>python -m htr_lightning compare A B</code> sets two such folders side by side."
        ),
    ]
    title = f"{found.model} on {found.data}: CER {percent(found.scores['cer'])}"
    return document(title, body, style_of("htr_lightning.evaluation"))


def _head(found: Evaluation) -> str:
    options = ", ".join(name if value is True else f"{name} {value}" for name, value in found.reading.items())
    how = f", with {shown(options)}" if options else ""
    drawn = f"{found.groups:,} lines" if found.are_lines else f"{found.groups:,} groups (writers or pages)"
    return (
        "<h1>Evaluation</h1>\n"
        f'<p class="of"><code>{shown(found.model)}</code> on <code>{shown(found.data)}</code>{how}</p>\n'
        f'<p class="faint">{found.lines:,} lines, {found.characters:,} characters. Brackets hold 95 % intervals: '
        f"bootstrap over {drawn}.</p>"
    )


def _interval(found: Evaluation, name: str, digits: int = 1) -> str:
    low, high = (f"{100 * found.scores[f'{name}_{side}']:.{digits}f}" for side in ("low", "high"))
    return f"{low} – {high}"


def _tiles(found: Evaluation) -> str:
    tiles = [
        f'<div class="tile"><div class="name">{name}</div><div class="figure">{percent(found.scores[key], 2)}</div>'
        f'<div class="interval">[{_interval(found, key, 2)}]</div><div class="faint">{words}</div></div>'
        for key, (name, words) in _TILES.items()
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _notes(found: Evaluation) -> str:
    notes = []
    if found.unknown:
        characters = ", ".join(f"<b>{glyph(c)}</b> × {count:,}" for c, count in found.unknown.most_common())
        notes.append(f"The model cannot write these characters, so that each counts as an error: {characters}")
    if found.problems:
        items = "".join(f"<li>{shown(problem)}</li>" for problem in found.problems[:_PROBLEMS])
        more = len(found.problems) - _PROBLEMS
        rest = f'<p class="faint">and {more:,} more, in result.json</p>' if more > 0 else ""
        notes.append(
            f"{len(found.problems):,} lines could not be used and are left out.<details><summary>which</summary>"
            f"<ul>{items}</ul>{rest}</details>"
        )
    return "\n".join(f'<div class="note">{note}</div>' for note in notes)


def _scores(found: Evaluation) -> str:
    def cells(name: str) -> str:
        return f'<td>{percent(found.scores[name])}<span class="interval">[{_interval(found, name)}]</span></td>'

    variants = "".join(
        f"<tr><td>{words}</td>{cells(f'cer{suffix}')}{cells(f'wer{suffix}')}</tr>"
        for suffix, words in _VARIANTS.items()
    )
    averages = "".join(
        f"<tr><td>{words}</td>{cells(name)}{cells(f'{name}_macro')}</tr>"
        for name, words in (("precision", "precision"), ("recall", "recall"), ("f1", "F1"))
    )
    total = max(1, sum(found.edits.values()))
    kinds = "".join(
        f'<tr><td><i class="key {kind}"></i>{kind}s</td><td>{count:,}</td><td>{percent(count / total)}</td>'
        f"<td>{percent(count / max(1, found.characters), 2)}</td></tr>"
        for kind, count in found.edits.items()
    )
    return (
        "<h2>Scores</h2>\n"
        f'<div class="pair">{_table(("errors", "CER", "WER"), variants)}\n'
        f"{_table(('characters', 'micro', 'macro'), averages)}</div>\n"
        f"<h3>Edits</h3>\n{edit_bar(found.edits)}\n"
        f"{_table(('', 'number', 'of all edits', 'of all characters'), kinds)}\n"
        '<p class="faint">Insertion: read, but not written. Deletion: written, but not read. Micro averages count all '
        "characters alike, macro averages all classes alike, however rare.</p>"
    )


def _table(heads: Sequence[str], rows: str) -> str:
    head = "".join(f"<th>{words}</th>" for words in heads)
    return f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'


def _where(found: Evaluation) -> str:
    overall = found.scores["cer"]
    most = len(found.by_group) - MAX_GROUPS
    rest = f"; the {MAX_GROUPS} worst of {len(found.by_group):,}, all are in result.json" if most > 0 else ""
    figures = [
        figure("CER of each group", f"a group is a writer or a page{rest}", group_chart(found.by_group, overall)),
        figure("CER by the length of lines", "with 95 % intervals", length_chart(found.by_length, overall)),
    ]
    drawn = "\n".join(filter(None, figures))
    return f"<h2>Where the errors are</h2>\n{drawn}" if drawn else ""


def _confusions(confusions: Confusions, matrix: Image.Image | None, crops: Crops) -> str:
    if matrix is None:
        return ""
    words = (
        "The characters with the most errors. Rows: what is written; columns: what was read. Green: how many per cent "
        "were read rightly. Elsewhere: how often it happened, the redder the larger its share of the row. The last "
        "column counts what was not read at all, the last row what was read where nothing is written."
    )
    picture = f'<img class="matrix" src="{encode_png_uri(matrix)}" alt="confusion matrix">'
    return "\n".join(
        [
            "<h2>Confusions</h2>",
            f'<p class="faint">{words}</p>',
            figure("Confusion matrix", "also in confusions.png", f'<div class="scroll">{picture}</div>'),
            _pairs(confusions, crops),
            '<div class="pair">',
            _characters("Most often not read", confusions.deletions, confusions.written),
            _characters("Most often read where nothing is written", confusions.insertions, None),
            "</div>",
        ]
    )


def _pairs(confusions: Confusions, crops: Crops) -> str:
    ranked = ranked_pairs(confusions)[:_PAIRS]
    if not ranked:
        return ""
    has_crops = any(crops.of(pair) for pair, _ in ranked)
    rows = []
    for (written, read), count in ranked:
        images = "".join(
            f'<img src="{encode_jpeg_uri(image, max_height_px=64)}" alt="">' for image in crops.of((written, read))
        )
        share = percent(count / max(1, confusions.written[written]))
        ink = f'<td class="left crops">{images}</td>' if has_crops else ""
        rows.append(
            f'<tr><td class="glyphs"><b>{glyph(written)}</b> read as <b>{glyph(read)}</b></td><td>{count:,}</td>'
            f"<td>{share}</td>{ink}</tr>"
        )
    head = '<th class="left">the ink</th>' if has_crops else ""
    return (
        '<h3>Pairs confused most often</h3>\n<div class="scroll"><table class="pairs">'
        f"<tr><th></th><th>times</th><th>of those written</th>{head}</tr>\n" + "\n".join(rows) + "\n</table></div>"
    )


def _characters(heading: str, counts: Counter[str], written: Counter[str] | None) -> str:
    if not counts:
        return ""
    rows = []
    for character, count in counts.most_common(_CHARACTERS):
        share = f" of {written[character]:,}" if written is not None else ""
        rows.append(f'<div class="chip"><b>{glyph(character)}</b><small>{count:,}{share}</small></div>')
    return f'<div><h3>{html.escape(heading)}</h3><div class="chips">{"".join(rows)}</div></div>'


def _reliabilities(found: Evaluation) -> str:
    words = {
        "character": ("Characters", "a character is right if the alignment matches it", "characters"),
        "line": ("Lines", "a line is right if it has no error at all", "lines"),
    }
    plots = []
    for name, measured in found.reliabilities.items():
        heading, rule, noun = words[name]
        error = f"expected calibration error {percent(measured.error)}; {rule}"
        plots.append(figure(heading, error, reliability_chart(measured, noun)))
    return (
        '<h2>Confidence</h2>\n<p class="faint">How often readings are right (bars) against how sure the model is of '
        "them (dashes): on the diagonal, confidence means what it says. The expected calibration error is the distance "
        f'of the two, averaged over all readings, in 15 bins.</p>\n<div class="pair plots">{"".join(plots)}</div>'
    )


def _lines(heading: str, words: str, lines: Iterable[tuple[ScoredLine, Pixels]]) -> str:
    pictures = [_line(line, pixels) for line, pixels in lines]
    if not pictures:
        return ""
    return f'<h2>{heading}</h2>\n<p class="faint">{words}</p>\n' + "\n".join(pictures)


def _line(line: ScoredLine, pixels: Pixels) -> str:
    written, read = marked(line)
    group = f' <span class="why">of {shown(line.group)}</span>' if line.group else ""
    edits = f"{len(line.edits):,} edit{'' if len(line.edits) == 1 else 's'}"
    return (
        f'<div class="picture"><div><span class="id">{shown(line.id)}</span>{group}'
        f'<span class="why">, CER {percent(line.cer, 0)}, {edits}, {percent(line.confidence, 0)} sure</span></div>'
        f'<img src="{encode_jpeg_uri(pixels)}" alt="the line">'
        f'<div class="texts"><span class="faint">written</span><bdi>{written}</bdi>'
        f'<span class="faint">read</span><bdi>{read or "<i>nothing</i>"}</bdi></div></div>'
    )
