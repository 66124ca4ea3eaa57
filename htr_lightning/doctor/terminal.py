"""The report in the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from htr_lightning.data.line import SPLITS
from htr_lightning.doctor.charts import draw_sparkline
from htr_lightning.doctor.diagnosis import Diagnosis, summary
from htr_lightning.doctor.finding import Finding, Named, Severity
from htr_lightning.text import escape_unprintable, format_count, is_unprintable

_NAMED = 3
_CHARACTERS = 200
_STYLES: dict[Severity, str] = {"fault": "bold red", "warning": "bold yellow", "note": "cyan"}
_VERDICT_STYLES = {"healthy": "bold green", "usable with warnings": "bold yellow", "not usable": "bold red"}


def print_report(diagnosis: Diagnosis, console: Console) -> None:
    """Print figures, findings and the verdict."""
    console.print(_figures(diagnosis))
    characters = diagnosis.charset
    more = f" and {len(characters) - _CHARACTERS:,} more" if len(characters) > _CHARACTERS else ""
    glyphs = "".join(sorted(c for c in characters[:_CHARACTERS] if not is_unprintable(c) and c != " "))
    console.print(
        Text.assemble((f"{format_count(len(characters), 'character')}: ", "bold"), escape_unprintable(glyphs), more)
    )
    for finding in diagnosis.findings:
        console.print(_finding(finding))
    console.print(Text.assemble("\nVerdict: ", (diagnosis.verdict, _VERDICT_STYLES[diagnosis.verdict])))


def _figures(diagnosis: Diagnosis) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    table.add_column("")
    for name in ("lines", "usable", "groups"):
        table.add_column(name, justify="right")
    for name in ("width px", "height px", "characters"):
        table.add_column(name, no_wrap=True)
    for split in SPLITS:
        rows = diagnosis.facts[split]
        figures = summary(rows, diagnosis.counts[split])
        usable = rows.usable
        drawn = [
            _range(figures[name], draw_sparkline(values[usable], 12))
            for name, values in (
                ("width_px", rows.widths_px),
                ("height_px", rows.heights_px),
                ("text_length", rows.lengths),
            )
        ]
        numbers = [f"{figures[name]:,}" for name in ("lines", "usable", "groups")]
        table.add_row(Text(split, "bold"), *numbers, *drawn)
    return table


def _range(figures: dict[str, int] | None, bars: str) -> Text:
    """Least, median and greatest over a histogram."""
    if figures is None:
        return Text("none", "dim")
    return Text(" ".join(f"{value:,}" for value in figures.values())).append(f"\n{bars}", "dim")


def _finding(finding: Finding) -> Text:
    text = Text.assemble("\n", (f"{finding.severity} ", _STYLES[finding.severity]), escape_unprintable(finding.title))
    for line in finding.lines[:_NAMED]:
        text.append(
            f"\n  {escape_unprintable(line.split)} {escape_unprintable(_line(line))}",
            "dim" if finding.severity == "note" else "",
        )
    if len(finding.lines) > _NAMED:
        text.append(f"\n  and {len(finding.lines) - _NAMED:,} more", "dim")
    if finding.remedy:
        text.append(f"\n  → {escape_unprintable(finding.remedy)}", "italic")
    return text


def _line(line: Named) -> str:
    """Name a line once: many a reason begins with its id."""
    return line.why if line.why.startswith(f"{line.id}: ") else f"{line.id}  {line.why}".rstrip()
