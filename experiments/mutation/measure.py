"""Draw mutants of the modules whose numbers matter, and run for each the tests that cover its line.

    pip install coverage
    python experiments/mutation/measure.py map      # once: which test covers which line, and how long it takes
    python experiments/mutation/measure.py run      # the mutants; resumes where it was interrupted
    python experiments/mutation/measure.py report   # result.json and a table

Each mutant is written into a copy of the repository, and a process forked from one that has already imported torch
and Lightning runs its tests, fastest first, until one fails. A mutant that makes the tests run for very long counts as
killed. Options: ``--folder`` for intermediate files, ``--workers``, ``--only`` for one module, ``--again``
to run the survivors again, and ``--seed``, ``--number`` and ``--least`` of the sample.
"""

import argparse
import collections
import contextlib
import importlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mutants import Mutant, find_mutants

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
MODULES = ("training/task.py", "data/augment.py", "data/batch.py", "charset.py", "image/crop.py", "metrics.py")
PACKAGES = ("decode", "layout")
TESTS = (
    "tests/test_charset.py", "tests/test_metrics.py", "tests/decode", "tests/layout", "tests/data/test_augment.py",
    "tests/data/test_augment_amounts.py", "tests/data/test_batch.py", "tests/data/test_module.py",
    "tests/image/test_crop.py", "tests/training/test_task.py", "tests/training/test_consistency.py",
)  # fmt: skip
MAX_SECONDS = 60  # processor time of the tests for one mutant, without mutants
IGNORED = "ignore:Module already imported so cannot be rewritten"
PREIMPORTED = (
    "torch", "torchvision", "lightning", "lightning.pytorch", "torchmetrics", "cv2", "hypothesis", "lxml.etree",
    "omegaconf", "hydra", "PIL.Image", "rapidfuzz", "pyarrow", "pypdfium2", "pytest",
)  # fmt: skip


def list_modules() -> list[str]:
    """Return the paths of the mutated modules."""
    package = ROOT / "htr_lightning"
    paths = [package / name for name in MODULES]
    for name in PACKAGES:
        paths += sorted(path for path in (package / name).glob("*.py") if path.name != "__init__.py")
    return [path.relative_to(ROOT).as_posix() for path in paths]


def draw_mutants(seed: int, number: int, least: int) -> list[Mutant]:
    """Draw about a number of mutants in proportion to what each module has, but at least some of each, or all."""
    found = {path: find_mutants(path, (ROOT / path).read_text(encoding="utf-8")) for path in list_modules()}
    total = sum(map(len, found.values()))
    drawn = []
    for mutants in found.values():
        wanted = min(len(mutants), max(least, round(number * len(mutants) / total)))
        # Each mutant has a random rank of its own, so that an edit elsewhere in the module draws the same ones.
        drawn += sorted(mutants, key=lambda mutant: random.Random(f"{seed} {mutant.key}").random())[:wanted]
    return drawn


class _Recorder:
    """A pytest plugin: tells coverage which test runs, and notes the time it takes."""

    def __init__(self, coverage: Any) -> None:
        self.coverage, self.seconds = coverage, {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.coverage.switch_context(nodeid)
        self.start = time.process_time()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.coverage.switch_context("")
        self.seconds[nodeid] = time.process_time() - self.start


def map_tests(folder: Path, tests: tuple[str, ...]) -> None:
    """Write ``map.json``: processor time of each test, and the tests that cover each line of each module."""
    import coverage
    import pytest

    modules = list_modules()
    measured = coverage.Coverage(data_file=None, include=[str(ROOT / path) for path in modules], config_file=False)
    recorder = _Recorder(measured)
    measured.start()
    code = pytest.main(["-q", "-p", "no:cacheprovider", *tests], plugins=[recorder])
    measured.stop()
    if code:
        sys.exit("a test fails without any mutant")
    data = measured.get_data()
    lines = {
        path: {str(n): [t for t in contexts if t] for n, contexts in data.contexts_by_lineno(str(ROOT / path)).items()}
        for path in modules
    }
    (folder / "map.json").write_text(json.dumps({"seconds": recorder.seconds, "lines": lines}), encoding="utf-8")


def choose_tests(mutant: Mutant, known: dict[str, Any]) -> list[str]:
    """Return the tests that cover the lines of a mutant, fastest first, of at most a minute together.

    What is executed on import, such as a constant or a default, is covered by the test files named after the module,
    and by all tests that execute anything of it.
    """
    lines, seconds = known["lines"][mutant.path], known["seconds"]
    # A change of a later line of a statement is covered as the statement is.
    line = next(n for n in range(mutant.line, -1, -1) if str(n) in lines or n == 0)
    tests = set(lines.get(str(line), []))
    if not tests:
        module = Path(mutant.path).relative_to("htr_lightning")
        named = f"tests/{module.with_name(f'test_{module.stem}').as_posix()}"
        tests = {test for covering in lines.values() for test in covering}
        tests |= {test for test in seconds if test.startswith(named)}
    chosen, total = [], 0.0
    for test in sorted(tests, key=lambda test: seconds[test]):
        total += seconds[test]
        if total > MAX_SECONDS and chosen:
            break
        chosen.append(test)
    return chosen


def copy_repository(folder: Path) -> Path:
    """Copy what the tests need, without bytecode, into a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("htr_lightning", "tests", "conf"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "Makefile"):
        shutil.copy2(ROOT / name, folder / name)
    return folder


def run_tests(copy: Path, tests: list[str], timeout: float) -> tuple[str, float]:
    """Run tests in a forked process; return how they ended and the seconds."""
    start = time.perf_counter()
    log = copy / "log.txt"
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(copy)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.path[:0] = [str(copy), str(copy / "htr_lightning" / "plugins")]
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
        import hypothesis
        import pytest

        hypothesis.settings.register_profile("mutation", deadline=None, derandomize=True, database=None)
        hypothesis.settings.load_profile("mutation")
        code = 99
        try:
            code = int(
                pytest.main(
                    ["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", IGNORED, *tests]
                )
            )
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(code)
    end = start + timeout
    while time.perf_counter() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return _describe(os.waitstatus_to_exitcode(status), log), time.perf_counter() - start
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "killed: timeout", time.perf_counter() - start


def _describe(code: int, log: Path) -> str:
    if code == 0:
        return "survived"
    text = log.read_text(encoding="utf-8", errors="replace")
    failed = [line for line in text.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return f"killed: {failed[0][:160]}" if failed else f"killed: exit code {code}"


def run(folder: Path, drawn: list[Mutant], workers: int, again: bool) -> None:
    """Run the tests of all mutants that have no outcome yet; append outcomes to ``outcomes.jsonl``."""
    for name in PREIMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    known = json.loads((folder / "map.json").read_text(encoding="utf-8"))
    outcomes = read_outcomes(folder)
    todo = [
        mutant
        for mutant in drawn
        if mutant.key not in outcomes or (again and not outcomes[mutant.key]["outcome"].startswith("killed"))
    ]
    copies = [copy_repository(folder / f"copy{number}") for number in range(workers)]
    outcome, seconds = run_tests(copies[0], sorted({t for m in todo for t in choose_tests(m, known)}), 3000)
    print(f"without a mutant: {outcome} {seconds:.0f} s", flush=True)
    if outcome != "survived":
        sys.exit("a test fails without any mutant: see log.txt")

    def run_one(mutant: Mutant) -> None:
        copy = copies.pop()
        tests = choose_tests(mutant, known)
        path, original = copy / mutant.path, ROOT / mutant.path
        path.write_text(mutant.apply(original.read_text(encoding="utf-8")), encoding="utf-8")
        timeout = 60 + 20 * sum(known["seconds"][test] for test in tests)
        outcome, seconds = run_tests(copy, tests, timeout) if tests else ("survived: no test covers it", 0.0)
        shutil.copy2(original, path)
        copies.append(copy)
        with (folder / "outcomes.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": mutant.key, "outcome": outcome, "seconds": round(seconds, 1)}) + "\n")
        print(f"{seconds:5.1f} s {mutant.description}: {outcome}", flush=True)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run_one, todo))


def read_outcomes(folder: Path) -> dict[str, Any]:
    """Return the last outcome of each mutant."""
    file = folder / "outcomes.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {row["key"]: row for row in map(json.loads, lines)}


def report(folder: Path, drawn: list[Mutant], seed: int) -> None:
    """Write the numbers by module, and the survivors; print a table."""
    outcomes = read_outcomes(folder)
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    survivors = []
    for mutant in drawn:
        outcome = outcomes[mutant.key]["outcome"] if mutant.key in outcomes else "not run"
        kind = outcome.partition(":")[0]
        counts[mutant.path][kind] += 1
        if kind != "killed":
            survivors.append(f"{mutant.description} [{outcome}]")
    total = sum(counts.values(), collections.Counter())
    for name, row in (*sorted(counts.items()), ("all", total)):
        print(f"| {name} | {row.total()} | {row['killed']} | {100 * row['killed'] / row.total():.0f} % |")
    result = {
        "seed": seed,
        "mutants": total.total(),
        "killed": total["killed"],
        "modules": counts,
        "survivors": survivors,
    }
    name = "result.json" if seed == 1 else f"result-seed-{seed}.json"
    (HERE / name).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print("\n".join(survivors))


def main() -> None:
    """Run one of the three commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("map", "run", "report"))
    parser.add_argument("--folder", type=Path, default=Path("runs/mutation"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=400, help="of mutants, about")
    parser.add_argument("--least", type=int, default=20, help="number of mutants of each module")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("tests", nargs="*", default=TESTS, help="test files to map, instead of all")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    drawn = draw_mutants(arguments.seed, arguments.number, arguments.least)
    drawn = [mutant for mutant in drawn if arguments.only in mutant.path]
    match arguments.command:
        case "map":
            map_tests(folder, tuple(arguments.tests))
        case "run":
            run(folder, drawn, arguments.workers, arguments.again)
        case "report":
            report(folder, drawn, arguments.seed)


if __name__ == "__main__":
    main()
