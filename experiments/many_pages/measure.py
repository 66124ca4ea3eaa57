"""Measure reading of many pages: the cost of the engine, of finished pages, of long lists, and what a kill loses.

    python experiments/many_pages/measure.py finished --pages 10000
    python experiments/many_pages/measure.py schedule --pages 1000000
    python experiments/many_pages/measure.py engine SCANS --pages 200 --repetitions 3
    python experiments/many_pages/measure.py kill SCANS --pages 60

Each prints JSON. ``finished`` runs ``predict`` on a folder where all pages are read; ``schedule`` lists files of a few
bytes and passes them to workers that only count them; ``engine`` compares one process of two threads with two workers
of one thread; ``kill`` ends a worker and then the whole run in the middle, runs it again, and compares with one
process.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from htr_lightning.cli.predict_options import build_parser
from htr_lightning.cli.reading_settings import describe_settings
from htr_lightning.image.paths import PathPairs
from htr_lightning.reading.page_jobs import PagePlan
from htr_lightning.reading.records.file_states import describe_files, describe_image
from htr_lightning.reading.records.journal import Journal, PageRecord

PREDICT = [sys.executable, "-m", "htr_lightning", "predict", "zoo:latin"]


def run(scans: Path, out: Path, *options: str, threads: int = 1) -> tuple[float, str]:
    """Run ``predict`` to the end; return seconds and the last line that it prints."""
    command = [*PREDICT, str(scans), "--out", str(out), "--pages", "--format", "txt,json", *options]
    start = time.monotonic()
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": str(threads)}, capture_output=True, text=True, check=False
    )
    return time.monotonic() - start, (done.stderr.strip() or done.stdout.strip()).split("\n")[-1]


def measure_finished(number: int, folder: Path) -> dict[str, Any]:
    """Time a run in which nothing is left to read."""
    scans, out = folder / "scans", folder / "out"
    scans.mkdir()
    out.mkdir()
    parser = build_parser()
    options = parser.parse_args([*PREDICT[4:], str(scans), "--out", str(out)])
    journal = Journal(out, describe_settings(options, parser))
    for page in range(number):
        (scans / f"{page:07d}.png").write_bytes(b"x")
    files = PathPairs((path, path.name) for path in sorted(scans.iterdir()))
    jobs, _ = PagePlan(out, ("txt", "json")).make_jobs(files)
    for job in jobs:
        for path in job.files:
            path.write_text("x")
        image, files = describe_image(job.scan.path), describe_files(job.files)
        name = journal.name(out, job.stem)
        record = PageRecord(name, job.scan.name, "read", journal.digest, confidence=0.9, seconds=1, image=image)
        journal.add(replace(record, files=files))
    timed = {}
    for name, options in (("one process", ()), ("--engine ray", ("--engine", "ray")), ("--status", ("--status",))):
        seconds, said = run(scans, out, *options)
        timed[name] = {"seconds": round(seconds, 1), "said": said.replace(str(folder), "")}
    return {"pages": number} | timed


class Counter:
    """A worker that only counts its files."""

    def __call__(self, block: Any) -> dict[str, list[int]]:
        """Return the number of files."""
        return {"files": [len(block["file"])]}


def measure_schedule(number: int, folder: Path) -> dict[str, Any]:
    """Time the listing and scheduling of many files, with the memory of the driver."""
    from htr_lightning.image.scan import find_scan_files
    from htr_lightning.reading.ray_engine import RayEngine, run_workers
    from htr_lightning.reading.ray_pages import find_waiting

    scans = folder / "scans"
    for page in range(number):
        path = scans / f"{page // 10_000:04d}" / f"{page:07d}.png"
        if page % 10_000 == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    start = time.monotonic()
    files = find_scan_files([scans])
    listed = time.monotonic() - start
    table, _ = find_waiting(files, PagePlan(folder / "out", ("txt",)), Journal(folder / "out"), (), False, print)
    checked = time.monotonic() - start
    with RayEngine(2).connect() as workers:
        total = sum(map(len, run_workers(Counter, table, workers, ())))
    return {
        "files": total,
        "listed_s": round(listed, 1),
        "checked_s": round(checked, 1),
        "seconds": round(time.monotonic() - start, 1),
        "driver_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def copy_pages(scans: Path, folder: Path, number: int) -> Path:
    """Copy images under other names until there are enough."""
    sources = sorted(path for path in scans.iterdir() if path.suffix in (".webp", ".jpg", ".png"))
    (folder / "scans").mkdir()
    for page in range(number):
        source = sources[page % len(sources)]
        shutil.copy(source, folder / "scans" / f"{page:05d}{source.suffix}")
    return folder / "scans"


def read_results(out: Path) -> dict[str, bytes]:
    """Return the contents of the results."""
    return {path.name: path.read_bytes() for path in out.glob("[!.]*") if path.suffix in (".txt", ".json")}


def measure_engine(scans: Path, number: int, repetitions: int, folder: Path) -> dict[str, Any]:
    """Compare the engine with one process, in turn."""
    pages, seconds = copy_pages(scans, folder, number), {"one process": [], "ray": []}  # type: ignore[var-annotated]
    equal = True
    for repetition in range(repetitions):
        one, many = folder / f"one{repetition}", folder / f"ray{repetition}"
        seconds["one process"].append(round(run(pages, one, threads=2)[0], 1))
        seconds["ray"].append(round(run(pages, many, "--engine", "ray", "--workers", "2")[0], 1))
        equal &= read_results(one) == read_results(many)
    return {"pages": number, "seconds": seconds, "equal": equal}


def measure_kill(scans: Path, number: int, folder: Path) -> dict[str, Any]:
    """Kill a worker, then the driver, run again, and compare with one process."""
    pages, out = copy_pages(scans, folder, number), folder / "out"
    command = [*PREDICT, str(pages), "--out", str(out), "--pages", "--format", "txt,json"]
    driver = subprocess.Popen([*command, "--engine", "ray", "--workers", "2"], start_new_session=True)
    wait_for(out, number // 4)
    workers = subprocess.run(
        ["pgrep", "-f", "ray::MapWorker"], capture_output=True, text=True, check=False
    ).stdout.split()
    os.kill(int(workers[0]), signal.SIGKILL)
    wait_for(out, number // 2)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    before = count_records(out)
    _, said = run(pages, out, "--engine", "ray", "--workers", "2")
    alone = folder / "alone"
    run(pages, alone, threads=2)
    records = sum(1 for path in (out / ".htr_lightning").glob("*.jsonl") for _ in path.open())
    return {
        "pages": number,
        "finished when the run was killed": before,
        "second run": said.replace(str(folder), ""),
        "records in all": records,
        "equal to one process": read_results(out) == read_results(alone),
    }


def count_records(out: Path) -> int:
    """Return the number of pages in the journal."""
    return len(Journal(out).records)


def wait_for(out: Path, number: int) -> None:
    """Wait until some pages are finished."""
    while count_records(out) < number:
        time.sleep(0.5)


def main() -> None:
    """Run one measurement in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("finished", "schedule", "engine", "kill"))
    parser.add_argument("scans", type=Path, nargs="?")
    parser.add_argument("--pages", type=int, required=True)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.what == "finished":
            result = measure_finished(options.pages, folder)
        elif options.what == "schedule":
            result = measure_schedule(options.pages, folder)
        elif options.what == "engine":
            result = measure_engine(options.scans, options.pages, options.repetitions, folder)
        else:
            result = measure_kill(options.scans, options.pages, folder)
    print(json.dumps({options.what: result}, indent=2))


if __name__ == "__main__":
    main()
