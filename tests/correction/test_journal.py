"""The journal: nothing that was confirmed is lost, whatever happens to the process or the disk."""

import json
from pathlib import Path

import pytest

from htr_lightning.correction.journal import Journal, JournalError
from htr_lightning.files import OutputError


def test_events_come_back_numbered(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append({"kind": "text", "text": "l’été\u2028\ud800"})
    journal.append({"kind": "a"}, {"kind": "b"})
    events = list(Journal(tmp_path / "journal.jsonl").read())
    assert [(event["n"], event["kind"]) for event in events] == [(1, "text"), (2, "a"), (3, "b")]
    assert events[0]["text"] == "l’été\u2028\ud800"


def test_a_row_that_was_cut_off_is_dropped_and_writing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).append({"kind": "whole"})
    with path.open("ab") as file:
        file.write(b'{"n": 2, "kind": "cut')
    journal = Journal(path)
    assert [event["kind"] for event in journal.read()] == ["whole"]
    journal.append({"kind": "next"})
    assert [(event["n"], event["kind"]) for event in Journal(path).read()] == [(1, "whole"), (2, "next")]


@pytest.mark.parametrize("row", [b"{}", b"\xff", b"[1]", b'{"n": "x"}'])
def test_a_damaged_row_is_named(tmp_path: Path, row: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"n": 1, "kind": "a"}\n' + row + b"\n")
    with pytest.raises(JournalError) as caught:
        list(Journal(path).read())
    assert (caught.value.file, caught.value.kind) == (path, "damaged")
    assert "row 2" in str(caught.value)


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of file sizes are of Unix")
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append({"kind": "before"})
    size = journal.path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))  # the write is cut off after 20 bytes
    try:
        with pytest.raises(OutputError) as caught:
            journal.append({"kind": "too long", "text": "x" * 100})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (caught.value.file, caught.value.kind) == (journal.path, "unwritable")
    assert journal.path.stat().st_size == size
    journal.append({"kind": "after"})
    rows = [json.loads(row) for row in journal.path.read_text().splitlines()]
    assert [(row["n"], row["kind"]) for row in rows] == [(1, "before"), (2, "after")]
