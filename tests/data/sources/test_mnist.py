import gzip
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from htr_lightning.data.line import SPLITS
from htr_lightning.data.sources.mnist import Mnist, MnistImage
from htr_lightning.image.files import DataError

NUM_TRAIN, NUM_TEST = 40, 12
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", NUM_TRAIN),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", NUM_TEST),
}


def digit_image(index: int, digit: int) -> np.ndarray:
    """A block of ink in columns 10..(11 + digit), rows 5..22; its darkness identifies the image."""
    image = np.zeros((28, 28), dtype=np.uint8)
    image[5:23, 10 : 12 + digit] = 100 + index
    return image


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for part, (images, texts, num) in FILES.items():
        digits = [(i + (part == "test")) % 10 for i in range(num)]
        pixels = np.stack([digit_image(i, d) for i, d in enumerate(digits)])
        (folder / images).write_bytes(struct.pack(">4I", 0x803, num, 28, 28) + pixels.tobytes())
        (folder / texts).write_bytes(struct.pack(">2I", 0x801, num) + bytes(digits))
    return tmp_path


def refusal(call) -> str:
    with pytest.raises(DataError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def digits_in(line, split):
    """Return the indices of the digits in the idx file that a line consists of."""
    assert line.image.path.name == FILES["test" if split == "test" else "train"][0]
    return set(line.image.indices)


def test_every_digit_is_a_line(root):
    source = Mnist(str(root), num_val=10)
    parts = {s: source.lines(s) for s in SPLITS}
    assert [len(parts[s]) for s in SPLITS] == [30, 10, 12]
    assert [line.text for line in parts["val"]] == [str(i % 10) for i in range(30, 40)]
    assert parts["test"][0].text == "1"
    assert parts["train"][29].image.indices == (29,) and parts["val"][0].image.indices == (30,)
    assert len({line.id for part in parts.values() for line in part}) == 52


def test_pixels_are_dark_ink_on_white_paper(root):
    pixels = Mnist(str(root), num_val=10).lines("train")[7].image.read()
    assert (pixels.dtype, pixels.shape, pixels.flags.c_contiguous) == (np.uint8, (28, 28), True)
    assert np.array_equal(pixels, 255 - digit_image(7, 7))


def test_compressed_files_read_alike(root):
    plain = [(line.text, line.image.read()) for line in Mnist(str(root), num_val=10).lines("test")]
    for path in (root / "MNIST/raw").iterdir():
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    for (text, pixels), line in zip(plain, Mnist(str(root), num_val=10).lines("test"), strict=True):
        assert line.image.path.suffix == ".gz"
        assert text == line.text and np.array_equal(pixels, line.image.read())


def test_strings_are_made_from_the_digits_of_their_split(root):
    source = Mnist(str(root), num_val=10, digits_per_line=[2, 5], num_train_lines=200, num_test_lines=0)
    train, val = source.lines("train"), source.lines("val")
    assert [len(train), len(val), len(source.lines("test"))] == [200, 10, 0]
    assert {len(line.text) for line in train} == {2, 3, 4, 5}
    assert set().union(*(digits_in(line, "train") for line in train)) == set(range(30))
    assert set().union(*(digits_in(line, "val") for line in val)) <= set(range(30, 40))
    assert all(line.text == "".join(str(i % 10) for i in line.image.indices) for line in train + val)
    for line in train[:20]:
        shades = {255 - int(v) for v in np.unique(line.image.read())} - {0}
        assert shades <= {100 + i for i in line.image.indices}


def test_strings_are_repeatable_and_do_not_change_with_their_number(root):
    def make(**changed):
        return Mnist(str(root), num_val=10, **{"digits_per_line": [1, 6], "num_train_lines": 50, **changed}).lines(
            "train"
        )

    assert make() == make()
    assert make(num_train_lines=80)[:50] == make()
    assert make(seed=2) != make()


def test_a_string_lies_where_its_numbers_say(root):
    path = root / "MNIST/raw/train-images-idx3-ubyte"
    # Widths 2, 4 and 5 px; margin 4, gap 3; the second gap is bounded by half of the narrower digit: -2.
    pixels = MnistImage(path, (0, 2, 3), (3, -20), (0, -4, 99)).read()
    ink = np.zeros((28, 4 + 2 + 3 + 4 - 2 + 5 + 4), dtype=np.uint8)
    ink[5:23, 4:6] = 100
    ink[1:19, 9:13] = 102
    ink[10:28, 11:16] = 103  # moved by 5, not 99: no ink is lost
    ink[10:19, 11:13] = 103  # the darker ink shows
    assert np.array_equal(pixels, 255 - ink)


def test_images_are_small_and_go_to_other_processes(root):
    lines = Mnist(str(root), num_val=10, digits_per_line=[2, 5]).lines("train")
    lines[0].image.read()
    assert len(pickle.dumps(lines[0])) < 1000
    assert pickle.loads(pickle.dumps(lines[0])).image.read().shape == lines[0].image.read().shape


def test_fingerprints_tell_lines_apart_and_notice_changed_files(root):
    lines = Mnist(str(root), num_val=10, digits_per_line=[2, 5]).lines("train")
    prints = [line.image.fingerprint for line in lines]
    assert len(set(prints)) == len(prints)
    os.utime(lines[0].image.path, ns=(1, 1))
    assert lines[0].image.fingerprint != prints[0]
    assert MnistImage(root / "none", (0,)).fingerprint.count(":absent:") == 1


def test_missing_files_name_folder_and_remedy(tmp_path):
    message = refusal(lambda: Mnist(str(tmp_path)).lines("train"))
    assert str(tmp_path / "MNIST" / "raw") in message and "dataset.download=true" in message


def test_a_download_is_asked_for_only_where_something_is_missing(root, monkeypatch):
    calls = []

    class FakeMnist:
        def __init__(self, folder, download):
            calls.append((folder, download))
            raise RuntimeError("no network")

    monkeypatch.setattr("torchvision.datasets.MNIST", FakeMnist)
    Mnist(str(root), num_val=10, download=True).lines("train")
    assert calls == []
    (root / "MNIST/raw/t10k-labels-idx1-ubyte").unlink()
    assert "no network" in refusal(lambda: Mnist(str(root), num_val=10, download=True).lines("test"))
    assert calls == [(str(root), True)]
    refusal(lambda: Mnist(str(root), num_val=10).lines("test"))
    assert len(calls) == 1


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    "damage",
    [lambda b: b[:-1], lambda b: b[:10], lambda b: b"", lambda b: b"<html>" + b, lambda b: b + b"x"],
    ids=["cut", "header", "empty", "page", "long"],
)
def test_damaged_files_are_refused(root, damage, suffix):
    path = root / "MNIST/raw/train-images-idx3-ubyte"
    content = damage(path.read_bytes())
    path.unlink()
    path = path.with_name(path.name + suffix)
    path.write_bytes(gzip.compress(content) if suffix else content)
    message = refusal(lambda: Mnist(str(root), num_val=10).lines("train"))
    assert message.startswith(f"{path}: ") and "download the file again" in message


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-20], lambda b: b[:60] + b"\xff" * 20 + b[80:]], ids=["cut", "garbled"]
)
def test_damaged_archives_are_refused(root, damage):
    path = root / "MNIST/raw/train-images-idx3-ubyte"
    archive = path.with_name(path.name + ".gz")
    archive.write_bytes(damage(gzip.compress(path.read_bytes())))
    path.unlink()
    assert "cannot be read" in refusal(lambda: Mnist(str(root), num_val=10).lines("train"))


@pytest.mark.parametrize("count", [40, 2**32 - 1])
def test_an_archive_is_unpacked_only_as_far_as_its_header_says(root, count):
    path = root / "MNIST/raw/train-images-idx3-ubyte"
    archive = path.with_name(path.name + ".gz")
    archive.write_bytes(gzip.compress(struct.pack(">4I", 0x803, count, 28, 28) + bytes(10_000_000)))
    path.unlink()
    assert str(archive) in refusal(lambda: Mnist(str(root), num_val=10).lines("train"))


def test_files_that_do_not_belong_together_are_refused(root):
    path = root / "MNIST/raw/train-labels-idx1-ubyte"
    path.write_bytes(struct.pack(">2I", 0x801, 3) + bytes(3))
    assert "one image for each label" in refusal(lambda: Mnist(str(root), num_val=1).lines("train"))


def test_a_file_that_went_away_is_named(root, tmp_path):
    assert "has disappeared" in refusal(MnistImage(tmp_path / "gone", (0,)).read)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"num_val": 40}, "num_val"),
        ({"num_val": -1}, "num_val"),
        ({"num_val": 10, "num_train_lines": 31}, "num_train_lines"),
        ({"digits_per_line": [0, 3]}, "digits_per_line"),
        ({"digits_per_line": [4, 3]}, "digits_per_line"),
        ({"digits_per_line": [4]}, "digits_per_line"),
        ({"spacing_px": [3, 2]}, "spacing_px"),
        ({"jitter_px": -1}, "jitter_px"),
        ({"seed": -1}, "seed"),
    ],
)
def test_arguments_out_of_range(root, arguments, word):
    assert refusal(lambda: Mnist(str(root), **arguments).lines("train")).startswith(f"dataset.{word}=")


def test_real_digits():
    root = Path(os.environ.get("HTR_DATA", "data")) / "mnist"
    if not root.is_dir():
        pytest.skip(f"needs {root}; set HTR_DATA")
    source = Mnist(str(root))
    assert [len(source.lines(s)) for s in SPLITS] == [55000, 5000, 10000]
    assert "".join(line.text for line in source.lines("train")[:8]) == "50419213"
    string = Mnist(str(root), digits_per_line=[8, 8], num_test_lines=1).lines("test")[0].image.read()
    assert string.shape[0] == 28 and 60 < string.shape[1] < 240
    assert (string[:, :4] == 255).all() and (string[:, -4:] == 255).all()


def test_importing_needs_no_torch():
    code = "import sys, htr_lightning.data.sources.mnist; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
