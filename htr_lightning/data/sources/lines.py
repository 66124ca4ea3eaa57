"""Folders of line images with their texts: in manifests, or in a text file next to each image."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from htr_lightning.data.line import UNTRANSCRIBED, LeftOut, Line, Split
from htr_lightning.data.sources.data_files import check_file_names, check_root, read_text_file
from htr_lightning.data.sources.image_names import IMAGE_KINDS, ImageNames, MissingImages, warn_passed_over
from htr_lightning.data.sources.manifest import MANIFEST_SUFFIXES, ManifestColumns, ManifestRow, read_manifest_rows
from htr_lightning.data.sources.splits import assign_splits, check_ratios, get_split_unit, parse_split
from htr_lightning.image.files import IMAGE_SUFFIXES, DataError
from htr_lightning.image.folder import is_file, normalize_name, search_folder
from htr_lightning.image.line_image import ImageFile
from htr_lightning.text import clean_text, format_count

log = logging.getLogger(__name__)
_TEXT_SUFFIX = ".gt.txt"


class Lines:
    """Line images in a folder, with their texts.

    The texts come from the first of these that exists:

    1. ``manifest``: one table (see `htr_lightning.data.sources.manifest`) of all lines. Its split column names the
       split of each row; without such a column, the rows are split by ``split_ratios``.
    2. A table for each split: ``train.tsv``, ``val.csv``, ``test.jsonl`` ... in the root, or the files named by
       ``train``, ``val`` and ``test``.
    3. ``x.gt.txt`` next to ``x.png`` (as in kraken and Calamari), in any subfolder; without that image, next to
       ``x.nrm.png``, ``x.bin.png`` or ``x.dew.png`` (as in OCRopus). If the root has folders ``train``, ``val`` or
       ``test`` with such files, these are the splits; otherwise the lines are split by ``split_ratios``. Images without
       text are ignored; a text without image becomes a line whose image is missing. Hidden files and folders are
       skipped, links to folders followed.

    Splitting by ratios keeps groups whole and depends only on ``split_seed`` and the name of each group (or the id of
    a line without group), so lines stay in their split when others are added. The ratios are therefore only
    approximated, above all with few groups or groups of different sizes. If a split of a small dataset would be
    empty, it takes the group whose hash is nearest to its range; train comes first, then val, then test.

    Args:
        root: the folder; image paths in manifests are relative to it.
        train: manifest of the training split, relative to the root; None finds it by its name.
        val: manifest of the validation split, likewise.
        test: manifest of the test split, likewise.
        image_column: the column of image paths.
        text_column: the column of texts.
        group_column: the column of groups, which are never divided between splits. None selects the first existing one
            of ``group``, ``writer``, ``page``, ``font``; an empty string selects none.
        manifest: one manifest for all splits, relative to the root.
        split_column: the column of ``manifest`` that names the split. None selects ``split`` if that column exists;
            an empty string selects none.
        split_ratios: fractions of train, val and test, where nothing else defines the splits; they sum to 1.
        split_seed: seed of the split by ratios.
        image_names: pairs of a regular expression and its replacement, applied to the image paths of manifests, and to
            the paths of text files without ``.gt.txt``, before the images are searched for.

    Raises:
        DataError: the arguments contradict each other.
    """

    def __init__(
        self,
        root: str,
        *,
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        image_column: str = "image",
        text_column: str = "text",
        group_column: str | None = None,
        manifest: str | None = None,
        split_column: str | None = None,
        split_ratios: Sequence[float] = (0.8, 0.1, 0.1),
        split_seed: int = 1,
        image_names: Sequence[Sequence[str]] = (),
    ) -> None:
        self.root = Path(root)
        self._manifest_of: dict[Split, str | None] = {"train": train, "val": val, "test": test}
        self._columns = ManifestColumns(image_column, text_column, group_column, split_column)
        self._untranscribed: list[str] = []
        self._manifest = manifest
        self._ratios = tuple(split_ratios)
        self._seed = split_seed
        self._image_names = ImageNames(image_names)
        self._missing = MissingImages(self.root)
        if manifest is not None and (train or val or test):
            raise DataError(
                "this manifest is for all splits",
                key="dataset.manifest",
                value=manifest,
                remedy="unset dataset.train, dataset.val and dataset.test, or unset dataset.manifest",
            )
        if split_column and manifest is None:
            raise DataError(
                "this needs one manifest for all splits",
                key="dataset.split_column",
                value=split_column,
                remedy="set dataset.manifest to it, or unset dataset.split_column",
            )
        check_ratios(split_ratios)

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of one split in the order of their manifest, or sorted by the paths of their text files.

        Raises:
            DataError: the root is missing or contains no texts; a file is malformed.
        """
        check_root(self.root, "your lines")
        lines = self._read_lines(split)
        self._missing.report(split)
        return lines

    def left_out(self, split: Split) -> LeftOut:
        """Return the images without text file that the last call of `lines` found; all count as train."""
        return {UNTRANSCRIBED: self._untranscribed} if split == "train" and self._untranscribed else {}

    def _read_lines(self, split: Split) -> list[Line]:
        if self._manifest is not None:
            return self._read_single_manifest(split, self.root / self._manifest)
        manifests = self._find_manifests()
        if manifests:
            path = manifests.get(split)
            return [row.line for row in self._read_rows(path)] if path else []
        return self._read_text_files(split)

    def _read_rows(self, path: Path) -> Iterator[ManifestRow]:
        return read_manifest_rows(path, self.root, self._columns, self._image_names, self._missing)

    def _find_manifests(self) -> dict[Split, Path]:
        manifests: dict[Split, Path] = {}
        tables = sorted(p for p in self.root.iterdir() if p.suffix.lower() in MANIFEST_SUFFIXES and p.is_file())
        for split, name in self._manifest_of.items():
            if name is not None:
                manifests[split] = self.root / name
                continue
            paths = [p for p in tables if parse_split(p.stem) == split]
            if len(paths) > 1:
                names = " and ".join(p.name for p in paths)
                remedy = f"set dataset.{split} to one of them"
                raise DataError(f"{names} are both manifests of {split}", file=self.root, remedy=remedy)
            if paths:
                manifests[split] = paths[0]
        return manifests

    def _read_single_manifest(self, split: Split, path: Path) -> list[Line]:
        rows = list(self._read_rows(path))
        if rows and rows[0].split is None:
            split_of = assign_splits((get_split_unit(row.line) for row in rows), self._ratios, self._seed)
            return [row.line for row in rows if split_of[get_split_unit(row.line)] == split]
        for row in rows:
            if parse_split(row.split or "") is None:
                problem = f"row {row.number} has the unknown split {row.split!r}"
                raise DataError(problem, file=path, remedy="write train, val or test")
        return [row.line for row in rows if parse_split(row.split or "") == split]

    def _read_text_files(self, split: Split) -> list[Line]:
        content = search_folder(self.root, (*IMAGE_SUFFIXES, ".txt"))
        text_files = _find_images_with_text(self.root, check_file_names(content.files), self._image_names)
        self._untranscribed = _find_images_without_text(self.root, content.files, text_files)
        if split == "train":
            warn_passed_over(content.describe_passed_over(self.root))
        if not text_files:
            raise DataError(
                f"there are no manifests (train{', train'.join(MANIFEST_SUFFIXES)}) and no text files next to images "
                f"(x{_TEXT_SUFFIX}, x.png)",
                file=self.root,
                remedy="set dataset.manifest if your manifest has another name",
                kind="empty",
            )
        split_of = _get_splits_by_folder(text_files, self.root) or assign_splits(text_files, self._ratios, self._seed)
        lines = []
        multiline: list[str] = []
        for id, text_file in text_files.items():
            if split_of[id] == split:
                text = read_text_file(self.root / text_file, remedy="restore it")
                if sum(1 for row in text.split("\n") if row.strip()) > 1:
                    multiline.append(text_file)
                lines.append(Line(id, ImageFile(self.root / id), clean_text(text)))
                if not is_file(self.root / id):
                    self._missing.add(id)
        _report_multiline(self.root, split, multiline)
        return lines


def _find_images_with_text(root: Path, files: Iterable[Path], image_names: ImageNames) -> dict[str, str]:
    """Map the path of every image with a text file to the path of that file, both relative to the root."""
    names = [path.relative_to(root).as_posix() for path in files]
    images: dict[str, list[str]] = {}
    for name in names:
        suffix = PurePosixPath(name).suffix
        if suffix.lower() in IMAGE_SUFFIXES:
            images.setdefault(normalize_name(name.removesuffix(suffix)), []).append(name)
            if image_names:
                images.setdefault(normalize_name(name), []).append(name)
    text_files: dict[str, str] = {}
    for name in (name for name in names if name.lower().endswith(_TEXT_SUFFIX)):
        stem = image_names.apply(name[: -len(_TEXT_SUFFIX)])
        found = (images.get(normalize_name(f"{stem}{kind}"), []) for kind in IMAGE_KINDS)
        candidates = next(filter(None, found), [f"{stem}.png"])
        if len(candidates) > 1:
            problem = (
                f"belongs to both {' and '.join(sorted(PurePosixPath(candidate).name for candidate in candidates))}"
            )
            raise DataError(problem, file=root / name, remedy="keep one image for each text")
        if candidates[0] in text_files:
            problem = f"the image {candidates[0]} belongs to {text_files[candidates[0]]}, too"
            raise DataError(problem, file=root / name, remedy="keep one text for each image")
        text_files[candidates[0]] = name
    return text_files


def _find_images_without_text(root: Path, files: Iterable[Path], text_files: Mapping[str, str]) -> list[str]:
    """Return the images that no text file belongs to; ``x.bin.png`` and ``x.nrm.png`` are two images of one line."""
    names = [path.relative_to(root).as_posix() for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    known = {_get_line_name(name) for name in (*text_files, *text_files.values())}
    return [name for name in names if _get_line_name(name) not in known]


def _get_line_name(name: str) -> str:
    folder, _, file = normalize_name(name).rpartition("/")
    return f"{folder}/{file.partition('.')[0]}"


def _get_splits_by_folder(images: dict[str, str], root: Path) -> dict[str, Split]:
    """Return the split of each image by its topmost folder; empty if no folder is named after a split."""
    folder_split = {id: parse_split(id.split("/")[0]) if "/" in id else None for id in images}
    outside = [id for id, split in folder_split.items() if split is None]
    if len(outside) == len(images):
        return {}
    if outside:
        raise DataError(
            f"{len(outside)} of the lines, such as {outside[0]}, are outside the folders train, val and test, which "
            "contain the others",
            file=root,
            remedy="move or remove them",
        )
    return {id: split for id, split in folder_split.items() if split is not None}


def _report_multiline(root: Path, split: Split, text_files: Sequence[str]) -> None:
    """Log which text files have several lines, although an image shows one."""
    if text_files:
        log.warning(
            "%s: %s of %s with several lines of text, such as %s, which are joined with spaces, since an image is one "
            "line; check them",
            root,
            format_count(len(text_files), "file"),
            split,
            text_files[0],
        )
