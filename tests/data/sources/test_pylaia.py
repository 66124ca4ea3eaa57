import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.typesetting import typeset
from hypothesis import given
from hypothesis import strategies as st

from htr_lightning.data.line import SPLITS
from htr_lightning.data.sources.pylaia import Pylaia
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile, UnusableImage

TEXTS = {
    "train": {"train/im01": "for det tilfælde det", "train/im02": "expl: af <", "train/sub/im03": "«Fru»"},
    "val": {"val/im04": "at opdrive = {"},
    "test": {"test/im05": "# 2 < 3"},
}


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def symbols_of(text: str, space: str = "<space>") -> str:
    return " ".join(space if character == " " else character for character in text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The layout of PyLaia's documentation."""
    symbols = sorted({c for texts in TEXTS.values() for text in texts.values() for c in text} - {" "})
    numbered = enumerate(["<ctc>", *symbols, "<unk>", "<space>"])
    write(tmp_path / "syms.txt", "".join(f"{symbol} {number}\n" for number, symbol in numbered))
    for split, texts in TEXTS.items():
        write(tmp_path / f"{split}.txt", "".join(f"{id} {symbols_of(text)}\n" for id, text in texts.items()))
        write(tmp_path / f"{split}_text.txt", "".join(f"{id} {text}\n" for id, text in texts.items()))
        write(tmp_path / f"{split}_ids.txt", "".join(f"{id}\n" for id in texts))
        for id, text in texts.items():
            path = tmp_path / "images" / f"{id}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            typeset(text).save(path)
    return tmp_path


def small(root: Path, table: str, *ids: str, name: str = "train.txt") -> Path:
    for id in ids:
        write(root / "images" / f"{id}.png", b"")
    return write(root / name, table)


def texts_of(source: Pylaia, split="train") -> dict[str, str]:
    return {line.id: line.text for line in source.lines(split)}


def refusal(call) -> str:
    with pytest.raises(DataError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


# The documented layout


@pytest.mark.parametrize("split", SPLITS)
def test_a_dataset_as_documented_is_read_exactly(root, split, caplog):
    lines = Pylaia(str(root)).lines(split)
    assert {line.id: line.text for line in lines} == TEXTS[split]
    assert [line.image.path for line in lines] == [root / "images" / f"{id}.jpg" for id in TEXTS[split]]
    assert lines[0].image.read().dtype == np.uint8 and lines[0].group == ""
    assert not caplog.records
    assert pickle.loads(pickle.dumps(lines)) == lines


@pytest.mark.parametrize("ending", ["_text", "_eval"])
def test_without_symbols_the_texts_are_taken_as_they_are(root, ending):
    (root / "test.txt").unlink()
    (root / "test_text.txt").rename(root / f"test{ending}.txt")
    assert texts_of(Pylaia(str(root)), "test") == TEXTS["test"]
    assert texts_of(Pylaia(str(root)), "train") == TEXTS["train"]


def test_tables_images_and_symbols_of_other_names(tmp_path):
    small(tmp_path, "a-01 h i @ y o u\n", name="lang/char/tr.txt")
    small(tmp_path, "a-02 h i\n", name="lang/char/va.txt")
    write(tmp_path / "lists/syms", "<eps> 0\nh 1\ni 2\n@ 3\ny 4\no 5\nu 6\n")
    write(tmp_path / "imgs/lines_h128/a-01.png", b"")
    write(tmp_path / "imgs/more/a-02.JPG", b"")
    source = Pylaia(
        str(tmp_path),
        train="lang/char/tr.txt",
        val="lang/char/va.txt",
        img_dirs=["imgs/lines_h128", str(tmp_path / "imgs/more")],
        syms="lists/syms",
        symbols=["@= "],
    )
    assert texts_of(source) == {"a-01": "hi you"} and texts_of(source, "val") == {"a-02": "hi"}
    assert source.lines("val")[0].image.path == tmp_path / "imgs/more/a-02.JPG"
    assert source.lines("test") == []


@pytest.mark.parametrize(
    ("name", "split"), [("tr", "train"), ("Training", "train"), ("dev", "val"), ("va", "val"), ("te", "test")]
)
def test_short_and_long_names_of_splits(tmp_path, name, split):
    small(tmp_path, "x a b\n", "x", name=f"{name}.txt")
    assert texts_of(Pylaia(str(tmp_path)), split) == {"x": "ab"}


def test_ids_may_have_suffixes_or_be_paths_from_the_root_or_absolute(tmp_path):
    other = write(tmp_path / "elsewhere/z.png", b"")
    write(tmp_path / "set/images/a.b.png", b"")
    write(tmp_path / "set/images/c.pbm", b"")
    write(tmp_path / "set/pages/d.jpg", b"")
    root = small(tmp_path / "set", f"a.b x\nc.pbm x\n./pages/d x\n{other} x\n").parent
    paths = [line.image.path for line in Pylaia(str(root)).lines("train")]
    assert paths == [root / "images/a.b.png", root / "images/c.pbm", root / "pages/d.jpg", other]


def test_what_a_table_may_hold_besides(tmp_path):
    small(tmp_path, "\ufeff\r\n# a comment\r\nx   a  <space>\tb\r\n\r\ny ﬁ ch é\r\n", "x", "y")
    assert texts_of(Pylaia(str(tmp_path))) == {"x": "a b", "y": "ﬁché"}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=30))
def test_symbols_are_put_together_to_the_text(tmp_path_factory, text):
    root = tmp_path_factory.mktemp("set")
    small(root, f"x {symbols_of(text + ' ' + text)}\n", "x")
    # Characters that Python takes for spaces beyond those of Unicode are none in a text either.
    assert texts_of(Pylaia(str(root))) == {"x": " ".join(f"{text} {text}".split())}


# Symbols


def test_symbols_that_stand_for_something(tmp_path):
    small(tmp_path, "x a <gap> b = <unk> {sp} c\n", "x")
    message = refusal(lambda: Pylaia(str(tmp_path)).lines("train"))
    assert message.startswith(f"dataset.symbols: {tmp_path}/train.txt: ")
    assert "'<gap>' (1x), '<unk>' (1x), '{sp}' (1x)" in message
    assert 'dataset.symbols=["<gap>="]' in message
    source = Pylaia(str(tmp_path), symbols=["<gap>=", "<unk>=?", "{sp}= ", "==≈"])
    assert texts_of(source) == {"x": "ab≈? c"}


def test_the_space_can_be_another(tmp_path):
    small(tmp_path, "x a <space> b\n", "x")
    assert texts_of(Pylaia(str(tmp_path), symbols=["<space>=_"])) == {"x": "a_b"}


@pytest.mark.parametrize("entry", ["", "=", "<gap>", "a b=c", " =a"])
def test_symbols_that_are_not_said_properly(entry):
    assert refusal(lambda: Pylaia("x", symbols=[entry])).startswith(f"dataset.symbols: {entry!r} ")


def test_texts_without_any_space_are_reported(tmp_path, caplog):
    small(tmp_path, f"x {symbols_of('a long text that has many words', '@')}\n", "x")
    Pylaia(str(tmp_path)).lines("train")
    assert "train.txt: no text contains a space" in caplog.text and 'dataset.symbols=["@= "]' in caplog.text


def test_symbols_that_the_list_lacks_are_reported_and_used(root, caplog):
    write(root / "train.txt", f"train/im01 {symbols_of('for et § and §§')}\n")
    assert Pylaia(str(root)).lines("train")[0].text == "for et § and §§"
    assert f"train.txt: symbols that are not in {root}/syms.txt: '§' (3x), 'n' (1x)" in caplog.text
    caplog.clear()
    Pylaia(str(root), syms="").lines("train")
    assert not caplog.records


def test_texts_in_the_place_of_symbols_are_recognized_by_the_list(root):
    (root / "train_text.txt").replace(root / "words.txt")
    message = refusal(lambda: Pylaia(str(root), train="words.txt").lines("train"))
    assert f"words.txt: most of its symbols are not in {root}/syms.txt, such as 'for' (1x)" in message
    assert "let its name end in _text" in message and "and 1 others" in message


@pytest.mark.parametrize("content", ["a\n", "a b\n", "a 1 2\n"])
def test_lists_of_symbols_that_are_none(root, content):
    write(root / "syms.txt", f"<ctc> 0\n{content}")
    assert "syms.txt: row 2 is not a symbol and its number" in refusal(lambda: Pylaia(str(root)).lines("train"))


# Unusable lines


def test_unusable_lines_are_named_not_lost(tmp_path):
    table = "x a b\nno_text\nno_image a\nboth b\n../out c\n"
    path = small(tmp_path, table, "x", "no_text", "both")
    write(tmp_path / "images/both.jpg", b"")
    ids = write(tmp_path / "train_ids.txt", "x\nonly_listed\n\nno_image\n")
    lines = {line.id: line.image for line in Pylaia(str(tmp_path)).lines("train")}
    assert isinstance(lines.pop("x"), ImageFile)
    images = tmp_path / "images"
    reasons = {id: image.reason for id, image in lines.items() if isinstance(image, UnusableImage)}
    expected = {
        "no_text": f"{path}: row 2: there is no text for no_text",
        "no_image": f"{path}: row 3: there is no image no_image (.png, .jpg ...) in {images} or {tmp_path}",
        "both": f"{path}: row 4: the image both could be both.jpg or both.png in {images}",
        "../out": f"{path}: row 5: the image ../out is outside the dataset's folder",
        "only_listed": f"{ids}: row 2 lists only_listed, which has no text in train.txt",
    }
    assert reasons.keys() == expected.keys()
    assert all(reasons[id].startswith(f"{problem}; ") for id, problem in expected.items())
    with pytest.raises(DataError, match="row 2: there is no text"):
        lines["no_text"].read()


# Errors


def test_missing_root_and_tables(tmp_path):
    message = refusal(lambda: Pylaia(str(tmp_path / "no")).lines("train"))
    assert "there is no such folder" in message and "dataset.root" in message
    assert "not a folder" in refusal(lambda: Pylaia(str(write(tmp_path / "f", ""))).lines("train"))
    assert "no table train.txt, val.txt or test.txt" in refusal(lambda: Pylaia(str(tmp_path)).lines("train"))
    source = Pylaia(str(tmp_path), train="tr.lst")
    assert "tr.lst: there is no such file" in refusal(lambda: source.lines("train"))


def test_two_tables_of_a_split(tmp_path):
    small(tmp_path, "x a\n", "x")
    small(tmp_path, "x a\n", name="tr.txt")
    message = refusal(lambda: Pylaia(str(tmp_path)).lines("train"))
    assert "tr.txt and train.txt are both tables of train; set dataset.train" in message
    assert texts_of(Pylaia(str(tmp_path), train="tr.txt")) == {"x": "a"}


def test_the_same_id_twice_and_other_encodings(tmp_path):
    small(tmp_path, "x a\n\nx b\n", "x")
    assert "train.txt: rows 1 and 3 both have the image x" in refusal(lambda: Pylaia(str(tmp_path)).lines("train"))
    write(tmp_path / "train.txt", "x é\n".encode("latin-1"))
    assert "train.txt: row 1 is not UTF-8 (byte 0xE9)" in refusal(lambda: Pylaia(str(tmp_path)).lines("train"))


def test_missing_folder_of_images_and_list_of_symbols(tmp_path):
    small(tmp_path, "x a\n", "x")
    source = Pylaia(str(tmp_path), img_dirs=["imgs"])
    message = refusal(lambda: source.lines("train"))
    assert message.startswith(f"dataset.img_dirs: {tmp_path}/imgs: there is no such folder")
    source = Pylaia(str(tmp_path), syms="s.txt")
    assert "s.txt: there is no such file" in refusal(lambda: source.lines("train"))


@pytest.mark.skipif(sys.platform == "win32", reason="chmod does not forbid reading there")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_folder_of_images_that_may_not_be_read(tmp_path):
    small(tmp_path, "x a\n", "x")
    (tmp_path / "images").chmod(0)
    assert "images: cannot be read" in refusal(lambda: Pylaia(str(tmp_path)).lines("train"))
    (tmp_path / "images").chmod(0o755)


def test_importing_needs_no_torch():
    code = "import sys, htr_lightning.data.sources.pylaia; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_other_spellings_and_names_of_images(tmp_path, caplog):
    small(tmp_path, "A x\nsub\\b y\nlost z\nre-named w\n", "a", "sub/b", "renamed")
    lines = {line.id: line.image for line in Pylaia(str(tmp_path), image_names=[["re-", "re"]]).lines("train")}
    assert [isinstance(image, ImageFile) for image in lines.values()] == [True, True, False, True]
    assert "1 image of train not found, such as lost; no image has a similar name" in caplog.text
