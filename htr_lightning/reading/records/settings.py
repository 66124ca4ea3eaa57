"""The settings that the pages of a folder were read with; those of two runs into one folder must agree."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from htr_lightning.errors import InputError
from htr_lightning.files import format_json, read_json

JOURNAL_FOLDER, SETTINGS_FILE = ".htr_lightning", "settings.json"
"""Hidden folder in a folder of results, and the file with the settings in it."""
Settings = Mapping[str, str]
"""Option -> value, both as the user writes them; a value may end in a digest of a file, in brackets."""


def compute_digest(settings: Settings) -> str:
    """Return a short digest of settings; files count by their content, not by their name."""
    values = {key: _get_content(settings[key]) for key in sorted(settings)}
    return hashlib.sha256(format_json(values).encode()).hexdigest()[:16] if values else ""


def _get_content(value: str) -> str:
    """Return the digest in brackets at the end of a value, or the value without any."""
    match = re.search(r" \(([0-9a-f]{12})\)$", value)
    return match[1] if match else value


def check_settings(out: Path, settings: Settings, *, overwrite: bool) -> None:
    """Check that a folder has no results of other settings.

    Args:
        out: the folder.
        settings: of this run; without any, nothing is compared.
        overwrite: whether all pages are read again, so that other settings may take the place of those before.

    Raises:
        InputError: the folder has results of other settings; says which.
    """
    known = {key: str(value) for key, value in read_json(out / JOURNAL_FOLDER / SETTINGS_FILE).items()}
    if not (settings and known) or overwrite:
        return
    if differences := describe_differences(known, settings):
        remedy = "choose another folder, or read all of its pages again with --overwrite"
        raise InputError(f"it has results of other settings: {'; '.join(differences)}", file=out, remedy=remedy)


def describe_differences(known: Settings, settings: Settings) -> list[str]:
    """Return a phrase for each setting that is not as it was."""
    return [
        f"{key} {known.get(key) or 'not given'}, now {settings.get(key) or 'not given'}"
        for key in sorted(known.keys() | settings.keys())
        if _get_content(known.get(key, "")) != _get_content(settings.get(key, ""))
    ]
