import contextlib
import errno
import hashlib
import io
import json
import logging
import os
import pickle
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from filelock import FileLock
from PIL import Image

from htr_lightning.data.line import Line
from htr_lightning.data.pack import _lock, fingerprint, pack
from htr_lightning.data.packed_lines import END, FORMAT, MARK, SCHEMA, PackedLines
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.preprocess import Preprocess

PREPROCESS = Preprocess(height_px=16, contrast=False)


@dataclass(frozen=True)
class Stripes:
    """A line image with a pattern of its own, so that lines cannot be confused."""

    number: int
    version: int = 0

    @property
    def fingerprint(self) -> str:
        return f"{self.number}-{self.version}"

    def read(self, max_pixels: int = 0) -> np.ndarray:
        if self.number == 13:
            raise DataError("stripes 13: bad luck")
        image = np.full((16, 40 + self.number % 50), 255, np.uint8)
        image[self.number % 16, :15] = 0
        return image


def stripes(number: int, version: int = 0) -> list[Line]:
    return [Line(f"id{i}", Stripes(i, version), f"text {i}", f"g{i % 3}") for i in range(number)]


@pytest.mark.parametrize("num_workers", [1, 2])
def test_lines_come_back_in_order_with_their_pixels(tmp_path: Path, num_workers: int) -> None:
    lines = stripes(600)
    packed = pack(lines, PREPROCESS, tmp_path, num_workers=num_workers)
    kept = [line for line in lines if line.id != "id13"]
    assert len(packed) == 599
    assert list(packed.column("id")) == [line.id for line in kept]
    for index in (0, 12, 13, 127, 128, 300, 598):
        line = packed[index]
        assert (line.id, line.text, line.group) == (kept[index].id, kept[index].text, kept[index].group)
        np.testing.assert_array_equal(line.pixels, PREPROCESS(kept[index].image.read()))
        assert packed.widths[index] == line.pixels.shape[1]
    assert [(s.id, s.reason) for s in packed.skipped] == [("id13", "id13: stripes 13: bad luck")]


def test_stated_directions_are_kept_and_files_without_them_are_read(tmp_path: Path) -> None:
    plain = stripes(2)
    stated = [replace(line, direction="rtl") for line in plain]
    packed = pack(stated, PREPROCESS, tmp_path / "a")
    assert list(packed.column("direction")) == ["rtl", "rtl"] and packed[1].direction == "rtl"
    assert fingerprint(plain, PREPROCESS) != fingerprint(stated, PREPROCESS)
    old = tmp_path / "old.lines"
    with old.open("wb") as file:  # as earlier versions wrote it
        file.write(bytes(16 * 5))
        schema = SCHEMA.remove(SCHEMA.get_field_index("direction"))
        digest = hashlib.blake2b(bytes(16 * 5), digest_size=12).hexdigest()
        rows = dict(zip(schema.names, (["x"], ["a"], [""], [digest], [5]), strict=True))
        metadata = {"format": FORMAT, "height_px": 16, "fingerprint": "f", "skipped": [], "written_s": 0}
        table = io.BytesIO()
        with pa.ipc.new_stream(table, schema.with_metadata({"htr_lightning": json.dumps(metadata)})) as out:
            out.write_table(pa.table(rows, schema.with_metadata({"htr_lightning": json.dumps(metadata)})))
        file.write(table.getvalue())
        file.write(END.pack(hashlib.blake2b(table.getvalue(), digest_size=16).digest(), 80, MARK))
    assert PackedLines(old)[0].direction == ""


def test_second_call_opens_the_same_file(tmp_path: Path) -> None:
    first = pack(stripes(5), PREPROCESS, tmp_path)
    stamp = first.path.stat().st_mtime_ns
    again = pack(stripes(5), PREPROCESS, tmp_path, progress=lambda *_: pytest.fail("packed again"))
    assert again.path == first.path and again.path.stat().st_mtime_ns == stamp


def test_any_change_gives_another_fingerprint() -> None:
    keys = {
        fingerprint(stripes(5), PREPROCESS),
        fingerprint(stripes(6), PREPROCESS),
        fingerprint(stripes(5, version=1), PREPROCESS),
        fingerprint(stripes(5), Preprocess(height_px=17, contrast=False)),
        fingerprint([*stripes(4), Line("id4", Stripes(4), "other", "g1")], PREPROCESS),
    }
    assert len(keys) == 5


def test_a_changed_image_file_changes_the_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"1")
    before = ImageFile(path).fingerprint
    path.write_bytes(b"22")
    assert ImageFile(path).fingerprint != before


PACK = """
import os, sys, time
from pathlib import Path
from htr_lightning.data import pack
from htr_lightning.data.line import Line
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.preprocess import Preprocess

folder, write = Path(sys.argv[1]), pack.write_packed_lines

def write_slowly(*arguments):
    (folder / f"written-by-{os.getpid()}").touch()
    time.sleep(1)
    return write(*arguments)

pack.write_packed_lines = write_slowly
print("ready", flush=True)
sys.stdin.readline()
print(len(pack.pack([Line("a", ImageFile(folder / "a.png"), "a")], Preprocess(), folder / "packed")))
"""

ENTER_LOCK = """
import sys, time
from pathlib import Path
from htr_lightning.data import pack

folder = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    with pack._lock(folder / "x.lines"):
        (folder / "inside").touch(exist_ok=False)
        time.sleep(0.005)
        (folder / "inside").unlink()
print("never overlapped")
"""


def run_three_at_once(code: str, folder: Path) -> list[str]:
    """Start three processes together; return what each of them printed."""
    arguments = [sys.executable, "-c", code, str(folder)]
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(3)
        ]
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [process.communicate(timeout=60)[0].strip() for process in processes]


def test_of_several_processes_one_packs_and_the_others_wait(tmp_path: Path) -> None:
    Image.new("L", (60, 48), "white").save(tmp_path / "a.png")
    assert run_three_at_once(PACK, tmp_path) == ["1", "1", "1"]
    assert len(list(tmp_path.glob("written-by-*"))) == 1
    assert {path.suffix for path in (tmp_path / "packed").iterdir()} <= {".lines", ".lock"}


def test_three_processes_that_contend_for_the_lock_never_overlap(tmp_path: Path) -> None:
    assert run_three_at_once(ENTER_LOCK, tmp_path) == ["never overlapped"] * 3


def test_a_process_says_what_it_waits_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "x.lines"
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with _lock(path):
            entered.set()
            leave.wait()

    class Release(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            leave.set()

    holder, release = threading.Thread(target=hold), Release()
    holder.start()
    entered.wait()
    log = logging.getLogger("htr_lightning.data.pack")
    log.addHandler(release)
    try:
        with caplog.at_level(logging.INFO), _lock(path):
            pass
    finally:
        log.removeHandler(release)
        leave.set()
        holder.join()
    assert f"Waiting for another process that packs {path}" in caplog.text


def test_a_disk_without_locks_is_used_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(lock: FileLock, blocking: bool) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    assert len(pack(stripes(3), PREPROCESS, tmp_path)) == 3


def test_interrupted_packing_leaves_no_incomplete_file(tmp_path: Path) -> None:
    def interrupt(steps, number, name):  # type: ignore[no-untyped-def]
        yield next(iter(steps))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(stripes(400), PREPROCESS, tmp_path, progress=interrupt)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".lock"}


def test_files_of_a_killed_process_are_deleted_a_day_later(tmp_path: Path) -> None:
    old, recent = tmp_path / ".lines-a.partial", tmp_path / ".lines-b.partial"
    old.touch()
    recent.touch()
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    pack(stripes(2), PREPROCESS, tmp_path)
    assert not old.exists() and recent.exists()


def test_a_damaged_file_is_packed_again(tmp_path: Path) -> None:
    packed = pack(stripes(5), PREPROCESS, tmp_path)
    path, size = packed.path, packed.path.stat().st_size
    del packed
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: size // 2])
    with pytest.raises(DataError, match="not a complete file of packed lines"):
        PackedLines(path)
    assert len(pack(stripes(5), PREPROCESS, tmp_path)) == 5


def _contents(packed: PackedLines) -> list[tuple[str, str, str, bytes]]:
    lines = [packed[i] for i in range(len(packed))]
    return [(line.id, line.text, line.group, line.pixels.tobytes()) for line in lines]


def test_a_byte_changed_anywhere_is_noticed_and_the_lines_are_packed_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    packed = pack(stripes(3), PREPROCESS, tmp_path)
    expected, path = _contents(packed), packed.path
    packed.close()
    good = path.read_bytes()
    for position in range(0, len(good), 41):
        path.write_bytes(good[:position] + bytes([good[position] ^ 0xFF]) + good[position + 1 :])
        os.utime(path, (1, 1))
        caplog.clear()
        packed = pack(stripes(3), PREPROCESS, tmp_path)
        assert _contents(packed) == expected and "packing its lines again" in caplog.text, position
        packed.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b[:500] + b[600:],
        lambda b: b[:-10],
        lambda b: b + bytes(10),
        lambda b: b"",
        lambda b: b.replace(b"text 1", b"text 2"),
        lambda b: b.replace(b"height_px", b"height_pz"),
    ],
    ids=["pixels lost", "cut", "longer", "empty", "text exchanged", "key renamed"],
)
def test_a_changed_file_is_packed_again(tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    packed = pack(stripes(3), PREPROCESS, tmp_path)
    expected, path = _contents(packed), packed.path
    packed.close()
    path.write_bytes(change(path.read_bytes()))
    assert _contents(pack(stripes(3), PREPROCESS, tmp_path)) == expected


def test_a_file_with_the_lines_of_another_is_packed_again(tmp_path: Path) -> None:
    one, other = pack(stripes(3), PREPROCESS, tmp_path), pack(stripes(3, version=1), PREPROCESS, tmp_path)
    expected = _contents(one)
    one.close()
    other.close()
    one.path.write_bytes(other.path.read_bytes())
    again = pack(stripes(3), PREPROCESS, tmp_path)
    assert again.fingerprint == fingerprint(stripes(3), PREPROCESS) and _contents(again) == expected


def test_damage_that_comes_during_a_run_is_named_and_mended_by_the_next(tmp_path: Path) -> None:
    packed = pack(stripes(3), PREPROCESS, tmp_path)
    expected, before = _contents(packed), packed.path.stat()
    with packed.path.open("r+b") as file:
        file.seek(packed.widths[0] * packed.height_px + 5)
        file.write(b"\x07")
    os.utime(packed.path, ns=(before.st_mtime_ns, before.st_mtime_ns))  # as a worn-out disk leaves it
    opened = pack(stripes(3), PREPROCESS, tmp_path)
    assert opened[0].id == "id0"
    with pytest.raises(DataError, match="the pixels of the packed line id1 are damaged; start the run again") as error:
        opened[1]
    assert error.value.kind == "damaged"
    opened.close()
    assert _contents(pack(stripes(3), PREPROCESS, tmp_path)) == expected


def test_a_copied_file_is_verified_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack(stripes(3), PREPROCESS, tmp_path)
    os.utime(packed.path, (1, 1))
    read: list[int] = []
    original = PackedLines.__getitem__
    monkeypatch.setattr(PackedLines, "__getitem__", lambda self, index: read.append(index) or original(self, index))
    for _ in range(2):
        pack(stripes(3), PREPROCESS, tmp_path, progress=lambda *_: pytest.fail("packed again")).close()
    assert read == [0, 1, 2]


@dataclass(frozen=True)
class Locked(Stripes):
    """Cannot be read while the file ``lock`` exists; its fingerprint does not change."""

    lock: Path = Path()

    def read(self, max_pixels: int = 0) -> np.ndarray:
        if self.lock.exists():
            raise DataError("stripes: permission denied")
        return super().read()


def test_lines_that_could_not_be_read_are_tried_again(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    lines = [*stripes(5), Line("locked", Locked(7, lock=lock), "text")]
    assert len(pack(lines, PREPROCESS, tmp_path).skipped) == 1
    assert len(pack(lines, PREPROCESS, tmp_path, progress=lambda *_: pytest.fail("packed again"))) == 5
    lock.unlink()
    assert len(pack(lines, PREPROCESS, tmp_path)) == 6


def test_empty_split_and_empty_text(tmp_path: Path) -> None:
    assert len(pack([], PREPROCESS, tmp_path)) == 0
    packed = pack([Line("a", Stripes(1), ""), Line("b", Stripes(2), "b")], PREPROCESS, tmp_path)
    assert len(packed) == 1 and packed.skipped[0].reason == "a: the text is empty"


def test_only_unusable_lines(tmp_path: Path) -> None:
    packed = pack([Line("a", Stripes(13), "x")], PREPROCESS, tmp_path)
    assert len(packed) == 0 and len(packed.skipped) == 1
    inode = packed.path.stat().st_ino
    assert pack([Line("a", Stripes(13), "x")], PREPROCESS, tmp_path).path.stat().st_ino == inode  # not packed again


def test_duplicate_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="id0: two lines have this id"):
        pack([*stripes(1), *stripes(1)], PREPROCESS, tmp_path)


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"packed lines cannot be stored .* set loader\.cache_dir"):
        pack(stripes(1), PREPROCESS, tmp_path / "file")


def test_pickled_as_a_path(tmp_path: Path) -> None:
    packed = pack(stripes(300), PREPROCESS, tmp_path)
    data = pickle.dumps(packed)
    assert len(data) < 1000
    assert pickle.loads(data)[200].id == packed[200].id


def test_index_out_of_range(tmp_path: Path) -> None:
    packed = pack(stripes(3), PREPROCESS, tmp_path)
    with pytest.raises(IndexError):
        packed[3]
    assert [line.id for line in packed] == ["id0", "id1", "id2"]
