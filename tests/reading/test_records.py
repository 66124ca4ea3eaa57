"""The journal of a folder of results: which pages are read again, the status, the settings and the index."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from htr_lightning.decode.confidence import compute_expected_cer
from htr_lightning.errors import InputError
from htr_lightning.image.files import DataError
from htr_lightning.image.scan import Scan
from htr_lightning.reading.page_jobs import PageJob, UnreadableFile
from htr_lightning.reading.records.file_states import describe_files, describe_image
from htr_lightning.reading.records.index import write_index
from htr_lightning.reading.records.journal import Journal, PageRecord, read_records
from htr_lightning.reading.records.settings import JOURNAL_FOLDER, check_settings
from htr_lightning.reading.records.status import compute_status, describe_duration

A = {"model": "a"}
SETTINGS = {"model": "zoo:latin (0123456789ab)", "--finder": "classical"}


@pytest.fixture
def job(tmp_path: Path) -> PageJob:
    """Return a page that was read, with its text."""
    (tmp_path / "p.png").write_bytes(b"image")
    out = tmp_path / "out"
    out.mkdir()
    (out / "p.txt").write_text("text")
    return PageJob(Scan(tmp_path / "p.png"), {"txt": out / "p.txt"}, folder=out)


def record(journal: Journal, job: PageJob, **fields: object) -> PageRecord:
    """Record a page as read."""
    name = journal.name(job.folder, job.stem)
    written = PageRecord(name, job.scan.name, "read", journal.digest, image=describe_image(job.scan.path))
    written = replace(written, files=describe_files(job.files), **fields)  # type: ignore[arg-type]
    journal.add(written)
    return written


def reopen(journal: Journal) -> Journal:
    return Journal(journal.out, journal.settings)


def test_what_was_read_is_done_until_its_scan_or_the_settings_change(job: PageJob) -> None:
    journal = Journal(job.folder, A)
    assert journal.judge(job) == "done"  # without a record, files that exist count
    written = record(journal, job)
    journal = reopen(journal)
    assert journal.records == {"p": written} and journal.judge(job) == "done"
    os.utime(job.scan.path, (1, 1))
    assert journal.judge(job) == "done"  # only touched: its content is the same
    job.scan.path.write_bytes(b"other")
    assert journal.judge(job) == "changed"
    os.utime(job.outputs["txt"], (1, 1))
    assert journal.judge(job) == "changed"  # a result that was only copied is not edited
    job.outputs["txt"].write_text("corrected by a person")
    assert journal.judge(job) == "edited"
    job.outputs["txt"].unlink()
    assert journal.judge(job) == "missing"


def test_other_settings_need_another_reading(job: PageJob) -> None:
    record(Journal(job.folder, A), job)
    assert Journal(job.folder, SETTINGS).judge(job) == "changed" and Journal(job.folder, A).judge(job) == "done"
    assert Journal(job.folder).judge(job) == "done"  # a run that names no settings compares none


def test_both_halves_of_a_double_page_count(job: PageJob) -> None:
    halves = [replace(job, outputs={"txt": job.folder / f"p_{side}.txt"}, side=side) for side in ("left", "right")]
    whole = replace(job, outputs={"txt": job.folder / "whole.txt"}, halves=(halves[0], halves[1]))
    journal = Journal(job.folder, A)
    for half in halves:
        half.outputs["txt"].write_text("half")
        record(journal, half)
    assert journal.records.keys() == {"p_left", "p_right"} and journal.judge(whole) == "done"
    job.scan.path.write_bytes(b"other")
    assert journal.judge(whole) == "changed"


def test_records_that_are_cut_off_are_left_out(job: PageJob) -> None:
    journal = Journal(job.folder, A)
    record(journal, job, lines=3)
    (path,) = (job.folder / JOURNAL_FOLDER).glob("*.jsonl")
    path.write_text(path.read_text() + '{"page": "q", "sc')
    assert [(r.page, r.lines) for r in read_records(job.folder / JOURNAL_FOLDER)] == [("p", 3)]


def test_a_page_that_fails_leaves_its_reason_until_it_is_read(job: PageJob) -> None:
    journal = Journal(job.folder, A)
    journal.add(PageRecord("sub/p", "sub/p.png", "failed", problem="cut off", kind="damaged"))
    reason = job.folder / "sub" / "p.error.json"
    assert json.loads(reason.read_text())["problem"] == "cut off"
    journal.add(PageRecord("sub/p", "sub/p.png", "read"))
    assert not reason.exists() and reopen(journal).records["sub/p"].status == "read"


def test_a_folder_takes_the_results_of_one_model(job: PageJob) -> None:
    journal = Journal(job.folder, SETTINGS)
    check_settings(job.folder, {"model": "another"}, overwrite=False)  # nothing was read yet
    record(journal, job)
    renamed = SETTINGS | {"model": "copies/latin.safetensors (0123456789ab)"}
    check_settings(job.folder, renamed, overwrite=False)
    check_settings(job.folder, {}, overwrite=False)
    assert Journal(job.folder, renamed).judge(job) == "done"
    other = {"model": "zoo:latin-large (ba9876543210)", "--lm": "none"}
    words = r"--finder classical, now not given; --lm not given, now none; model .*latin.*, now zoo:latin-large.*--over"
    with pytest.raises(InputError, match=words):
        check_settings(job.folder, other, overwrite=False)
    check_settings(job.folder, other, overwrite=True)
    record(Journal(job.folder, other), job)
    check_settings(job.folder, other, overwrite=False)


def test_status(job: PageJob) -> None:
    journal = Journal(job.folder, A)
    record(journal, job, seconds=2.0)
    others = [replace(job, scan=Scan(job.scan.path.with_name(f"{n}.png")), outputs={"txt": Path(n)}) for n in "abc"]
    journal.add(PageRecord("a", "a.png", "failed", kind="damaged", problem="long reason", machine="elsewhere"))
    files = {Path("x.pdf"): UnreadableFile(DataError("no PDF", kind="damaged"), job.folder)}
    status = compute_status([job, *others], files, journal)
    assert (status.done, status.left, dict(status.failed)) == (1, 2, {"damaged": 2})
    assert len(status.machines) == 2 and status.seconds_left == 2.0  # two pages, two machines
    later = compute_status([job, *others], files, journal, datetime(2100, 1, 1, tzinfo=UTC))
    assert not later.machines and later.seconds_left == 4.0
    text = status.describe()
    assert text.startswith("5 pages: 1 read, 2 failed, 2 left") and "2 x damaged" in text and "2 s a page" in text
    job.scan.path.write_bytes(b"other")
    assert ", 1 changed since" in compute_status([job], {}, journal).describe()
    assert compute_status([], {}, Journal(job.folder / "new")).seconds_left is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(20, "less than a minute"), (600, "10 min"), (7300, "2 h 02 min"), (400_000, "4.6 days")]
)
def test_durations(seconds: float, words: str) -> None:
    assert describe_duration(seconds) == words


def test_the_index_has_the_worst_page_first(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for page, confidence in (("good", 0.99), ("bad", 0.5), ("worse", 0.1), ("blank", None)):
        journal.add(PageRecord(page, f"{page}.png", "read", lines=2, characters=30, confidence=confidence, seconds=1.5))
    journal.add(PageRecord("lost", "lost.png", "failed", problem="cut off"))
    journal.add(PageRecord("good", "good.png", "read", lines=3, confidence=0.98))  # read again
    assert write_index(tmp_path) == 5
    rows = pq.read_table(tmp_path / "index.parquet").to_pylist()
    assert [row["page"] for row in rows] == ["worse", "bad", "good", "blank", "lost"]
    assert [row["rank"] for row in rows] == [1, 2, 3, None, None] and rows[2]["lines"] == 3
    assert rows[0]["expected_cer"] == 1.0 and rows[1]["expected_cer"] == pytest.approx(compute_expected_cer(0.5))
    assert rows[4]["status"] == "failed" and rows[4]["problem"] == "cut off" and rows[0]["finished"].tzinfo is not None
