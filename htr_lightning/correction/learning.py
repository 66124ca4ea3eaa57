"""Learning from confirmed lines: a child process adapts the model, which is then measured on lines held out."""

import csv
import functools
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from htr_lightning.correction.errors import ProjectError
from htr_lightning.correction.learned_model import LearnedModel, read_texts
from htr_lightning.correction.line_images import ConfirmedLine, render_dataset
from htr_lightning.correction.page import CHANCE_FRACTION, draw_lot
from htr_lightning.correction.workspace import Workspace
from htr_lightning.errors import InputError
from htr_lightning.files import RunFolder, read_json, write_json

MIN_LINES = 16
"""Confirmed lines from which on learning is offered."""
_MIN_HELD_OUT = 4
_MAX_HELD_OUT = 400
_POLL_S = 0.5
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """How far the learning is.

    Attributes:
        phase: empty, ``preparing``, ``learning``, ``measuring``, ``finished``, ``stopped``, ``failed``.
        fraction: of the steps, 0..1.
        remaining_s: seconds; None while it is not known.
        problem: why it has failed.
        offered: name of the model that waits to be taken or left; empty if there is none.
        scores: of that model.
    """

    phase: str = ""
    fraction: float = 0.0
    remaining_s: float | None = None
    problem: str = ""
    offered: str = ""
    scores: dict[str, Any] = field(default_factory=dict)

    @property
    def is_running(self) -> bool:
        """Whether something is being done."""
        return self.phase in ("preparing", "learning", "measuring")


def split_lines(lines: Sequence[ConfirmedLine]) -> tuple[list[ConfirmedLine], list[ConfirmedLine]]:
    """Divide confirmed lines into those to learn from and those held out, by the lot of each line.

    The lines held out are those that chance has set aside for measuring (`htr_lightning.correction.order`); while there
    are too few of them, those with the next lots. A line changes sides only while there are few lines.
    """
    ordered = sorted((line for line in lines if line[2]), key=lambda line: draw_lot(line[0].key, line[1].id))
    number = sum(draw_lot(page.key, shape.id) < CHANCE_FRACTION for page, shape, _ in ordered)
    number = min(max(number, _MIN_HELD_OUT), _MAX_HELD_OUT, len(ordered) // 2)
    return ordered[number:], ordered[:number]


class Learner:
    """Learns from the confirmed lines of a project; one learning at a time.

    Args:
        workspace: of the project.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.progress = Progress()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """Folder of the learned models."""
        return self.workspace.project.state / "models"

    def list_models(self) -> list[LearnedModel]:
        """Return the model that the project began with, and all that were learned."""
        base = LearnedModel(self.workspace.project.base_model)
        paths = sorted(
            path for path in self.folder.glob("*/model.json") if (path.parent / "model.safetensors").is_file()
        )
        return [base, *(LearnedModel(**values) for values in map(read_json, paths) if values)]

    def start(self) -> None:
        """Start to learn.

        Raises:
            ProjectError: it is running already, or there are too few confirmed lines.
        """
        lines = self.workspace.project.confirmed_lines()
        if len(lines) < MIN_LINES:
            problem = f"{len(lines)} lines are confirmed; a model learns from {MIN_LINES} on"
            raise ProjectError(problem, remedy="confirm more lines", kind="few_lines")
        if self.progress.is_running:
            raise ProjectError("a model is learning already", remedy="wait, or stop it", kind="busy")
        self._stopped.clear()
        self.progress = Progress("preparing")
        self._thread = threading.Thread(target=self._run, args=(lines,), name="learning", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the learning, if one is running; the model that it has so far is lost."""
        self._stopped.set()
        if self._process is not None:
            self._process.terminate()

    def close(self) -> None:
        """Stop, and wait for the end."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def decide(self, name: str, *, is_taken: bool) -> None:
        """Take the model that is offered, or leave it; it is kept in either case.

        Raises:
            ProjectError: it is not offered.
        """
        if not name or name != self.progress.offered:
            raise ProjectError("this model is not offered", key="model", value=name[:40], kind="unknown_model")
        if is_taken:
            self.workspace.project.choose_model(name)
        self.progress = Progress()
        self.workspace.background.wake()

    def choose(self, name: str) -> None:
        """Go back to a model of the project.

        Raises:
            ProjectError: there is none of this name.
        """
        if name not in [model.name for model in self.list_models()]:
            raise ProjectError("there is no such model", key="model", value=name[:40], kind="unknown_model")
        self.workspace.project.choose_model(name)
        self.workspace.background.wake()

    def _run(self, lines: Sequence[ConfirmedLine]) -> None:
        folder = self.workspace.project.state / "learning"
        try:
            shutil.rmtree(folder, ignore_errors=True)
            model = self._learn(folder, lines)
            self.progress = Progress("finished", 1.0, offered=model.name, scores=asdict(model))
        except _Stopped:
            self.progress = Progress("stopped")
        except (InputError, OSError) as error:
            self.progress = Progress("failed", problem=str(error))
        except Exception as error:  # the thread must say what has happened
            log.exception("while learning")
            self.progress = Progress("failed", problem=f"{type(error).__name__}: {error}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            self._process = None

    def _learn(self, folder: Path, lines: Sequence[ConfirmedLine]) -> LearnedModel:
        start = self.workspace.project.model
        training, held_out = split_lines(lines)
        (folder / "lines" / "train").mkdir(parents=True)
        for name, content in render_dataset(training):
            self._check_stopped()
            (folder / "lines" / name).write_bytes(content)
        run = self._train(folder, self.workspace.get_model_source(start))
        self.progress = Progress("measuring", 1.0)
        number = 1 + max([int(path.name) for path in self.folder.iterdir() if path.name.isdecimal()], default=0)
        target = self.folder / f"{number:04d}"
        target.mkdir()
        shutil.move(run.model, target / "model.safetensors")
        model = LearnedModel(target.name, datetime.now(UTC).isoformat(timespec="seconds"), start, len(training))
        self._measure(model, held_out)
        write_json(target / "model.json", asdict(model))
        self.workspace.project.record_learned({"model": model.name, "start": start, "lines": len(training)})
        return model

    def _train(self, folder: Path, model: str) -> RunFolder:
        """Run the child process, and follow its progress.

        Raises:
            ProjectError: it has failed.
        """
        run = RunFolder(folder / "run")
        command = [sys.executable, "-m", "htr_lightning.correction.learning_process"]
        output = folder / "output.txt"
        package = Path(__file__).parents[2]  # the child imports this package, installed or not
        paths = [str(package), os.environ.get("PYTHONPATH", "")]
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [*command, str(run.path), str(folder / "lines"), model, *self.workspace.learning],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            )
            with self._process as process:
                self._follow(process, run)
        self._check_stopped()
        if process.returncode or not run.model.is_file():
            last = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            problem = f"the training has failed: {last[0] if last else f'exit status {process.returncode}'}"
            raise ProjectError(problem, kind="training")
        return run

    def _follow(self, process: "subprocess.Popen[bytes]", run: RunFolder) -> None:
        began: tuple[float, int] | None = None
        while process.poll() is None:
            if self._stopped.wait(_POLL_S):
                process.terminate()
            total, step = read_json(run.path.with_suffix(".json")).get("steps", 0), read_step(run)
            if not total:
                continue
            now = time.monotonic()
            began = began or ((now, step) if step else None)
            remaining = None
            if began is not None and step > began[1]:
                remaining = (total - step) * (now - began[0]) / (step - began[1])
            self.progress = Progress("learning", min(1.0, step / total), remaining)

    def _measure(self, model: LearnedModel, held_out: Sequence[ConfirmedLine]) -> None:
        """Read the lines held out with both models, in the background thread, and compare them."""
        texts = []
        for name in (model.start, model.name):
            read = functools.partial(self._read_held_out, name, held_out)
            texts.append(self._call_in_background(read))
        model.compare(texts[0], texts[1], [text for _, _, text in held_out])

    def _read_held_out(self, name: str, held_out: Sequence[ConfirmedLine]) -> list[str]:
        present = self.workspace.background.recognizer
        is_loaded = present is not None and present.name == name
        recognizer = present if is_loaded and present is not None else self.workspace.load_model(name)
        return read_texts(recognizer, held_out)

    def _call_in_background(self, function: Callable[[], Any]) -> Any:
        """Call a function in the thread that reads, so that two models never read at the same time."""
        future: Future[Any] = Future()

        def task() -> None:
            try:
                future.set_result(function())
            except Exception as error:
                future.set_exception(error)

        self.workspace.background.run_soon(task)
        while True:
            try:
                return future.result(_POLL_S)
            except TimeoutError:
                self._check_stopped()

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise _Stopped


class _Stopped(Exception):
    """The person has stopped the learning."""


def read_step(run: RunFolder) -> int:
    """Return the last step that a run has logged; 0 if there is none."""
    for path in reversed(run.logs):
        with path.open(newline="", encoding="utf-8") as file:
            steps = [int(row["step"]) for row in csv.DictReader(file) if (row.get("step") or "").isdecimal()]
        if steps:
            return max(steps) + 1
    return 0
