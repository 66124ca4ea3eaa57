"""Finding the Parquet files of each split in a repository of data, by the rules of the Hugging Face hub.

The dataset card (``README.md``) may list the files in its YAML header, separately for each of several subsets;
otherwise names decide: ``data/train-00000-of-00002.parquet``, a folder ``train``, a file ``validation.parquet``.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from htr_lightning.data.line import SPLITS, Split
from htr_lightning.data.sources.data_files import find_files
from htr_lightning.data.sources.splits import parse_split
from htr_lightning.image.files import DataError

log = logging.getLogger(__name__)
CARD = "README.md"
_HEADER = re.compile(r"\A\ufeff?---\r?\n(.*?)^---", re.DOTALL | re.MULTILINE)
_SHARD = re.compile(r"data/(.+)-\d{5}-of-\d{5}[^/]*")
_WORD_SEPARATOR = re.compile(r"[-._ 0-9]+")
_SET_PATTERNS = "set dataset.train, dataset.val and dataset.test to patterns of their files"


@dataclass(frozen=True, slots=True)
class Subset:
    """A part of a repository that is a dataset of its own; the hub also calls it a config.

    Attributes:
        folder: its folder in the repository; empty for the whole repository.
        patterns: for each split, named as in the card, patterns of files in the folder; empty if names decide.
    """

    folder: str = ""
    patterns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def download_patterns(self) -> list[str]:
        """Patterns that match all of its files in the sense of `fnmatch`, where ``*`` also matches slashes."""
        prefix = f"{self.folder}/" if self.folder else ""
        globs = [pattern for patterns in self.patterns.values() for pattern in patterns]
        pairs = [[name, f"{name.rstrip('/')}/*"] for glob in globs for name in {glob, glob.replace("**/", "*")}]
        return [prefix + name for names in pairs or [["*.parquet"]] for name in names]


def find_subset(root: Path, name: str | None, *, is_complete: bool = True) -> Subset:
    """Look up a subset in the dataset card.

    Args:
        root: the repository.
        name: the subset, or a folder in the repository; None for the default one.
        is_complete: whether all files are downloaded, not only the card.

    Raises:
        DataError: the card is malformed, or has several subsets and none of that name.
    """
    card = root / CARD
    configs = {str(c.get("config_name", "default")): c for c in _read_configs(card)}
    if name is None:
        defaults = [key for key, config in configs.items() if config.get("default") is True]
        candidates = defaults or (["default"] if "default" in configs else list(configs))
        if len(candidates) > 1:
            remedy = f"set dataset.subset to one of {', '.join(candidates)}"
            raise DataError("there are several subsets and no default one", file=card, remedy=remedy, kind="ambiguous")
        name = candidates[0] if candidates else ""
    if name in configs:
        return Subset(_get_folder(configs[name], root), _get_patterns(configs[name], root))
    if configs and is_complete and not (root / name).is_dir():
        remedy = f"choose from {', '.join(configs)}"
        raise DataError(
            "there is no such subset", key="dataset.subset", value=name, file=card, remedy=remedy, kind="missing"
        )
    return Subset(_get_folder({"data_dir": name}, root))


def find_split_files(root: Path, subset: Subset) -> dict[str, list[Path]]:
    """Find the Parquet files of each split, by the card or by names.

    Returns:
        The files by split, named as in the card or in `SPLITS`. A file whose name contains no split is under its own
        name.

    Raises:
        DataError: the folder is missing, has no Parquet files, or a name contains two splits.
    """
    folder = root / subset.folder
    if not folder.is_dir():
        remedy = f"set dataset.subset to a folder of {root}, or unset it"
        raise DataError("there is no such folder", file=folder, remedy=remedy, kind="missing")
    if subset.patterns:
        files = {name: match_files(folder, patterns) for name, patterns in subset.patterns.items()}
    else:
        files = _group_by_name(folder)
    if not any(files.values()):
        where = " where its README.md lists them" if subset.patterns else ""
        remedy = "use dataset=lines for images in folders"
        raise DataError(f"there are no Parquet files (.parquet){where}", file=folder, remedy=remedy, kind="empty")
    return files


def group_by_split(root: Path, files: Mapping[str, Sequence[Path]]) -> dict[Split, list[Path]]:
    """Group the files that `find_split_files` returns by split; splits without files are left out.

    Raises:
        DataError: no split is called train, val or test, or a file belongs to train and to another split.
    """
    grouped: dict[Split, list[Path]] = {}
    for name, paths in files.items():
        split = parse_hub_split(name)
        if split is not None and paths:
            grouped[split] = sorted({*grouped.get(split, []), *paths})
    if not grouped:
        remedy = f"{_SET_PATTERNS}, such as dataset.train=data/part1-*.parquet"
        problem = f"the splits are called {', '.join(files)}, and none of them is train, val or test"
        raise DataError(problem, file=root, remedy=remedy)
    ignored = [
        name if paths else f"{name} (no files)" for name, paths in files.items() if parse_hub_split(name) not in grouped
    ]
    if ignored:
        log.warning("%s: ignored, since they belong to no split: %s", root, ", ".join(ignored))
    check_no_shared_files(grouped, root)
    return {split: grouped[split] for split in SPLITS if split in grouped}


def match_files(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Return the Parquet files in a folder that match one of the patterns; a folder matches everything in it.

    Raises:
        DataError: a pattern leads out of the folder or is a URL.
    """
    matches: set[Path] = set()
    for pattern in patterns:
        parts = PurePosixPath(pattern).parts
        if "://" in pattern or pattern.startswith("/") or ".." in parts:
            remedy = "copy them into it"
            raise DataError(f"the files {pattern} are outside this folder", file=folder, remedy=remedy)
        # The hub allows ** at the end, at the beginning of a name, and within one; `Path.glob` does not.
        names = [name for part in parts for name in re.sub(r"^\*\*(?=.)", "**/*", part).split("/")]
        names = [name if name == "**" else name.replace("**", "*") for name in names]
        if names[-1:] == ["**"] or (folder / pattern).is_dir():
            names += ["**", "*"]
        paths = folder.glob("/".join(names))
        matches |= {path for path in paths if path.suffix.lower() == ".parquet" and path.is_file()}
    return sorted(matches)


def check_no_shared_files(files: Mapping[Split, Sequence[Path]], root: Path) -> None:
    """Check that no file is used both for training and for validation or test.

    Raises:
        DataError: a file belongs to train and to another split.
    """
    for split in ("val", "test"):
        shared = sorted({*files.get("train", ())} & {*files.get(split, ())})
        if shared:
            remedy = f"{_SET_PATTERNS} in {root}"
            raise DataError(f"the file belongs to both train and {split}", file=shared[0], remedy=remedy)


def parse_hub_split(name: str) -> Split | None:
    """Return the split that a name means on the hub, where ``eval`` and ``evaluation`` also mean test."""
    return "test" if name.lower() in ("eval", "evaluation") else parse_split(name)


def _group_by_name(folder: Path) -> dict[str, list[Path]]:
    """Group files by the first of these that contains a split: shards in ``data``, folders, file names; else train."""
    names = {path: path.relative_to(folder).as_posix() for path in find_files(folder, (".parquet",))}
    shards = {path: match[1] for path, name in names.items() if (match := _SHARD.fullmatch(name))}
    if shards:
        split_of = {path: shards.get(path, name) for path, name in names.items()}
    else:
        by_folder = {path: _find_split(PurePosixPath(name).parent.as_posix(), folder) for path, name in names.items()}
        by_file = {path: _find_split(PurePosixPath(name).stem, folder) for path, name in names.items()}
        by_name = by_folder if any(by_folder.values()) else by_file
        has_split = any(by_name.values())
        split_of = {path: (by_name[path] or name) if has_split else "train" for path, name in names.items()}
    files: dict[str, list[Path]] = {}
    for path, split in split_of.items():
        files.setdefault(split, []).append(path)
    return files


def _find_split(name: str, folder: Path) -> Split | None:
    """Return the split that a word of a path means; the innermost folder decides."""
    for part in reversed(name.split("/")):
        splits = {split for word in _WORD_SEPARATOR.split(part) if (split := parse_hub_split(word))}
        if len(splits) > 1:
            problem = f"the name {part} could mean {' or '.join(sorted(splits))}"
            raise DataError(problem, file=folder, remedy=f"rename it, or {_SET_PATTERNS}", kind="ambiguous")
        if splits:
            return splits.pop()
    return None


def _read_configs(card: Path) -> list[dict[str, Any]]:
    """Return the subsets whose files are listed in a card; empty if it lists none."""
    try:
        text = card.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        remedy = "check permissions, or remove it"
        raise DataError(f"cannot be read ({error.strerror})", file=card, remedy=remedy, kind="unreadable") from None
    header = _HEADER.match(text)
    try:
        content = yaml.safe_load(header[1]) if header else None
    except yaml.YAMLError as error:
        problem = f"the header is not YAML ({' '.join(str(error).split())})"
        remedy = "correct it, or remove the file to find the splits by names"
        raise DataError(problem, file=card, remedy=remedy, kind="format") from None
    configs = content.get("configs") if isinstance(content, dict) else None
    entries = configs if isinstance(configs, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and {"data_files", "data_dir"} & entry.keys()]


def _get_folder(config: dict[str, Any], root: Path) -> str:
    folder = str(config.get("data_dir") or "").strip("/")
    if ".." in PurePosixPath(folder).parts:
        remedy = "name a folder inside"
        raise DataError(f"the folder {folder} of the subset is outside this folder", file=root, remedy=remedy)
    return "" if folder == "." else folder


def _get_patterns(config: dict[str, Any], root: Path) -> dict[str, list[str]]:
    """Return the patterns of each split, from any of the forms that a card may use."""
    files = config.get("data_files")
    if files is None:
        return {}
    if isinstance(files, list) and any(isinstance(entry, dict) for entry in files):
        entries = [(e.get("split"), e.get("path")) if isinstance(e, dict) else (None, None) for e in files]
    else:
        entries = list(files.items()) if isinstance(files, dict) else [("train", files)]
    patterns: dict[str, list[str]] = {}
    for split, path in entries:
        paths: list[Any] = path if isinstance(path, list) else [path]
        if split is None or not all(isinstance(path, str) for path in paths):
            name = config.get("config_name", "default")
            problem = f"data_files of the subset {name} is neither a path nor a list of split and path"
            raise DataError(problem, file=root / CARD, remedy=f"correct it, or {_SET_PATTERNS}", kind="format")
        patterns[str(split)] = paths
    return patterns
