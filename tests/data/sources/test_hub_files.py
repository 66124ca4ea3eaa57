from pathlib import Path

import pytest

from htr_lightning.data.sources.hub_files import Subset, find_split_files, find_subset, group_by_split, match_files
from htr_lightning.image.files import DataError


def repository(root: Path, *names: str, card: str | None = None) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    if card is not None:
        (root / "README.md").write_text(f"---\n{card}\n---\n\n# A dataset\n---\nconfigs: not the head\n")
    return root


def splits(root: Path, subset: str | None = None) -> dict[str, list[str]]:
    found = group_by_split(root, find_split_files(root, find_subset(root, subset)))
    return {split: [path.relative_to(root).as_posix() for path in paths] for split, paths in found.items()}


def refusal(call) -> str:
    with pytest.raises(DataError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


# By names


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train.parquet", "validation.parquet", "test.parquet"),
        ("data/train.parquet", "data/val.parquet", "data/test.parquet"),
        ("data/train-00000-of-00001.parquet", "data/dev-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),
        ("data/train-00000-of-00001-9.parquet", "data/val-00000-of-00001.parquet", "data/eval-00000-of-00001.parquet"),
        ("train/0000.parquet", "dev/0000.parquet", "test/0000.parquet"),
        ("data/train/a/b.parquet", "data/validation/test.parquet", "data/test/train.parquet"),
        ("default/train/0000.parquet", "default/validation/0000.parquet", "default/test/0000.parquet"),
        ("my_train_file_00.parquet", "00.valid.parquet", "iam test (2).parquet"),
        ("Training.parquet", "DEV.parquet", "evaluation.PARQUET"),
        ("x/training-data/1.parquet", "x/dev data/1.parquet", "testing2/1.parquet"),
    ],
)
def test_names_that_say_the_split(tmp_path, train, val, test):
    repository(tmp_path, train, val, test, "README.txt", ".cache/train/x.parquet", "train.csv")
    assert splits(tmp_path) == {"train": [train], "val": [val], "test": [test]}


def test_shards_come_in_their_order(tmp_path):
    names = [f"data/train-{i:05d}-of-00012.parquet" for i in range(12)]
    assert splits(repository(tmp_path, *reversed(names))) == {"train": names}


def test_names_that_say_nothing_are_all_of_train(tmp_path):
    repository(tmp_path, "b.parquet", "a/trainer.parquet", "latest.parquet")
    assert splits(tmp_path) == {"train": ["a/trainer.parquet", "b.parquet", "latest.parquet"]}


def test_what_is_of_no_split_is_reported(tmp_path, caplog):
    repository(tmp_path, "data/train-00000-of-00001.parquet", "data/train_easy-00000-of-00001.parquet", "test.parquet")
    assert splits(tmp_path) == {"train": ["data/train-00000-of-00001.parquet"]}
    assert f"{tmp_path}: ignored, since they belong to no split: test.parquet, train_easy" in caplog.text


def test_splits_that_go_by_other_names(tmp_path):
    repository(tmp_path, "data/easy-00000-of-00001.parquet", "data/hard-00000-of-00001.parquet")
    message = refusal(lambda: splits(tmp_path))
    assert message.startswith(f"{tmp_path}: ") and "easy, hard" in message
    assert "dataset.train=data/part1-*.parquet" in message


def test_names_that_contradict_themselves(tmp_path):
    repository(tmp_path, "train_test.parquet", "dev.parquet")
    assert "the name train_test could mean test or train" in refusal(lambda: splits(tmp_path))


def test_no_parquet_at_all(tmp_path):
    message = refusal(lambda: splits(repository(tmp_path, "train.csv")))
    assert message.startswith(f"{tmp_path}: ") and "dataset=lines" in message


# By the card


@pytest.mark.parametrize(
    "files",
    [
        "[{split: train, path: data/a*}, {split: validation, path: data/b.parquet}, {split: test, path: [c, d]}]",
        "[{split: train, path: 'data/a[12].*'}, {split: dev, path: data/b*}, {split: test, path: ['**/x.p*', c/**]}]",
        "{train: data/a*, validation: data/b*, test: [c/, d/**/*.parquet]}",
        "\n  - split: train\n    path:\n    - data/a1.parquet\n    - data/a2.parquet\n"
        "  - split: val\n    path: data/b**\n  - split: test\n    path: '[cd]/**.parquet'",
    ],
)
def test_the_card_is_believed(tmp_path, files):
    names = ["data/a1.parquet", "data/a2.parquet", "data/b.parquet", "c/1/test.parquet", "d/x.parquet", "train.parquet"]
    repository(tmp_path, *names, "c/1/x.png", card=f"configs:\n- config_name: default\n  data_files: {files}")
    assert splits(tmp_path) == {"train": names[:2], "val": names[2:3], "test": names[3:5]}


@pytest.mark.parametrize("files", ["'*.parquet'", "[a.parquet, b.parquet]", "{train: [a.parquet, b.parquet]}"])
def test_files_without_split_are_of_train(tmp_path, files):
    repository(tmp_path, "a.parquet", "b.parquet", card=f"configs:\n- data_files: {files}")
    assert splits(tmp_path) == {"train": ["a.parquet", "b.parquet"]}


def test_a_card_that_is_silent_about_files_leaves_them_to_their_names(tmp_path):
    for card in ("license: mit", "configs: [default]", "- a list", "", "configs:\n- config_name: default"):
        repository(tmp_path, "train.parquet", "dev.parquet", card=card)
        assert splits(tmp_path) == {"train": ["train.parquet"], "val": ["dev.parquet"]}
    (tmp_path / "README.md").write_text("No head\n---\nconfigs: 1\n---\n")
    assert len(splits(tmp_path)) == 2


SUBSETS = "configs:\n- config_name: en\n  data_dir: en\n- config_name: fr\n  data_dir: fr/\n  data_files: {train: t*}\n"


def test_subsets(tmp_path):
    names = ["en/train.parquet", "en/test.parquet", "fr/t1.parquet", "de/train.parquet"]
    repository(tmp_path, *names, card=SUBSETS)
    assert splits(tmp_path, "en") == {"train": names[:1], "test": names[1:2]}
    assert splits(tmp_path, "fr") == {"train": names[2:3]}
    assert splits(tmp_path, "de") == {"train": names[3:]}
    message = refusal(lambda: splits(tmp_path))
    assert message.startswith(f"{tmp_path}/README.md: ") and "set dataset.subset to one of en, fr" in message
    message = refusal(lambda: splits(tmp_path, "it"))
    assert message.startswith(f"dataset.subset=it: {tmp_path}/README.md: ") and "choose from en, fr" in message
    for chosen in ("- config_name: default\n  data_dir: de", "- config_name: x\n  default: true\n  data_dir: de"):
        repository(tmp_path, card=SUBSETS + chosen)
        assert splits(tmp_path) == {"train": names[3:]}


def test_subsets_without_a_card_are_folders(tmp_path):
    repository(tmp_path, "en/train.parquet", "fr/train.parquet")
    assert splits(tmp_path, "fr/") == {"train": ["fr/train.parquet"]}
    assert "it: there is no such folder; set dataset.subset" in refusal(lambda: splits(tmp_path, "it"))
    assert "../x of the subset is outside" in refusal(lambda: splits(tmp_path, "../x"))


def test_downloads_match_more_than_what_is_used(tmp_path):
    subset = Subset("fr", {"train": ["data/**/a*.parquet", "b"]})
    assert subset.download_patterns[0] in ("fr/data/**/a*.parquet", "fr/data/*a*.parquet")
    assert {"fr/data/*a*.parquet", "fr/b", "fr/b/*"} <= {*subset.download_patterns}
    assert Subset("fr").download_patterns == ["fr/*.parquet"] and Subset().download_patterns == ["*.parquet"]


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("configs: [", "README.md: the header is not YAML ("),
        ("configs:\n- data_files: [{split: train}]", "data_files of the subset default is neither a path"),
        ("configs:\n- data_files: [{path: a}]", "data_files of the subset default is neither a path"),
        ("configs:\n- config_name: x\n  data_files: 7", "data_files of the subset x is neither a path"),
        ("configs:\n- data_files: [{split: train, path: a}, b]", "data_files of the subset default is neither a path"),
        ("configs:\n- data_files: b.csv", "no Parquet files (.parquet) where its README.md"),
        ("configs:\n- data_files: '../*.parquet'", "the files ../*.parquet are outside"),
        ("configs:\n- data_files: 'https://x/a.parquet'", "the files https://x/a.parquet are outside"),
        ("configs:\n- data_dir: ../x", "../x of the subset is outside"),
        (
            "configs:\n- data_files: {train: '*.parquet', test: a.parquet}",
            "a.parquet: the file belongs to both train and test",
        ),
    ],
)
def test_cards_that_cannot_be_followed(tmp_path, card, words):
    repository(tmp_path, "a.parquet", "b.csv", card=card)
    assert words in refusal(lambda: splits(tmp_path))


def test_files_that_the_card_names_in_vain_are_reported(tmp_path, caplog):
    repository(tmp_path, "a.parquet", card="configs:\n- data_files: {train: a*, test: b*, extra: a*}")
    assert splits(tmp_path) == {"train": ["a.parquet"]}
    assert "belong to no split: test (no files), extra" in caplog.text


def test_patterns(tmp_path):
    repository(tmp_path, "a/b/c.parquet", "a/d.parquet", "a/e.txt")
    for pattern in ("a", "a/", "a/**", "**", "**/*.parquet", "a/**/*.parquet", ".", ""):
        assert [path.name for path in match_files(tmp_path, [pattern])] == ["c.parquet", "d.parquet"]
    assert [path.name for path in match_files(tmp_path, ["a/*", "a/b/?.parquet"])] == ["c.parquet", "d.parquet"]
