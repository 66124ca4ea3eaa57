import io
import logging
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import huggingface_hub
import huggingface_hub.constants
import huggingface_hub.errors
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.typesetting import texts, typeset

from htr_lightning.data.line import SPLITS
from htr_lightning.data.sources.hub import Hub
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import UnusableImage

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def table(number: int, seed: int = 0, image: str = "image", **columns) -> pa.Table:
    rows = []
    for text in texts(number, seed):
        file = io.BytesIO()
        typeset(text, 16).save(file, "PNG")
        rows.append({"bytes": file.getvalue(), "path": f"{text}.png"})
    return pa.table({image: pa.array(rows, IMAGE), "text": texts(number, seed), **columns})


def write(path: Path, number: int = 3, seed: int = 0, **columns) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(number, seed, **columns), path, row_group_size=2)
    return path


def ids(source: Hub) -> list[list[str]]:
    return [[line.id for line in source.lines(split)] for split in SPLITS]


def refusal(call) -> str:
    with pytest.raises(DataError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


# Published datasets


def test_a_dataset_of_teklia(tmp_path):
    for seed, (name, number) in enumerate((("train", 5), ("validation", 2), ("test", 3))):
        write(tmp_path / f"data/{name}.parquet", number, seed)
    (tmp_path / "README.md").write_text(
        "---\nlicense: mit\ndataset_info:\n  features:\n  - name: image\n    dtype: image\n---\n\n# IAM - line level\n"
    )
    source = Hub(str(tmp_path))
    assert [len(source.lines(split)) for split in SPLITS] == [5, 2, 3]
    for seed, split in enumerate(SPLITS):
        lines = source.lines(split)
        assert [line.text for line in lines] == texts(len(lines), seed)
        assert all(np.array_equal(line.image.read(), typeset(line.text, 16)) for line in lines)
    assert source.lines("val")[1].id == "data/validation.parquet:1"


def test_a_dataset_of_catmus(tmp_path):
    options = {"image": "im", "shelfmark": ["m1", "m1", "m2", None], "gen_split": ["train", "dev", "test", "spare"]}
    for folder in ("train", "dev", "test"):
        write(tmp_path / f"data/{folder}/0001.parquet", 4, **options)
    source = Hub(str(tmp_path), group_column="shelfmark")
    assert [line.group for line in source.lines("val")] == ["m1", "m1", "m2", ""]
    assert ids(source)[2] == [f"data/test/0001.parquet:{row}" for row in range(4)]
    source = Hub(str(tmp_path), split_column="gen_split")
    assert ids(source) == [[f"data/{f}/0001.parquet:{row}" for f in ("dev", "test", "train")] for row in range(3)]


# Missing splits


def test_train_alone_is_split_by_groups(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    for i in range(2):
        write(tmp_path / f"data/train-0000{i}-of-00002.parquet", 60, i, page=[f"p{n % 20}" for n in range(60)])
    source = Hub(str(tmp_path), split_ratios=[0.5, 0.25, 0.25])
    parts = [source.lines(split) for split in SPLITS]
    assert all(parts) and len({line.id for part in parts for line in part}) == 120
    groups = [{line.group for line in part} for part in parts]
    assert sum(map(len, groups)) == 20
    assert parts == [Hub(str(tmp_path), split_ratios=[0.5, 0.25, 0.25]).lines(split) for split in SPLITS]
    assert parts != [Hub(str(tmp_path), split_ratios=[0.5, 0.25, 0.25], split_seed=2).lines(s) for s in SPLITS]
    assert f"{tmp_path}: there are no val and no test files, so lines of train are used" in caplog.text


def test_val_alone_is_taken_out_of_train(tmp_path):
    write(tmp_path / "train.parquet", 60)
    write(tmp_path / "test.parquet", 7, 1)
    train, val, test = ids(Hub(str(tmp_path)))
    assert len(train) + len(val) == 60 and 2 < len(val) < 15 and not {*train} & {*val} and len(test) == 7


def test_test_is_not_taken_out_of_train_if_there_is_val(tmp_path):
    write(tmp_path / "train.parquet", 6)
    write(tmp_path / "dev.parquet", 2, 1)
    assert list(map(len, ids(Hub(str(tmp_path))))) == [6, 2, 0]


def test_only_test(tmp_path):
    write(tmp_path / "test.parquet", 2)
    assert list(map(len, ids(Hub(str(tmp_path))))) == [0, 0, 2]


# Configured files


def test_files_named_in_the_config_win(tmp_path):
    for name in ("train-0", "train-1", "held_out", "train-2"):
        write(tmp_path / f"parts/{name}.parquet", 1)
    source = Hub(str(tmp_path), train="parts/train-[01].parquet", val="parts/train-2.parquet", test="parts/held_out*")
    assert ids(source) == [
        ["parts/train-0.parquet:0", "parts/train-1.parquet:0"],
        ["parts/train-2.parquet:0"],
        ["parts/held_out.parquet:0"],
    ]
    source = Hub(str(tmp_path), train="parts/none*")
    assert refusal(lambda: source.lines("train")).startswith("dataset.train=parts/none*: no Parquet file in")
    source = Hub(str(tmp_path), train="parts/*", test="parts/held*")
    assert "held_out.parquet: the file belongs to both train and test" in refusal(lambda: source.lines("train"))


def test_rows_of_other_splits_are_reported(tmp_path, caplog):
    write(tmp_path / "all-00000-of-00001.parquet", 4, part=["train", "x", None, "Validation"])
    source = Hub(str(tmp_path), split_column="part")
    assert ids(source) == [["all-00000-of-00001.parquet:0"], ["all-00000-of-00001.parquet:3"], []]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: rows of unknown splits are ignored: 'x' (1 rows), None (1 rows)"
    ]
    message = refusal(lambda: Hub(str(tmp_path), split_column="text").lines("val"))
    assert message.startswith("dataset.split_column=text: ") and "none of train, val and test" in message


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({}, "exactly one of dataset.root (now None) and dataset.name (now None)"),
        ({"root": "x", "name": "a/b"}, "exactly one of dataset.root (now x) and dataset.name (now a/b)"),
        ({"root": "x", "train": "a", "split_column": "b"}, "dataset.split_column=b: "),
        ({"root": "x", "train": "a", "subset": "b"}, "dataset.subset=b: "),
        ({"root": "x", "revision": "a"}, "dataset.revision=a: "),
        ({"root": "x", "split_ratios": [0.5, 0.1, 0.1]}, "dataset.split_ratios=[0.5, 0.1, 0.1]: "),
    ],
)
def test_arguments_that_contradict_each_other(arguments, word):
    assert refusal(lambda: Hub(**arguments)).startswith(word)


def test_missing_root(tmp_path):
    message = refusal(lambda: Hub(str(tmp_path / "no")).lines("train"))
    assert "there is no such folder" in message and "dataset.root" in message
    (tmp_path / "file").write_text("")
    assert "is not a folder" in refusal(lambda: Hub(str(tmp_path / "file")).lines("train"))


# Downloads


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with one repository, which copies the requested files, like the real one."""
    repository, calls = tmp_path / "hub", []

    def snapshot_download(name, *, repo_type, revision, allow_patterns):
        assert name == "owner/lines" and repo_type == "dataset"
        calls.append((revision, list(allow_patterns)))
        names = [path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()]
        for file in huggingface_hub.utils.filter_repo_objects(names, allow_patterns=allow_patterns):
            (tmp_path / "cache" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / file, tmp_path / "cache" / file)
        return str(tmp_path / "cache")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    for name in ("big/train.parquet", "small/train-0.parquet", "small/deep/dev.parquet", "small/picture.png"):
        write(repository / name, 2)
    repository.joinpath("README.md").write_text("# No head")
    return repository, calls, tmp_path / "cache"


def test_a_named_dataset_is_downloaded_once(hub):
    _, calls, cache = hub
    source = Hub(name="owner/lines", revision="v1")
    assert not calls
    assert list(map(len, ids(source))) == [4, 2, 0]
    assert calls == [("v1", ["README.md"]), ("v1", ["README.md", "*.parquet"])]
    assert not (cache / "small/picture.png").exists()


@pytest.mark.parametrize(
    ("card", "subset"),
    [
        ("no head", "small"),
        ("---\nconfigs:\n- config_name: s\n  data_dir: small\n- config_name: b\n  data_dir: big\n---\n", "s"),
        ("---\nconfigs:\n- config_name: s\n  data_files:\n  - {split: train, path: small/**/*.parquet}\n---\n", None),
        ("---\nconfigs:\n- config_name: s\n  data_files: small/**\n---\n", "s"),
        ("---\nconfigs:\n- config_name: b\n  data_dir: big\n---\n", "small"),
    ],
)
def test_only_the_files_of_a_subset_are_downloaded(hub, card, subset):
    repository, _, cache = hub
    (repository / "README.md").write_text(card)
    lines = [line for part in SPLITS for line in Hub(name="owner/lines", subset=subset).lines(part)]
    assert {line.id.partition(":")[0] for line in lines} == {"small/train-0.parquet", "small/deep/dev.parquet"}
    assert not (cache / "big").exists()


def test_only_the_files_in_the_config_are_downloaded(hub):
    _, _, cache = hub
    source = Hub(name="owner/lines", train="small/train-*.parquet", val="small/**/dev.parquet")
    assert list(map(len, ids(source))) == [2, 2, 0] and not (cache / "big").exists()


def test_a_subset_that_is_not_there(hub):
    message = refusal(lambda: Hub(name="owner/lines", subset="none").lines("train"))
    assert "none: there is no such folder; set dataset.subset" in message


def hub_error(name: str) -> Exception:
    kind = getattr(huggingface_hub.errors, name)
    error = kind.__new__(kind)  # their constructors differ between versions
    error.args = (f"{name}\nsecond row",)
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (hub_error("GatedRepoError"), "set HF_TOKEN"),
        (hub_error("RepositoryNotFoundError"), "there is no such dataset, or it is private"),
        (hub_error("RevisionNotFoundError"), "no revision v9; set dataset.revision"),
        (hub_error("HFValidationError"), "write owner/name, or set dataset.root"),
        (OSError("no\nnetwork"), "(OSError: no network); try again online, or set dataset.root"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_downloads_that_fail(monkeypatch, error, words):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    message = refusal(lambda: Hub(name="a/b", revision="v9").lines("train"))
    assert message.startswith("dataset.name=a/b: ") and words in message


def test_offline_and_malformed_names(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    message = refusal(lambda: Hub(name="Teklia/IAM-line").lines("train"))
    assert message.startswith("dataset.name=Teklia/IAM-line: the download failed (LocalEntryNotFoundError")
    assert "write owner/name" in refusal(lambda: Hub(name="./my/folder").lines("train"))


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    message = refusal(lambda: Hub(name="a/b").lines("train"))
    assert message.startswith("dataset.name=a/b: ") and 'pip install "htr-lightning[hub]"' in message


# Memory, and real data


def test_many_rows_are_kept_small(tmp_path):
    number = 20_000
    rows = pa.array([{"bytes": b"x" * 1000, "path": "a.png"}] * number, IMAGE)
    text = [f"un texte de ligne {i}" for i in range(number)]
    pq.write_table(pa.table({"image": rows, "text": text}), tmp_path / "train.parquet", row_group_size=100)
    assert sum(map(len, ids(Hub(str(tmp_path))))) == number
    (tmp_path / "train.parquet").rename(tmp_path / "test.parquet")
    tracemalloc.start()
    lines = Hub(str(tmp_path)).lines("test")
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(lines) == number and kept / number < 600 and peak / number < 800, "bytes for each line"
    assert not any(isinstance(line.image, UnusableImage) for line in lines)


@pytest.mark.parametrize(("name", "counts"), [("IAM-line", [6482, 976, 2915]), ("RIMES-2011-line", None)])
def test_real_lines(name, counts):
    root = Path(os.environ.get("HTR_DATA", "data")) / name
    if not root.is_dir():
        pytest.skip(f"needs {root}, a clone of Teklia/{name}; set HTR_DATA")
    parts = [Hub(str(root)).lines(split) for split in SPLITS]
    assert all(parts) and (counts is None or [len(part) for part in parts] == counts)
    assert all(part[-1].image.read().size for part in parts)


def test_importing_needs_no_torch():
    code = "import sys, htr_lightning.data.sources.hub; print('torch' in sys.modules, 'huggingface_hub' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False False\n"
