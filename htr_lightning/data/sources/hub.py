"""Data sets of the Hugging Face hub: downloaded by name, or a folder with the same Parquet files."""

import functools
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from htr_lightning.data.line import SPLITS, Line, Split
from htr_lightning.data.sources.hub_files import (
    CARD,
    Subset,
    by_split,
    files_of,
    find_subset,
    matching,
    refuse_shared,
    split_of_name,
)
from htr_lightning.data.sources.lines import check_ratios, divide
from htr_lightning.data.sources.page_images import check_root
from htr_lightning.data.sources.parquet import ParquetColumns, read_rows
from htr_lightning.image.files import DataError

log = logging.getLogger(__name__)


class Hub:
    """Lines in Parquet files, each row an image and its text, such as ``Teklia/IAM-line`` or ``CATMuS/medieval``.

    The splits come from the first of these that there is:

    1. ``split_column``, a column that says it of each row.
    2. ``train``, ``val`` and ``test``.
    3. The card of the data set (``README.md``), then the names of folders and files, as on the hub (see
       `htr_lightning.data.sources.hub_files`).

    What then lacks is taken out of train, by ``split_ratios`` and in whole groups (see
    `htr_lightning.data.sources.lines.Lines`): val if there is none, and test if there is neither.

    A download goes to the cache of ``huggingface_hub`` (``HF_HOME`` moves it), and is asked for by later runs only
    if it has changed; ``HF_HUB_OFFLINE=1`` leaves the network alone. Data sets with conditions need ``HF_TOKEN``.

    Args:
        root: folder with the files: a clone or a download of a repository, or any other. Either this or ``name``.
        name: repository on the hub, ``owner/name``; needs the extra ``hub``.
        revision: branch, tag or commit of the repository; None for its newest state. A commit keeps the data the
            same for good.
        subset: which of several data sets in the repository (``config_name`` on the hub), or a folder in it; None
            for the default one.
        train: pattern of the training files in the root, such as ``data/train-*.parquet``.
        val: the same of the validation split.
        test: the same of the test split.
        image_column: the column of images; None takes ``image``, or else the only one that holds images.
        text_column: the column of texts.
        group_column: the column of what must not be shared between splits, such as ``shelfmark``; None takes the
            first of ``group``, ``writer``, ``page``, ``font`` that there is, an empty string takes none.
        split_column: the column that names the split of a row, such as ``gen_split``; rows of other splits are not
            used.
        split_ratios: the shares of train, val and test, for what nothing else divides; their sum is 1.
        split_seed: another number divides differently.

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
        if (root is None) == (name is None):
            raise DataError(
                f"dataset.root={root} and dataset.name={name}: set one of them, the root to a folder of Parquet files "
                "or the name to a data set on the hub, such as dataset.name=Teklia/IAM-line"
            )
        named: dict[Split, str | None] = {"train": train, "val": val, "test": test}
        self._patterns = {split: pattern for split, pattern in named.items() if pattern}
        if split_column and self._patterns:
            raise DataError("dataset.split_column: says what is of which split, so leave out train, val and test")
        if self._patterns and subset:
            raise DataError("dataset.subset: write its folder into train, val and test instead")
        if revision and root is not None:
            raise DataError("dataset.revision: is for a data set that is downloaded; check it out in dataset.root")
        check_ratios(split_ratios)
        self._root, self._name, self._revision, self._subset = root, name, revision, subset
        self._columns = ParquetColumns(image_column, text_column, group_column, split_column or None)
        self._ratios, self._seed = tuple(split_ratios), split_seed

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of a split in the order of their files and rows; only texts and groups are read.

        Raises:
            DataError: the data set is missing or cannot be downloaded, or a file is damaged or lacks a column.
        """
        if self._columns.split is not None:
            return self._of_column(split)
        lacking = self._lacking
        if split in self._files and not (split == "train" and lacking):
            return [line for line, _ in self._rows(split)]
        if split != "train" and split not in lacking:
            return []
        ratios = [share if s == "train" or s in lacking else 0.0 for s, share in zip(SPLITS, self._ratios, strict=True)]
        lines = [line for line, _ in self._rows("train")]
        units = [line.group or line.id for line in lines]
        split_of = divide(units, [share / sum(ratios) for share in ratios], self._seed)
        return [line for line, unit in zip(lines, units, strict=True) if split_of[unit] == split]

    def _rows(self, split: Split) -> Iterator[tuple[Line, str | None]]:
        for path in self._files.get(split, ()):
            yield from read_rows(path, self.root, self._columns)

    def _of_column(self, split: Split) -> list[Line]:
        others: Counter[str] = Counter()
        lines: list[Line] = []
        num_known = 0
        found = files_of(self.root, find_subset(self.root, self._subset))
        for path in sorted({path for paths in found.values() for path in paths}):
            for line, value in read_rows(path, self.root, self._columns):
                known = split_of_name(value or "")
                num_known += known is not None
                others.update([] if known else [repr(value)])
                lines += [line] if known == split else []
        called = ", ".join(f"{value} ({number} rows)" for value, number in others.most_common(10))
        if not num_known:
            raise DataError(
                f"{self.root}: dataset.split_column={self._columns.split} has none of train, val and test, only "
                f"{called}; leave it out, or name another column"
            )
        if others and split == "train":
            log.warning("%s: rows of other splits are not used: %s", self.root, called)
        return lines

    @functools.cached_property
    def _lacking(self) -> list[Split]:
        """What has to be taken out of train."""
        present = self._files
        if "train" not in present or "val" in present:
            return []
        lacking: list[Split] = ["val"] if "test" in present else ["val", "test"]
        log.info("%s: has no %s, so lines of train are set apart", self.root, " and no ".join(lacking))
        return lacking

    @functools.cached_property
    def root(self) -> Path:
        """The folder with the files; a data set that is named is downloaded when this is first asked for."""
        if self._name is not None:
            root = _download(self._name, self._revision, [CARD])
            return _download(self._name, self._revision, [CARD, *self._downloads(root)])
        root = Path(self._root or "")
        check_root(root, "of the Parquet files")
        return root

    def _downloads(self, root: Path) -> list[str]:
        if self._patterns:
            return Subset(patterns={split: [pattern] for split, pattern in self._patterns.items()}).downloads
        return find_subset(root, self._subset, is_whole=False).downloads

    @functools.cached_property
    def _files(self) -> dict[Split, list[Path]]:
        if not self._patterns:
            return by_split(self.root, files_of(self.root, find_subset(self.root, self._subset)))
        files = {split: matching(self.root, [pattern]) for split, pattern in self._patterns.items()}
        for split, found in files.items():
            if not found:
                raise DataError(f"dataset.{split}={self._patterns[split]}: no Parquet file in {self.root} matches")
        refuse_shared(files, self.root)
        return files


def _download(name: str, revision: str | None, patterns: list[str]) -> Path:
    """Return the folder with what matches the patterns, downloaded unless the cache has it.

    Raises:
        DataError: ``huggingface_hub`` is not installed, or the download fails.
    """
    key = f"dataset.name={name}"
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError:
        raise DataError(
            f'{key}: needs huggingface_hub; run pip install "htr-lightning[hub]", or set dataset.root to a folder'
        ) from None
    try:
        return Path(snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=patterns))
    except errors.GatedRepoError:
        problem = "has conditions; accept them on its page, and set HF_TOKEN to a token of that account"
    except errors.RevisionNotFoundError:
        problem = f"has no revision {revision}; set dataset.revision to one of its branches, tags or commits"
    except errors.RepositoryNotFoundError:
        problem = "there is no such data set, or it is private; check the name, or set HF_TOKEN"
    except errors.HFValidationError:
        problem = "is not the name of a data set, as owner/name; for a folder, set dataset.root"
    except Exception as error:  # what a failing network raises depends on the version and what it is built on
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        problem = f"cannot be downloaded ({reason}); try again online, or set dataset.root to a copy of it"
    raise DataError(f"{key}: {problem}")
