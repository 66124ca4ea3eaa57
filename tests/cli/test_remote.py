"""Scans and results in remote storage: the same files as on a local disk, resumed, with errors as sentences."""

import functools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from helpers.drawn_pages import small_page
from helpers.remote import Bucket, drop_times, list_local
from PIL import Image

from htr_lightning.reading.storage import run as storage_run

Run = Callable[..., tuple[int, str]]
FORMATS = ["--format", "txt,json,alto"]


def count_downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which the names of scans and results that are downloaded from now on are added."""
    names: list[str] = []
    download = MemoryFileSystem.get_file

    def get_file(self: Any, rpath: str, lpath: str, **options: Any) -> None:
        if ".htr_lightning" not in rpath:
            names.append(rpath.removeprefix("/bucket/"))
        download(self, rpath, lpath, **options)

    monkeypatch.setattr(MemoryFileSystem, "get_file", get_file)
    return names


def test_predict_writes_the_same_files_as_on_a_disk(
    scans: Path, tmp_path: Path, bucket: Bucket, run_command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_command("segment", scans / "p0.png", "--out", tmp_path / "alto")[0] == 0
    (scans / "alto").mkdir()
    (tmp_path / "alto" / "p0.xml").rename(scans / "alto" / "p0.xml")  # p1 has no layout
    (scans / "box 2").mkdir()
    (scans / "p1.png").rename(scans / "box 2" / "p1.png")
    (scans / "cut.png").write_bytes(b"not a picture")
    bucket.put_folder(scans, "scans")
    local = tmp_path / "out"
    code, told = run_command("predict", scans, "--out", local, *FORMATS)
    assert code == 1 and "2 pages with 8 lines read; 1 problem" in told
    code, told = run_command("predict", "memory://bucket/scans", "--out", "memory://bucket/out/", *FORMATS, "--index")
    assert code == 1 and "memory://bucket/out: 2 pages with 8 lines read; 1 problem" in told
    assert "memory://bucket/scans/cut.png: " in told and "htr-lightning-" not in told
    assert "1 page: lines are taken from the ALTO or PAGE file beside it" in told
    remote, expected = drop_times(bucket.list("out")), drop_times(list_local(local))
    index, reasons = remote.pop("index.parquet"), [files.pop("cut.error.json") for files in (remote, expected)]
    assert remote == expected and {"p0.txt", "box 2/p1.txt"} < remote.keys()
    assert json.loads(reasons[0])["scan"] == "memory://bucket/scans/cut.png" and b"htr-lightning-" not in reasons[0]
    rows = pq.read_table(_write(tmp_path / "index.parquet", bucket.get("out/index.parquet"))).to_pylist()
    assert {row["page"]: row["status"] for row in rows} == {"p0": "read", "box 2/p1": "read", "cut": "failed"}
    assert {row["scan"] for row in rows} == {
        f"memory://bucket/scans/{n}" for n in ("p0.png", "box 2/p1.png", "cut.png")
    }
    assert index and "htr-lightning-" not in bucket.journal("out")

    downloads = count_downloads(monkeypatch)
    told = run_command("predict", "memory://bucket/scans", "--out", "memory://bucket/out", *FORMATS, "--status")[1]
    assert told.startswith("3 pages: 2 read, 1 failed, 0 left") and not downloads
    bucket.put("scans/cut.png", Path(scans / "p0.png"))
    code, told = run_command("predict", "memory://bucket/scans", "--out", "memory://bucket/out", *FORMATS)
    assert code == 0 and "1 page with 4 lines read; 2 pages skipped" in told
    assert sorted(downloads) == ["out/cut.error.json", "scans/cut.png"] and "cut.error.json" not in bucket.list("out")


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_scans_and_results_may_be_on_different_sides(
    scans: Path, tmp_path: Path, bucket: Bucket, run_command: Run
) -> None:
    bucket.put_folder(scans, "scans")
    options = ["--format", "alto,page", "--split-pages", "--overlay"]
    places = {"here": (scans, tmp_path / "here"), "up": (scans, "memory://bucket/up")}
    places["down"] = ("memory://bucket/scans", tmp_path / "down")  # type: ignore[assignment]
    for scan, out in places.values():
        code, told = run_command("segment", scan, "--out", out, *options)
        assert code == 0 and "8 lines found on 2 pages" in told
        code, told = run_command("segment", scan, "--out", out, *options)
        assert code == 0 and "0 lines found on 0 pages; 2 pages skipped" in told
        assert run_command("segment", scan, "--out", out, *options, "--status")[1].startswith("2 pages: 2 read")
    expected = drop_times(list_local(tmp_path / "here"))
    assert drop_times(list_local(tmp_path / "down")) == drop_times(bucket.list("up")) == expected and len(expected) == 8
    told = run_command("segment", scans, "--out", "memory://bucket/up", *options, "--direction", "rtl")[1]
    assert "memory://bucket/up: it has results of other settings: --direction" in told


def test_layouts_may_be_in_remote_storage(scans: Path, tmp_path: Path, bucket: Bucket, run_command: Run) -> None:
    (tmp_path / "none").mkdir()
    bucket.put_folder(scans, "scans")
    bucket.put("none/other.xml", b"<alto/>")
    bucket.put("lines/p0.xml", b"<mets/>")
    assert run_command("segment", scans / "p1.png", "--out", "memory://bucket/lines")[0] == 0
    told = run_command("predict", scans, "--out", tmp_path / "out", "--layouts", "memory://bucket/lines")[1]
    assert "1 page: lines are taken from memory://bucket/lines; those of 1 others are detected" in told
    for scan, folder in (
        (scans, "memory://bucket/none"),
        ("memory://bucket/scans", "memory://bucket/none"),
        ("memory://bucket/scans", tmp_path / "none"),
    ):
        code, told = run_command("predict", scan, "--out", tmp_path / "out2", "--layouts", folder)
        assert code != 0 and f"{folder}: there is no ALTO or PAGE file of any of the pages" in told
    assert not (tmp_path / "out2").exists()


def test_documents_are_read_whole(tmp_path: Path, bucket: Bucket, run_command: Run) -> None:
    pages = [Image.fromarray(small_page(seed=seed).pixels) for seed in range(3)]
    pages[0].save(tmp_path / "book.tif", save_all=True, append_images=pages[1:])
    bucket.put("scans/book.tif", tmp_path / "book.tif")
    assert "12 lines found on 3 pages" in run_command("segment", "memory://bucket/scans", "--out", tmp_path / "out")[1]
    again = ["memory://bucket/scans", "--out", tmp_path / "out"]
    assert "3 pages skipped" in run_command("segment", *again)[1]
    # As if the run had been killed after the second page.
    (journal,) = (tmp_path / "out" / ".htr_lightning").glob("*.jsonl")
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:2]))
    (tmp_path / "out" / "book_0003.xml").unlink()
    assert run_command("segment", *again, "--status")[1].startswith("3 pages: 2 read, 0 failed, 1 left")
    assert "4 lines found on 1 page; 2 pages skipped" in run_command("segment", *again)[1]
    assert "3 pages skipped" in run_command("segment", *again)[1]


def test_searchable_documents_are_joined(tmp_path: Path, bucket: Bucket, run_command: Run) -> None:
    pages = [Image.fromarray(small_page(2, seed=seed).pixels) for seed in range(2)]
    pages[0].save(tmp_path / "book.tif", save_all=True, append_images=pages[1:])
    command = ["predict", tmp_path / "book.tif", "--out", "memory://bucket/out", "--format", "pdf"]
    assert run_command(*command)[0] == 0 and bucket.list("out").keys() == {"book.pdf"}
    assert not [name for name in bucket.fs.find("/bucket/out") if "pdf-pages" in name]
    assert "2 pages skipped" in run_command(*command)[1]


def test_changed_scans_are_read_again_and_edited_results_kept(scans: Path, bucket: Bucket, run_command: Run) -> None:
    bucket.put_folder(scans, "scans")
    command = ["segment", "memory://bucket/scans", "--out", "memory://bucket/out", "--format", "alto,page"]
    assert run_command(*command)[0] == 0
    before = bucket.list("out")
    bucket.put("scans/p0.png", scans / "p0.png")  # only its time is another
    assert "2 pages skipped" in run_command(*command)[1] and bucket.list("out") == before
    Image.fromarray(small_page(3, seed=9).pixels).save(scans / "new.png")
    bucket.put("scans/p0.png", scans / "new.png")
    bucket.put("scans/p1.png", scans / "new.png")
    corrected = before["p1.xml"].replace(b"TextLine", b"TEXTLINE")  # of the same size
    bucket.put("out/p1.xml", corrected)
    code, told = run_command(*command)
    assert code == 0 and "3 lines found on 1 page; 1 page skipped" in told
    assert "memory://bucket/scans/p1.png: it has changed since it was read, but its results have been edited" in told
    after = bucket.list("out")
    assert after["p1.xml"] == corrected and after["p1.page.xml"] == before["p1.page.xml"]
    assert after["p0.xml"] != before["p0.xml"]
    code, told = run_command(*command, "--overwrite")
    assert code == 0 and "6 lines found on 2 pages" in told and bucket.list("out")["p1.xml"] != corrected


def test_an_upload_that_fails_is_resumed(
    tmp_path: Path, bucket: Bucket, run_command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(4):
        Image.fromarray(small_page(seed=seed).pixels).save(tmp_path / f"p{seed}.png")
    files = [tmp_path / f"p{seed}.png" for seed in range(4)]
    monkeypatch.setattr(storage_run, "_MIN_FILES", 1)
    write = MemoryFileSystem.pipe_file

    def pipe_file(self: Any, path: str, value: bytes, **options: Any) -> None:
        if path.endswith("p2.xml"):
            raise OSError(28, "No space left on device")
        write(self, path, value, **options)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "pipe_file", pipe_file)
        code, told = run_command("segment", *files, "--out", "memory://bucket/out")
    assert code != 0 and "memory://bucket/out/p2.xml: cannot be written ([Errno 28] No space left" in told
    assert "the same command resumes" in told and "Traceback" not in told
    assert {"p0.xml", "p1.xml"} <= bucket.list("out").keys() and bucket.journal("out").count('"read"') == 2
    code, told = run_command("segment", *files, "--out", "memory://bucket/out")
    assert code == 0 and "8 lines found on 2 pages; 2 pages skipped" in told
    assert bucket.list("out").keys() == {f"p{seed}.xml" for seed in range(4)}


def test_results_without_records_are_completed_but_not_overwritten(
    scans: Path, bucket: Bucket, run_command: Run
) -> None:
    bucket.put("out/p0.xml", b"made by hand")
    code, told = run_command("segment", scans, "--out", "memory://bucket/out", "--format", "alto,page")
    assert code == 0 and "8 lines found on 2 pages" in told
    assert bucket.get("out/p0.xml") == b"made by hand" and "p0.page.xml" in bucket.list("out")
    assert bucket.journal("out").count('"read"') == 2


def test_shards_share_remote_scans(scans: Path, tmp_path: Path, bucket: Bucket, run_command: Run) -> None:
    for n in range(2, 5):
        (scans / f"p{n}.png").write_bytes((scans / "p0.png").read_bytes())
    bucket.put_folder(scans, "scans")
    for part in ("1/2", "2/2"):
        run_command("segment", "memory://bucket/scans", "--out", f"memory://bucket/out{part[0]}", "--shard", part)
        run_command("segment", scans, "--out", tmp_path / part[0], "--shard", part)
    parts = [bucket.list(f"out{n}").keys() for n in (1, 2)]
    assert parts == [list_local(tmp_path / n).keys() for n in "12"] and len(parts[0] | parts[1]) == 5


def test_lists_name_paths_and_addresses(scans: Path, tmp_path: Path, bucket: Bucket, run_command: Run) -> None:
    (scans / "a").mkdir()
    (scans / "b").mkdir()
    (scans / "p0.png").rename(scans / "a" / "p.png")
    (scans / "p1.png").rename(scans / "b" / "p.png")
    bucket.put("box/x/p9.png", scans / "a" / "p.png")
    bucket.put("box/alto/p9.xml", b"not beside it")
    rows = [str(scans / "a" / "p.png"), "", f"  {scans / 'b' / 'p.png'}", "memory://bucket/box/x/p9.png"]
    names = tmp_path / "pages.txt"
    names.write_text("\ufeff" + "\r\n".join(rows[:3]), encoding="utf-8")
    assert "8 lines found on 2 pages" in run_command("segment", "--list", names, "--out", tmp_path / "out")[1]
    assert list_local(tmp_path / "out").keys() == {"a/p.xml", "b/p.xml"}
    names.write_text("\n".join([*rows, "memory://bucket/gone.png", str(scans / "lost.png")]))
    code, told = run_command("segment", "--list", names, "--out", "memory://bucket/out")
    assert code == 1 and "12 lines found on 3 pages; 2 problems" in told
    assert "memory://bucket/gone.png: there is no such file" in told and f"{scans / 'lost.png'}: there is no" in told
    assert {"a/p.xml", "b/p.xml", "box/x/p9.xml", "gone.error.json"} <= bucket.list("out").keys()
    names.write_text("\n")
    assert "--list" in (told := run_command("segment", "--list", names, "--out", "x")[1]) and "names no file" in told
    names.write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8 text" in run_command("segment", "--list", names, "--out", "x")[1]
    assert "cannot be read" in run_command("segment", "--list", tmp_path / "none.txt", "--out", "x")[1]


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder, and prints nothing."""

    def log_message(self, *arguments: object) -> None:
        pass


def test_files_are_read_over_http(scans: Path, tmp_path: Path, run_command: Run, needs: Callable[[str], None]) -> None:
    needs("aiohttp")
    handler = functools.partial(QuietHandler, directory=str(scans))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        urls = [f"http://127.0.0.1:{server.server_port}/{name}" for name in ("p0.png", "gone.png")]
        code, told = run_command("segment", *urls, "--out", tmp_path / "out")
        assert (
            code == 1 and "4 lines found on 1 page; 1 problem" in told and f"{urls[1]}: there is no such file" in told
        )
        code, told = run_command("segment", urls[0], "--out", tmp_path / "out")
        assert code == 0 and "1 page skipped" in told
        server.shutdown()
    assert list_local(tmp_path / "out").keys() == {"p0.xml", "gone.error.json"}


class RefusingFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """Refuses everything, as the storage of a bucket to which one has no access does."""

    protocol = "refusing"
    error: Exception

    def find(self, *arguments: Any, **options: Any) -> Any:
        raise self.error

    pipe_file = find


class NoCredentialsError(Exception):
    """Called after the error of botocore, which is no OSError."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoCredentialsError("Unable to locate credentials"), "there are no valid credentials for refusing://"),
        (PermissionError("Access Denied"), "access is refused (Access Denied)"),
        (FileNotFoundError("The specified bucket does not exist"), "no such file, folder or bucket"),
        (ConnectionError("Name or service not known"), "the storage cannot be reached"),
        (RuntimeError("what no one expects\nmore"), "RuntimeError: what no one expects)"),
    ],
)
def test_refusals_are_one_sentence(
    scans: Path, tmp_path: Path, run_command: Run, bucket: Bucket, error: Exception, words: str
) -> None:
    fsspec.register_implementation("refusing", RefusingFileSystem, clobber=True)
    RefusingFileSystem.error = error
    for scan, out in (("refusing://bucket/scans", tmp_path / "out"), (scans, "refusing://bucket/out")):
        code, told = run_command("segment", scan, "--out", out)
        assert code == 1 and words in told and told.startswith("refusing://bucket/") and told.count("\n") == 0
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["memory://bucket/none", "--out", "out"], "memory://bucket/none: there is no such file, folder or bucket"),
        (["memory://bucket/empty", "--out", "out"], "memory://bucket/empty: there is no scan in this folder"),
        (["s3://bucket/scans", "--out", "out"], "s3fs, which reads s3://, is not installed; run: pip install s3fs"),
        (["nowhere://bucket/scans", "--out", "out"], "this kind of storage is unknown"),
        (["memory://bucket/../x", "--out", "out"], "this address cannot be used"),
        (["https://example.org/scans/", "--out", "out"], "folders cannot be listed over https; name the files"),
        (["memory://bucket/scans"], "--out FOLDER is required for scans in remote storage"),
        (["memory://bucket/scans", "--lines"], "memory://bucket/scans: lines are read in local files only"),
    ],
)
def test_what_cannot_be_read(
    scans: Path,
    bucket: Bucket,
    run_command: Run,
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as if it were not installed
    bucket.put("empty/readme.txt", b"no scan")
    code, told = run_command("predict", *arguments)
    assert code != 0 and words in told and not (tmp_path / "out").exists()


def test_a_missing_fsspec_is_named(scans: Path, run_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib_find_spec()
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "fsspec" else find_spec(name))
    code, told = run_command("segment", scans, "--out", "memory://bucket/out")
    assert code != 0 and "pip install 'htr-lightning[remote]'" in told


def importlib_find_spec() -> Any:
    import importlib.util

    return importlib.util.find_spec


def test_results_of_two_scans_do_not_get_into_one_file(scans: Path, bucket: Bucket, run_command: Run) -> None:
    bucket.put_folder(scans, "scans")
    bucket.put("scans/p0.jpg", scans / "p0.png")
    code, told = run_command("segment", "memory://bucket/scans", "--out", "memory://bucket/out")
    assert code != 0 and "would both be written to memory://bucket/out/p0.xml" in told
    bucket.fs.rm("/bucket/scans/p0.jpg")
    code, told = run_command("segment", "memory://bucket/scans", "--out", "memory://bucket/scans")
    assert code != 0 and "the next run would take p1.xml beside the scans for a layout" in told
    assert not bucket.list("out") and len(bucket.list("scans")) == 2


COMMAND = """
import sys
from htr_lightning.reading.storage import run
run._MIN_FILES = 1
from htr_lightning.cli import segment
segment.main(sys.argv[1:])
"""


def test_a_killed_run_is_resumed(tmp_path: Path) -> None:
    scans, out, temporary = tmp_path / "scans", tmp_path / "out", tmp_path / "temporary"
    for folder in (scans, temporary):
        folder.mkdir()
    for seed in range(8):
        Image.fromarray(small_page(7, seed=seed).pixels).save(scans / f"p{seed}.png")
    arguments = [scans.as_uri(), "--out", out.as_uri(), "--finder", "classical"]
    environment = os.environ | {"TMPDIR": str(temporary)}
    command = [sys.executable, "-c", COMMAND, *arguments]
    with subprocess.Popen(command, env=environment) as process:
        while process.poll() is None and len(list(out.rglob("*.xml"))) < 2:
            time.sleep(0.01)
        process.kill()
    assert process.returncode < 0, "it was done before it was killed"
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.xml")}
    recorded = (out / ".htr_lightning").glob("*.jsonl")
    read = {json.loads(line)["page"] for path in recorded for line in path.read_text().splitlines()}
    assert read <= {path.stem for path in before}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert f"{len(read)} pages skipped" in done.stderr or f"{len(read)} page skipped" in done.stderr
    after = {path: path.stat().st_mtime_ns for path in out.glob("*.xml")}
    assert before.items() <= after.items() and len(after) == 8 and not list(out.glob(".*partial"))
    here = tmp_path / "here"
    subprocess.run([*command[:3], str(scans), "--out", str(here), *arguments[3:]], check=True, capture_output=True)
    assert drop_times(list_local(out)) == drop_times(list_local(here))


def test_ray_reads_remote_scans(
    scans: Path, tmp_path: Path, run_command: Run, needs: Callable[[str], None], bucket: Bucket
) -> None:
    needs("ray")
    (scans / "cut.png").write_bytes(b"not a picture")
    out = tmp_path / "out"
    command = ["predict", scans.as_uri(), "--out", out.as_uri(), "--engine", "ray", "--workers", "1"]
    code, told = run_command(*command)
    assert code == 1 and "2 pages with 8 lines read; 1 problem" in told and f"{scans.as_uri()}/cut.png" in told
    assert list_local(out).keys() == {"p0.txt", "p1.txt", "cut.error.json", "index.parquet"}
    rows = pq.read_table(out / "index.parquet").to_pylist()
    assert {row["scan"] for row in rows} == {f"{scans.as_uri()}/{name}.png" for name in ("p0", "p1", "cut")}
    (scans / "cut.png").unlink()
    code, told = run_command(*command)
    assert code == 0 and "0 pages with 0 lines read; 2 pages skipped" in told
    assert run_command("predict", scans, "--out", tmp_path / "here")[0] == 0
    assert list_local(tmp_path / "here")["p1.txt"] == (out / "p1.txt").read_bytes()
