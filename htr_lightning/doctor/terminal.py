"""The doctor's report in the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from htr_lightning.data.line import SPLITS
from htr_lightning.directions.scripts import group_by_script
from htr_lightning.doctor.charts import draw_sparkline
from htr_lightning.doctor.diagnosis import Diagnosis, summarize_split
from htr_lightning.doctor.finding import AffectedLine, Finding, Severity
from htr_lightning.text import escape_unprintable, format_count, is_unprintable

_MAX_LINES = 3  # of a finding
_MAX_CHARACTERS = 200
_STYLES: dict[Severity, str] = {"error": "bold red", "warning": "bold yellow", "note": "cyan"}
_VERDICT_STYLES = {"healthy": "bold green", "usable with warnings": "bold yellow", "not usable": "bold red"}


def print_report(diagnosis: Diagnosis, console: Console) -> None:
    """Print the sizes of the splits, the characters, the findings and the verdict."""
    console.print(_build_table(diagnosis))
    console.print(_format_charset(diagnosis.charset))
    for finding in diagnosis.findings:
        console.print(_format_finding(finding))
    console.print(Text.assemble("\nVerdict: ", (diagnosis.verdict, _VERDICT_STYLES[diagnosis.verdict])))


def _build_table(diagnosis: Diagnosis) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    table.add_column("")
    for name in ("lines", "usable", "groups"):
        table.add_column(name, justify="right")
    for name in ("width px", "height px", "characters"):
        table.add_column(name, no_wrap=True)
    for split in SPLITS:
        rows = diagnosis.facts[split]
        summary = summarize_split(rows, diagnosis.counts[split])
        columns = {"width_px": rows.widths_px, "height_px": rows.heights_px, "text_length": rows.lengths}
        ranges = [
            _format_range(summary[name], draw_sparkline(values[rows.usable], 12)) for name, values in columns.items()
        ]
        table.add_row(Text(split, "bold"), *(f"{summary[name]:,}" for name in ("lines", "usable", "groups")), *ranges)
    return table


def _format_range(summary: dict[str, int] | None, histogram: str) -> Text:
    """Format minimum, median and maximum above a histogram."""
    if summary is None:
        return Text("none", "dim")
    return Text(" ".join(f"{value:,}" for value in summary.values())).append(f"\n{histogram}", "dim")


def _format_charset(characters: list[str]) -> Text:
    """Return the characters by script, a row for each."""
    text = Text(format_count(len(characters), "character"), "bold")
    for script, members in group_by_script(characters).items():
        number = len(members)
        more = f" and {number - _MAX_CHARACTERS:,} more" if number > _MAX_CHARACTERS else ""
        visible = sorted(c for c in members[:_MAX_CHARACTERS] if not is_unprintable(c) and c != " ")
        text.append_text(Text.assemble(f"\n  {script}, {number:,}: ", "".join(visible), more))
    return text


def _format_finding(finding: Finding) -> Text:
    text = Text.assemble("\n", (f"{finding.severity} ", _STYLES[finding.severity]), escape_unprintable(finding.title))
    for line in finding.lines[:_MAX_LINES]:
        style = "dim" if finding.severity == "note" else ""
        text.append(f"\n  {line.split} {escape_unprintable(_format_line(line))}", style)
    if len(finding.lines) > _MAX_LINES:
        text.append(f"\n  and {len(finding.lines) - _MAX_LINES:,} more", "dim")
    if finding.remedy:
        text.append(f"\n  → {escape_unprintable(finding.remedy)}", "italic")
    return text


def _format_line(line: AffectedLine) -> str:
    """Return the id and the reason; many reasons begin with the id already."""
    return line.reason if line.reason.startswith(f"{line.id}: ") else f"{line.id}  {line.reason}".rstrip()
