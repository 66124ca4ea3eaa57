"""The settings that the pages of a folder were read with; those of two runs into one folder must agree."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from htr_lightning.errors import InputError
from htr_lightning.files import format_json, read_json, report_write_errors, write_json
from htr_lightning.reading.records.journal import JOURNAL_FOLDER

SETTINGS_FILE = "settings.json"
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


def claim_folder(out: Path, settings: Settings, *, overwrite: bool) -> str:
    """Note the settings in a folder of results, and return their digest.

    Args:
        out: the folder.
        settings: of this run; without any, nothing is noted.
        overwrite: whether all pages are read again, so that other settings may take the place of those before.

    Raises:
        InputError: the folder has results of other settings; says which.
        OutputError: the folder cannot be written.
    """
    if not settings:
        return ""
    path = out / JOURNAL_FOLDER / SETTINGS_FILE
    known = {key: str(value) for key, value in read_json(path).items()}
    differences = describe_differences(known, settings) if known else []
    if differences and not overwrite:
        remedy = "choose another folder, or read all of its pages again with --overwrite"
        raise InputError(f"it has results of other settings: {'; '.join(differences)}", file=out, remedy=remedy)
    if known != dict(settings):
        with report_write_errors(out):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, dict(settings))
    return compute_digest(settings)


def describe_differences(known: Settings, settings: Settings) -> list[str]:
    """Return a phrase for each setting that is not as it was."""
    return [
        f"{key} {known.get(key) or 'not given'}, now {settings.get(key) or 'not given'}"
        for key in sorted(known.keys() | settings.keys())
        if _get_content(known.get(key, "")) != _get_content(settings.get(key, ""))
    ]
