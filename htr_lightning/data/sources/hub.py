"""Datasets of the Hugging Face hub: downloaded by name, or a folder with the same Parquet files."""

import functools
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from htr_lightning.data.line import SPLITS, Line, Split
from htr_lightning.data.sources.data_files import check_root
from htr_lightning.data.sources.hub_files import (
    CARD,
    Subset,
    check_no_shared_files,
    find_split_files,
    find_subset,
    group_by_split,
    match_files,
    parse_hub_split,
)
from htr_lightning.data.sources.parquet import ParquetColumns, read_parquet_rows
from htr_lightning.data.sources.splits import assign_splits, check_ratios
from htr_lightning.image.files import DataError

log = logging.getLogger(__name__)
_MAX_NAMED = 10  # values of the split column in one message


class Hub:
    """Lines in Parquet files, each row an image and its text, such as ``Teklia/IAM-line`` or ``CATMuS/medieval``.

    The splits come from the first of these that exists:

    1. ``split_column``, a column that names the split of each row.
    2. ``train``, ``val`` and ``test``.
    3. The dataset card (``README.md``), then the names of folders and files, as on the hub (see
       `htr_lightning.data.sources.hub_files`).

    Missing splits are taken out of train by ``split_ratios``, in whole groups (see
    `htr_lightning.data.sources.lines.Lines`): val if there is none, and test if there is neither.

    Downloads go to the cache of ``huggingface_hub`` (set ``HF_HOME`` to move it); later runs download only what has
    changed. ``HF_HUB_OFFLINE=1`` disables the network. Gated datasets need ``HF_TOKEN``.

    Args:
        root: folder with the files: a clone or a download of a repository, or any other folder. Either this or
            ``name``.
        name: repository on the hub, ``owner/name``; needs the extra ``hub``.
        revision: branch, tag or commit of the repository; None for the newest. A commit makes runs reproducible.
        subset: which of several datasets in the repository (``config_name`` on the hub), or a folder in it; None
            for the default one.
        train: pattern of the training files in the root, such as ``data/train-*.parquet``.
        val: pattern of the validation files, likewise.
        test: pattern of the test files, likewise.
        image_column: the column of images; None selects ``image``, or else the only one that contains images.
        text_column: the column of texts.
        group_column: the column of groups, which are never divided between splits, such as ``shelfmark``. None selects
            the first existing one of ``group``, ``writer``, ``page``, ``font``; an empty string selects none.
        split_column: the column that names the split of a row, such as ``gen_split``; rows of other splits are
            ignored.
        split_ratios: fractions of train, val and test, where nothing else defines the splits; they sum to 1.
        split_seed: seed of the split by ratios.

    Raises:
        DataError: the arguments contradict each other.
    """

    def __init__(
        self,
        root: str | None = None,
        *,
        name: str | None = None,
        revision: str | None = None,
        subset: str | None = None,
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        image_column: str | None = None,
        text_column: str = "text",
        group_column: str | None = None,
        split_column: str | None = None,
        split_ratios: Sequence[float] = (0.8, 0.1, 0.1),
        split_seed: int = 1,
    ) -> None:
        patterns: dict[Split, str | None] = {"train": train, "val": val, "test": test}
        self._patterns = {split: pattern for split, pattern in patterns.items() if pattern}
        self._check_arguments(root, name, revision, subset, split_column)
        check_ratios(split_ratios)
        self._root, self._name, self._revision, self._subset = root, name, revision, subset
        self._columns = ParquetColumns(image_column, text_column, group_column, split_column or None)
        self._ratios, self._seed = tuple(split_ratios), split_seed

    def _check_arguments(
        self, root: str | None, name: str | None, revision: str | None, subset: str | None, split_column: str | None
    ) -> None:
        if (root is None) == (name is None):
            raise DataError(
                f"exactly one of dataset.root (now {root}) and dataset.name (now {name}) must be set",
                remedy="set dataset.root to a folder of Parquet files, or dataset.name to a dataset on the hub, such "
                "as dataset.name=Teklia/IAM-line",
            )
        if split_column and self._patterns:
            raise DataError(
                "this column defines the splits already",
                key="dataset.split_column",
                value=split_column,
                remedy="unset dataset.train, dataset.val and dataset.test",
            )
        if self._patterns and subset:
            raise DataError(
                "this cannot be combined with patterns of files",
                key="dataset.subset",
                value=subset,
                remedy="write its folder into dataset.train, dataset.val and dataset.test instead",
            )
        if revision and root is not None:
            raise DataError(
                "this is only for a dataset that is downloaded",
                key="dataset.revision",
                value=revision,
                remedy="check it out in dataset.root instead",
            )

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split in the order of their files and rows; images are not read yet.

        Raises:
            DataError: the dataset is missing or cannot be downloaded, or a file is damaged or lacks a column.
        """
        if self._columns.split is not None:
            return self._select_by_column(split)
        missing = self._missing_splits
        if split in self._files and not (split == "train" and missing):
            return [line for line, _ in self._read_rows(split)]
        if split != "train" and split not in missing:
            return []
        ratios = [ratio if s == "train" or s in missing else 0.0 for s, ratio in zip(SPLITS, self._ratios, strict=True)]
        lines = [line for line, _ in self._read_rows("train")]
        units = [line.group or line.id for line in lines]
        split_of = assign_splits(units, [ratio / sum(ratios) for ratio in ratios], self._seed)
        return [line for line, unit in zip(lines, units, strict=True) if split_of[unit] == split]

    def _read_rows(self, split: Split) -> Iterator[tuple[Line, str | None]]:
        for path in self._files.get(split, ()):
            yield from read_parquet_rows(path, self.root, self._columns)

    def _select_by_column(self, split: Split) -> list[Line]:
        unknown: Counter[str] = Counter()
        lines: list[Line] = []
        num_known = 0
        files = find_split_files(self.root, find_subset(self.root, self._subset))
        for path in sorted({path for paths in files.values() for path in paths}):
            for line, value in read_parquet_rows(path, self.root, self._columns):
                row_split = parse_hub_split(value or "")
                num_known += row_split is not None
                unknown.update([] if row_split else [repr(value)])
                lines += [line] if row_split == split else []
        values = ", ".join(f"{value} ({number} rows)" for value, number in unknown.most_common(_MAX_NAMED))
        if not num_known:
            raise DataError(
                f"the column contains none of train, val and test, but {values}",
                key="dataset.split_column",
                value=self._columns.split,
                file=self.root,
                remedy="unset it, or name another column",
            )
        if unknown and split == "train":
            log.warning("%s: rows of unknown splits are ignored: %s", self.root, values)
        return lines

    @functools.cached_property
    def _missing_splits(self) -> list[Split]:
        """The splits that have to be taken out of train."""
        files = self._files
        if "train" not in files or "val" in files:
            return []
        missing: list[Split] = ["val"] if "test" in files else ["val", "test"]
        log.info("%s: there are no %s files, so lines of train are used", self.root, " and no ".join(missing))
        return missing

    @functools.cached_property
    def root(self) -> Path:
        """The folder with the files; the first access downloads a dataset that is given by name."""
        if self._name is not None:
            root = _download(self._name, self._revision, [CARD])
            return _download(self._name, self._revision, [CARD, *self._get_download_patterns(root)])
        root = Path(self._root or "")
        check_root(root, "Parquet files")
        return root

    def _get_download_patterns(self, root: Path) -> list[str]:
        if self._patterns:
            return Subset(patterns={split: [pattern] for split, pattern in self._patterns.items()}).download_patterns
        return find_subset(root, self._subset, is_complete=False).download_patterns

    @functools.cached_property
    def _files(self) -> dict[Split, list[Path]]:
        if not self._patterns:
            return group_by_split(self.root, find_split_files(self.root, find_subset(self.root, self._subset)))
        files = {split: match_files(self.root, [pattern]) for split, pattern in self._patterns.items()}
        for split, paths in files.items():
            if not paths:
                problem = f"no Parquet file in {self.root} matches this pattern"
                remedy = "correct the pattern"
                raise DataError(problem, key=f"dataset.{split}", value=self._patterns[split], remedy=remedy)
        check_no_shared_files(files, self.root)
        return files


def _download(name: str, revision: str | None, patterns: list[str]) -> Path:
    """Download the files that match the patterns, unless they are in the cache, and return their folder.

    Raises:
        DataError: ``huggingface_hub`` is not installed, or the download fails.
    """
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError:
        remedy = 'run pip install "htr-lightning[hub]", or set dataset.root to a folder'
        raise DataError(
            "the package huggingface_hub is not installed", key="dataset.name", value=name, remedy=remedy
        ) from None
    try:
        return Path(snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=patterns))
    except errors.GatedRepoError:
        problem = "this dataset is gated"
        remedy = "accept the conditions on its page, and set HF_TOKEN to a token of that account"
    except errors.RevisionNotFoundError:
        problem = f"this dataset has no revision {revision}"
        remedy = "set dataset.revision to one of its branches, tags or commits"
    except errors.RepositoryNotFoundError:
        problem, remedy = "there is no such dataset, or it is private", "check the name, or set HF_TOKEN"
    except errors.HFValidationError:
        problem, remedy = "this is not the name of a dataset", "write owner/name, or set dataset.root to a folder"
    except Exception as error:  # the exceptions of a failing network depend on the version and on its HTTP library
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        problem = f"the download failed ({reason})"
        remedy = "try again online, or set dataset.root to a copy of the dataset"
    raise DataError(problem, key="dataset.name", value=name, remedy=remedy, kind="download")
