import io
import pickle
import random
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.typesetting import texts, typeset
from hypothesis import given, settings
from hypothesis import strategies as st

from htr_lightning.data.sources.parquet import ParquetColumns, read_parquet_rows
from htr_lightning.data.sources.parquet_images import ParquetImage
from htr_lightning.image.decode import decode_image, read_image
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile, UnusableImage

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def png(text: str) -> bytes:
    file = io.BytesIO()
    typeset(text).save(file, "PNG")
    return file.getvalue()


def pixels(text: str) -> np.ndarray:
    return np.asarray(typeset(text))


def images(values: list[str | None], type=IMAGE) -> pa.Array:
    rows = [None if text is None else {"bytes": png(text), "path": f"{text}.png"} for text in values]
    if not pa.types.is_struct(type):
        return pa.array([row and row["bytes"] for row in rows], type)
    fields = [field.name for field in type]
    return pa.array([row and {name: row[name] for name in fields} for row in rows], type)


def write(path: Path, columns: dict, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def lines_of(path: Path, root: Path | None = None, **columns):
    return [line for line, _ in read_parquet_rows(path, root or path.parent, ParquetColumns(**columns))]


def refusal(call) -> str:
    with pytest.raises(DataError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


# Rows


def test_rows_are_read_exactly(tmp_path):
    path = write(
        tmp_path / "data/train.parquet",
        {"image": images(["un", "deux"]), "text": ["un  chat\n", "deux"], "page": [7, None], "part": ["a", None]},
    )
    rows = list(read_parquet_rows(path, tmp_path, ParquetColumns(split="part")))
    assert [(line.id, line.text, line.group, split) for line, split in rows] == [
        ("data/train.parquet:0", "un chat", "7", "a"),
        ("data/train.parquet:1", "deux", "", None),
    ]
    for (line, _), text in zip(rows, ("un", "deux"), strict=True):
        assert np.array_equal(line.image.read(), pixels(text))
    assert lines_of(path, group="") == [
        line.__class__(f"train.parquet:{i}", line.image, line.text) for i, (line, _) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    "type",
    [
        pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string())]),
        pa.struct([("path", pa.string()), ("bytes", pa.binary())]),
        pa.struct([("bytes", pa.binary())]),
        pa.binary(),
        pa.large_binary(),
        pa.dictionary(pa.int32(), pa.binary()),
    ],
    ids=str,
)
@pytest.mark.parametrize("text_type", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_every_way_to_store_images_and_texts(tmp_path, type, text_type):
    values = texts(5)
    path = write(tmp_path / "a.parquet", {"image": images(values, type), "text": pa.array(values, text_type)})
    lines = lines_of(path)
    assert [line.text for line in lines] == values
    assert all(np.array_equal(line.image.read(), pixels(line.text)) for line in lines)


def test_the_column_of_images_is_found(tmp_path):
    path = write(tmp_path / "a.parquet", {"text": ["a"], "im": images(["a"]), "shelfmark": ["m"]})
    assert lines_of(path)[0].image == ParquetImage(path, "im", 0)
    assert lines_of(path, image="im", group="shelfmark")[0].group == "m"
    path = write(tmp_path / "b.parquet", {"text": ["a"], "im": images(["a"]), "seal": images(["b"])})
    message = refusal(lambda: lines_of(path))
    assert message.startswith(f"dataset.image_column=image: {path}: ") and "text, im, seal" in message


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_rows_come_in_any_order_from_row_groups_of_any_size(tmp_path_factory, data):
    values = texts(data.draw(st.integers(1, 100)))
    path = tmp_path_factory.mktemp("rows") / "a.parquet"
    columns = {"image": images(values), "text": values}
    write(path, columns, row_group_size=data.draw(st.integers(1, 120)), data_page_size=data.draw(st.integers(1, 9999)))
    lines = lines_of(path)
    for index in data.draw(st.lists(st.integers(0, len(values) - 1), max_size=20)):
        assert np.array_equal(lines[index].image.read(), pixels(values[index]))


def test_threads_get_their_own_rows(tmp_path):
    values = texts(60)
    lines = lines_of(write(tmp_path / "a.parquet", {"image": images(values), "text": values}))
    wrong = []

    def read(seed: int) -> None:
        for line in random.Random(seed).sample(lines, 30):
            wrong.extend([] if np.array_equal(line.image.read(), pixels(line.text)) else [line.id])

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not wrong


def test_a_changed_file_is_read_anew_and_has_another_fingerprint(tmp_path):
    path = write(tmp_path / "a.parquet", {"image": images(["un", "un"]), "text": ["un", "un"]})
    first, second = (line.image for line in lines_of(path))
    assert first.fingerprint != second.fingerprint and pickle.loads(pickle.dumps(first)) == first
    assert np.array_equal(second.read(), pixels("un"))
    before = first.fingerprint
    write(path, {"image": images(["deux"]), "text": ["deux"]})
    assert first.fingerprint != before and np.array_equal(first.read(), pixels("deux"))
    assert refusal(second.read).startswith(f"{path}:1: the file has changed and has no such row any more")
    write(path, {"im": images(["deux"]), "text": ["deux"]})
    assert "has no column 'image' any more" in refusal(first.read)
    path.unlink()
    assert first.fingerprint.count(":absent:") == 1 and "cannot be read any more" in refusal(first.read)


# Image files


@pytest.mark.parametrize("type", [IMAGE, pa.struct([("path", pa.string())]), pa.string()], ids=str)
def test_images_beside_the_file(tmp_path, type):
    names = [
        "a.png",
        "data/b.png",
        "images/c.png",
        "gone.png",
        "../x.png",
        str(tmp_path / "x.png"),
        None,
        "https://x/y",
    ]
    for name in ("set/data/a.png", "set/data/b.png", "set/images/c.png", "x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png(name))
    root = tmp_path / "set"
    rows = [name if pa.types.is_string(type) else {"path": name} for name in names]
    path = write(root / "data/a.parquet", {"image": pa.array(rows, type), "text": ["t"] * len(rows)})
    found = [line.image for line in lines_of(path, root, image="image")]
    assert found[:3] == [ImageFile(root / f"{n}.png") for n in ("data/a", "data/b", "images/c")]
    assert np.array_equal(found[0].read(), pixels("set/data/a.png"))
    expected = [
        f"the row has the image {root}/data/gone.png, which does not exist",
        f"the row has the image {root}/x.png, which does not exist",
        f"the row has the image {tmp_path}/x.png, which is outside {root}",
        "the row has neither an image nor the path of one",
        "the row has only the address https://x/y",
    ]
    for row, (image, problem) in enumerate(zip(found[3:], expected, strict=True), 3):
        assert isinstance(image, UnusableImage) and image.reason.startswith(f"{path}:{row}: {problem}")


def test_images_outside_are_not_read_from_a_root_that_is_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    monkeypatch.chdir(tmp_path / "set")
    (tmp_path / "x.png").write_bytes(png("x"))
    path = write(Path("a.parquet"), {"image": ["../x.png"], "text": ["t"]})
    [line] = lines_of(path, Path())
    assert "is outside .;" in line.image.reason and line.id == "a.parquet:0"


# Unusable rows


def test_unusable_rows_are_named(tmp_path):
    rows = [{"bytes": b"no image", "path": "a.png"}, {"bytes": b"", "path": ""}, {"bytes": None, "path": "a.png"}, None]
    rows += [{"bytes": png("a"), "path": None}] * 2
    path = write(tmp_path / "a.parquet", {"image": pa.array(rows, IMAGE), "text": ["t"] * 4 + [None, "t"]})
    lines = lines_of(path)
    assert [line.text for line in lines] == ["t"] * 4 + ["", "t"]
    assert refusal(lines[0].image.read).startswith(f"{path}:0: not an image")
    assert refusal(lines[1].image.read).startswith(f"{path}:1: the image is empty (0 bytes)")
    for row in (2, 3):
        assert refusal(lines[row].image.read).startswith(f"{path}:{row}: the row has no image in the column 'image'")
    assert refusal(lines[4].image.read).startswith(f"{path}:4: the row has no text")
    with pytest.raises(DataError, match=r"a.parquet:5: .* more than preprocess.max_pixels=64"):
        lines[5].image.read(64)


def test_decoding_bytes_is_decoding_files(tmp_path):
    path = tmp_path / "a.png"
    typeset("abc").convert("LA").save(path)
    assert np.array_equal(decode_image(path.read_bytes(), "x"), read_image(path))
    assert refusal(lambda: decode_image(path.read_bytes()[:-40], "x:1")).startswith("x:1: the image is truncated")


# Unusable files


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"image": "n"}, "the type int64"),
        ({"text": "txt"}, "no such column"),
        ({"text": "n"}, "the type int64"),
        ({"text": "image"}, "the type struct<bytes: binary, path: string>"),
        ({"group": "hand"}, "no such column"),
        ({"group": "image"}, "the type struct<bytes: binary, path: string>"),
        ({"split": "part"}, "no such column"),
    ],
)
def test_columns_that_are_missing_or_hold_something_else(tmp_path, columns, words):
    path = write(tmp_path / "a.parquet", {"image": images(["a"]), "text": ["a"], "n": [1]})
    message = refusal(lambda: lines_of(path, **columns))
    [(role, name)] = columns.items()
    assert message.startswith(f"dataset.{role}_column={name}: {path}: ") and words in message
    assert "choose from the columns image, text, n" in message


def test_files_that_are_no_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    assert refusal(lambda: lines_of(path)) == f"{path}: there is no such file; check the path"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0d11590e21f9\nsize 237201\n")
    assert "this is only a Git LFS pointer" in refusal(lambda: lines_of(path))
    for content in (b"", b"PAR1 and so on", write(path, {"image": images(["a"]), "text": ["a"]}).read_bytes()[:-9]):
        path.write_bytes(content)
        assert f"{path}: the file is damaged or not Parquet (" in refusal(lambda: lines_of(path))


def test_texts_that_are_not_utf_8(tmp_path):
    text = pa.array([b"a", b"\xe9"], pa.binary()).view(pa.string())
    path = write(tmp_path / "a.parquet", {"image": images(["a", "b"]), "text": text})
    assert refusal(lambda: lines_of(path)).startswith(f"{path}: a text after row 0 is not UTF-8")


def test_damage_among_the_images_is_told_by_every_row_behind_it_at_once(tmp_path):
    values = [f"{i}" for i in range(3000)]
    column = pa.array([{"bytes": random.Random(i).randbytes(9000), "path": ""} for i in range(3000)], IMAGE)
    path = write(tmp_path / "a.parquet", {"image": column, "text": values}, compression="snappy", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 20_000] = b"\xff" * 20_000
    path.write_bytes(content)
    lines = lines_of(path)
    assert len(lines) == 3000 and "not an image" in refusal(lines[0].image.read)
    start = time.process_time()
    reasons = [refusal(line.image.read) for line in lines[1000:]]
    assert time.process_time() - start < 3
    assert "is damaged or not Parquet" in reasons[-1] and "not an image" in refusal(lines[0].image.read)


def test_a_file_that_states_more_rows_than_bytes_is_refused(tmp_path: Path) -> None:
    nothing = {"image": pa.nulls(1_000_000, pa.binary()), "text": pa.nulls(1_000_000, pa.string())}
    path = write(tmp_path / "a.parquet", nothing)
    assert path.stat().st_size < 10_000
    assert "states 1,000,000 rows" in refusal(lambda: lines_of(path))


def test_a_name_with_a_line_break_is_written_on_one_line(tmp_path):
    path = write(tmp_path / "a.parquet", {"image": ["a\nb.png", "http://x/a\nb", "../../a\n.png"], "text": ["x"] * 3})
    for line in lines_of(path):
        assert "<U+000A>" in refusal(line.image.read)
