"""Which Parquet files of a data set's repository belong to which split, as the Hugging Face hub decides it.

The card (``README.md``) may say so in its YAML head, for each of several subsets; otherwise names do:
``data/train-00000-of-00002.parquet``, a folder ``train``, a file ``validation.parquet`` and the like.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from htr_lightning.data.line import SPLITS, Split
from htr_lightning.data.sources.lines import split_named
from htr_lightning.data.sources.page_images import files_under
from htr_lightning.image.files import DataError

log = logging.getLogger(__name__)
CARD = "README.md"
_HEAD = re.compile(r"\A\ufeff?---\r?\n(.*?)^---", re.DOTALL | re.MULTILINE)
_SHARD = re.compile(r"data/(.+)-\d{5}-of-\d{5}[^/]*")
_BETWEEN_WORDS = re.compile(r"[-._ 0-9]+")


@dataclass(frozen=True, slots=True)
class Subset:
    """A part of a repository that is a data set by itself; the hub calls it a config.

    Attributes:
        folder: where it lies in the repository; empty for all of it.
        patterns: for each split, as the card calls it, patterns of files in the folder; empty to go by names.
    """

    folder: str = ""
    patterns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def downloads(self) -> list[str]:
        """Patterns that match all of its files, in the manner of ``fnmatch``: ``*`` goes through folders."""
        start = f"{self.folder}/" if self.folder else ""
        named = [pattern for patterns in self.patterns.values() for pattern in patterns]
        every = [[name, f"{name.rstrip('/')}/*"] for p in named for name in {p, p.replace("**/", "*")}]
        return [start + name for names in every or [["*.parquet"]] for name in names]


def find_subset(root: Path, name: str | None, *, is_whole: bool = True) -> Subset:
    """Look a subset up in the card.

    Args:
        root: the repository.
        name: the subset, or a folder in the repository; None for the default one.
        is_whole: whether all files are there already, not only the card.

    Raises:
        DataError: the card is malformed, or has several subsets and none of that name.
    """
    configs = {str(c.get("config_name", "default")): c for c in _configs(root / CARD)}
    if name is None:
        defaults = [key for key, config in configs.items() if config.get("default") is True]
        candidates = defaults or (["default"] if "default" in configs else list(configs))
        if len(candidates) > 1:
            raise DataError(
                f"{root / CARD}: names the subsets {', '.join(candidates)}; set dataset.subset={candidates[0]} "
                "or another"
            )
        name = candidates[0] if candidates else ""
    if name in configs:
        return Subset(_folder(configs[name], root), _patterns(configs[name], root))
    if configs and is_whole and not (root / name).is_dir():
        raise DataError(f"{root / CARD}: names no subset {name!r}; set dataset.subset to one of {', '.join(configs)}")
    return Subset(_folder({"data_dir": name}, root))


def files_of(root: Path, subset: Subset) -> dict[str, list[Path]]:
    """Find the files of each split, as the card calls it or by names; what has a name of no split is one by itself.

    Raises:
        DataError: the folder is missing, has no Parquet files, or their names contradict themselves.
    """
    base = root / subset.folder
    if not base.is_dir():
        raise DataError(f"{base}: there is no such folder; set dataset.subset to a folder of {root}, or leave it out")
    if subset.patterns:
        found = {name: matching(base, patterns) for name, patterns in subset.patterns.items()}
    else:
        found = _by_names(base)
    if not any(found.values()):
        raise DataError(
            f"{base}: has no Parquet files (.parquet){' where its README.md says' if subset.patterns else ''}; for "
            "images in folders, use dataset=lines"
        )
    return found


def by_split(root: Path, found: Mapping[str, Sequence[Path]]) -> dict[Split, list[Path]]:
    """Sort what `files_of` found into the splits; those without files are left out.

    Raises:
        DataError: no split is called train, val or test, or a file is of train and of another.
    """
    files: dict[Split, list[Path]] = {}
    for name, paths in found.items():
        split = split_of_name(name)
        if split is not None and paths:
            files[split] = sorted({*files.get(split, []), *paths})
    if not files:
        raise DataError(
            f"{root}: its splits are {', '.join(found)}, none of them train, val or test; name their files in "
            "dataset.train, dataset.val and dataset.test, such as dataset.train=data/part1-*.parquet"
        )
    others = [
        name if paths else f"{name} (not a file)" for name, paths in found.items() if split_of_name(name) not in files
    ]
    if others:
        log.warning("%s: of no split, and not used: %s", root, ", ".join(others))
    refuse_shared(files, root)
    return {split: files[split] for split in SPLITS if split in files}


def matching(base: Path, patterns: Sequence[str]) -> list[Path]:
    """Return the Parquet files in a folder that match one of the patterns; a folder stands for all that is in it.

    Raises:
        DataError: a pattern leads out of the folder or is an address.
    """
    found: set[Path] = set()
    for pattern in patterns:
        parts = PurePosixPath(pattern).parts
        if "://" in pattern or pattern.startswith("/") or ".." in parts:
            raise DataError(f"{base}: the files {pattern} lie outside of it; copy them into it")
        # What the hub takes and `Path.glob` does not: ** at the end, at the beginning of a name, or within one.
        names = [name for part in parts for name in re.sub(r"^\*\*(?=.)", "**/*", part).split("/")]
        names = [name if name == "**" else name.replace("**", "*") for name in names]
        if names[-1:] == ["**"] or (base / pattern).is_dir():
            names += ["**", "*"]
        paths = base.glob("/".join(names))
        found |= {path for path in paths if path.suffix.lower() == ".parquet" and path.is_file()}
    return sorted(found)


def refuse_shared(files: Mapping[Split, Sequence[Path]], base: Path) -> None:
    """Refuse files that are to be learnt and also to be tested with.

    Raises:
        DataError: a file is of the training split and of another.
    """
    for split in ("val", "test"):
        shared = sorted({*files.get("train", ())} & {*files.get(split, ())})
        if shared:
            raise DataError(
                f"{shared[0]}: is a file of both train and {split}; name the files of each in dataset.train, "
                f"dataset.val and dataset.test, as patterns in {base}"
            )


def split_of_name(name: str) -> Split | None:
    """Return the split that a word means on the hub, which knows two more than `split_named`."""
    return "test" if name.lower() in ("eval", "evaluation") else split_named(name)


def _by_names(base: Path) -> dict[str, list[Path]]:
    """Sort files by the first of these that names a split: shards in ``data``, folders, files; else all are train."""
    names = {path: path.relative_to(base).as_posix() for path in files_under(base, (".parquet",))}
    shards = {path: match[1] for path, name in names.items() if (match := _SHARD.fullmatch(name))}
    if shards:
        split_of = {path: shards.get(path, name) for path, name in names.items()}
    else:
        by_folder = {path: _word_in(PurePosixPath(name).parent.as_posix(), base) for path, name in names.items()}
        by_file = {path: _word_in(PurePosixPath(name).stem, base) for path, name in names.items()}
        by_name = by_folder if any(by_folder.values()) else by_file
        every = not any(by_name.values())
        split_of = {path: "train" if every else by_name[path] or name for path, name in names.items()}
    found: dict[str, list[Path]] = {}
    for path, split in split_of.items():
        found.setdefault(split, []).append(path)
    return found


def _word_in(name: str, base: Path) -> Split | None:
    """Return the split that one of the words of a name means; the innermost folder's, if there are several."""
    for part in reversed(name.split("/")):
        splits = {split for word in _BETWEEN_WORDS.split(part) if (split := split_of_name(word))}
        if len(splits) > 1:
            raise DataError(
                f"{base}: the name {part} could mean {' or '.join(sorted(splits))}; rename it, or set dataset.train, "
                "dataset.val and dataset.test"
            )
        if splits:
            return splits.pop()
    return None


def _configs(card: Path) -> list[dict[str, Any]]:
    """Return the subsets that a card describes by their files; none if it is silent about them."""
    try:
        text = card.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{card}: cannot be read ({error.strerror}); check permissions, or remove it") from None
    head = _HEAD.match(text)
    try:
        content = yaml.safe_load(head[1]) if head else None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{card}: its head is not YAML ({reason}); correct it, or remove it and go by names") from None
    configs = content.get("configs") if isinstance(content, dict) else None
    entries = configs if isinstance(configs, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and {"data_files", "data_dir"} & entry.keys()]


def _folder(config: dict[str, Any], root: Path) -> str:
    folder = str(config.get("data_dir") or "").strip("/")
    if ".." in PurePosixPath(folder).parts:
        raise DataError(f"{root}: the subset in {folder} leads out of it; name a folder inside")
    return "" if folder == "." else folder


def _patterns(config: dict[str, Any], root: Path) -> dict[str, list[str]]:
    """Return the patterns of each split, from any of the forms that a card may give them in."""
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
            raise DataError(
                f"{root / CARD}: the data_files of its subset {config.get('config_name', 'default')} are not a path, "
                "or a list of split and path; correct them, or set dataset.train, dataset.val and dataset.test"
            )
        patterns[str(split)] = paths
    return patterns
