"""What to do with lines that cannot be used: refuse the dataset, or skip them and say so."""

import logging
from collections.abc import Sequence

from htr_lightning.image.files import DataError
from htr_lightning.text import format_count

log = logging.getLogger(__name__)
MAX_LISTED = 10  # number of lines that a message lists


def refuse_or_skip(
    problem: str,
    reasons: Sequence[str],
    max_skipped: int,
    *,
    remedy: str = "fix them",
    num_skipped: int = 0,
    noun: str = "line",
    key: str = "loader.max_skipped",
) -> None:
    """Warn of lines or pages that are skipped, unless they are too many.

    Args:
        problem: what is wrong with all of them, such as ``cannot be used``.
        reasons: for each line, its place and what is wrong with it.
        max_skipped: maximum number of lines to skip, ``num_skipped`` included.
        remedy: what to do about them other than to skip them.
        num_skipped: number of lines that are skipped already, for other reasons.
        noun: what they are.
        key: of ``max_skipped`` in the configuration.

    Raises:
        DataError: more than ``max_skipped`` lines would be skipped.
    """
    if not reasons:
        return
    rows = list(reasons[:MAX_LISTED])
    if len(reasons) > MAX_LISTED:
        more = len(reasons) - MAX_LISTED
        rows.append(
            f"and {more:,} more" + "; `python -m htr_lightning doctor --out FOLDER` lists all" * (noun == "line")
        )
    message = "\n  ".join([f"{format_count(len(reasons), noun)} {problem}:", *rows])
    total = len(reasons) + num_skipped
    if total > max_skipped:
        advice = f"{remedy[0].upper()}{remedy[1:]}, or skip them with {key}={total} (now {max_skipped})"
        raise DataError(f"{message}\n{advice}")
    log.warning("%s\nSkipped (%s=%d)", message, key, max_skipped)
