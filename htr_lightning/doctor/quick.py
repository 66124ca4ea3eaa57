"""What training looks at before it begins: all that can be said of packed lines without reading an image again."""

import logging
from collections.abc import Mapping, Sequence

from htr_lightning.charset import Charset
from htr_lightning.data.line import SPLITS, Split
from htr_lightning.data.packed_lines import PackedLines
from htr_lightning.doctor import characters, leaks
from htr_lightning.doctor.facts import Settings, facts_of_packed
from htr_lightning.doctor.finding import Finding, in_order
from htr_lightning.image.files import DataError

_NAMED = 3

log = logging.getLogger(__name__)


def quick_findings(packed: Mapping[Split, PackedLines], charset: Charset, settings: Settings) -> list[Finding]:
    """Compare the splits and look at the characters; a second for some ten thousand lines.

    Args:
        packed: the lines of all three splits.
        charset: what the model can write: of train, or carried over.
        settings: of the run.

    Returns:
        Faults and warnings; what is but good to know is left to the doctor.
    """
    facts = {split: facts_of_packed(split, packed[split]) for split in SPLITS}
    texts = {split: list(zip(rows.ids, rows.texts, strict=True)) for split, rows in facts.items()}
    counts = {split: characters.count_characters(facts[split].texts, charset.normalization) for split in SPLITS}
    found = [
        *leaks.shared_lines(facts, settings),
        *leaks.repeated_images(facts),
        *leaks.shared_groups(facts, settings),
        *characters.outside_train(texts, counts, charset.characters, charset.normalization),
        *characters.lookalikes(texts, fonts=settings.groups_are_fonts),
        *characters.out_of_place(texts),
    ]
    return [finding for finding in in_order(found) if finding.severity != "note"]


def refuse_faults(findings: Sequence[Finding]) -> None:
    """Stop before a run whose scores would mean nothing.

    Raises:
        DataError: there are faults; names all of them, with what to do.
    """
    faults = [finding for finding in findings if finding.severity == "fault"]
    if faults:
        raise DataError("\n".join(f"{fault.title} ({_few(fault)}); {fault.remedy}" for fault in faults))


def log_warnings(findings: Sequence[Finding]) -> None:
    """Log a line for each warning, and then where to see more."""
    warnings = [finding for finding in findings if finding.severity == "warning"]
    for finding in warnings:
        log.warning("%s%s", finding.title, f": {_few(finding)}" if finding.lines else "")
    if warnings:
        log.warning("python -m htr_lightning doctor, with the same dataset=..., shows all of it")


def _few(finding: Finding) -> str:
    more = f" and {len(finding.lines) - _NAMED} more" if len(finding.lines) > _NAMED else ""
    return ", ".join(line.id for line in finding.lines[:_NAMED]) + more
