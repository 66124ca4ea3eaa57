"""Quick checks before training: those that packed lines allow without reading an image again."""

import logging
from collections.abc import Mapping, Sequence

from htr_lightning.charset import Charset
from htr_lightning.data.line import SPLITS, Split
from htr_lightning.data.packed_lines import PackedSequence
from htr_lightning.data.widths import spread_evenly
from htr_lightning.doctor import characters, ideographs, leaks, marks, scripts
from htr_lightning.doctor.facts import Settings, SplitFacts, collect_packed_facts
from htr_lightning.doctor.finding import Finding, sort_by_severity
from htr_lightning.image.files import DataError

_MAX_LINES = 3  # named in a message
MAX_TEXTS = 100_000
"""Number of lines of a split whose characters are checked."""

log = logging.getLogger(__name__)


def check_packed_lines(packed: Mapping[Split, PackedSequence], charset: Charset, settings: Settings) -> list[Finding]:
    """Check packed lines for leaks between splits and for problematic characters; takes a second for 100,000 lines.

    Leaks are looked for in all lines, problematic characters in at most `MAX_TEXTS` lines of a split.

    Args:
        packed: the lines of all three splits.
        charset: of the model.
        settings: of the run.

    Returns:
        Faults and warnings, without notes.
    """
    facts = {split: collect_packed_facts(split, packed[split]) for split in SPLITS}
    texts = {split: _sample_texts(rows) for split, rows in facts.items()}
    counts = {
        split: characters.count_characters((text for _, text in rows), charset.normalization)
        for split, rows in texts.items()
    }
    findings = [
        *leaks.find_shared_lines(facts, settings),
        *leaks.find_repeated_images(facts),
        *leaks.find_shared_groups(facts, settings),
        *characters.find_unknown_characters(texts, counts, charset.characters, charset.normalization),
        *scripts.find_script_problems(texts),
        *characters.find_lookalikes(texts, fonts=settings.groups_are_fonts),
        *ideographs.find_ideograph_problems(texts, charset.normalization, fonts=settings.groups_are_fonts),
        *marks.find_mark_problems(texts, charset.normalization),
        *characters.find_unprintable_characters(texts),
    ]
    return [finding for finding in sort_by_severity(findings) if finding.severity != "note"]


def _sample_texts(facts: SplitFacts) -> list[tuple[str, str]]:
    """Return ids and texts of a split: of all lines, or of some, evenly spread."""
    if len(facts) <= MAX_TEXTS:
        return list(zip(facts.ids, facts.texts, strict=True))
    log.info(
        "%s: characters are checked in %s of %s lines; python -m htr_lightning doctor checks all",
        facts.split,
        f"{MAX_TEXTS:,}",
        f"{len(facts):,}",
    )
    return [(facts.ids[row], facts.texts[row]) for row in spread_evenly(len(facts), MAX_TEXTS).tolist()]


def raise_for_errors(findings: Sequence[Finding]) -> None:
    """Stop a run whose scores would be meaningless.

    Raises:
        DataError: there are errors; names all of them and their remedies.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        problem = "\n".join(f"{error.title} ({_list_ids(error)}); {error.remedy}" for error in errors)
        raise DataError(problem, kind="errors")


def log_warnings(findings: Sequence[Finding]) -> None:
    """Log each warning, and the command that shows the details."""
    warnings = [finding for finding in findings if finding.severity == "warning"]
    for finding in warnings:
        log.warning("%s%s", finding.title, f": {_list_ids(finding)}" if finding.lines else "")
    if warnings:
        log.warning("for details, run python -m htr_lightning doctor with the same dataset=...")


def _list_ids(finding: Finding) -> str:
    more = f" and {len(finding.lines) - _MAX_LINES} more" if len(finding.lines) > _MAX_LINES else ""
    return ", ".join(line.id for line in finding.lines[:_MAX_LINES]) + more
