"""Reading in the background, aligning and learning, with a model that ships."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from helpers.drawn_pages import Drawn
from helpers.projects import draw_page, make_project

from htr_lightning.correction.errors import ProjectError
from htr_lightning.correction.layout_files import build_page
from htr_lightning.correction.learning import Learner, split_lines
from htr_lightning.correction.page import CONFIRMED, CORRECTED, Reading
from htr_lightning.correction.recognition import PageRecognizer
from htr_lightning.correction.transcripts import assign_texts, place_texts
from htr_lightning.correction.workspace import Workspace
from htr_lightning.reading.write.alto import write_alto
from htr_lightning.reading.write.writers import write_txt


def wait(condition: Callable[[], object]) -> None:
    """Wait for another thread, however slow the machine is."""
    while not condition():
        time.sleep(0.02)


def open_folder(folder: Path) -> Workspace:
    return Workspace(folder, "zoo:latin", finder="classical", device="cpu", learning=["trainer.max_steps=2"])


@pytest.fixture
def read(tmp_path: Path) -> Iterator[tuple[Workspace, list[Drawn]]]:
    """A project of three pages that was read; the last image is damaged, the second has the layout of another image."""
    folder = tmp_path / "scans"
    project, keys, drawn = make_project(folder, pages=2, lines=10)
    page = project.get_page(keys[1])
    layout = build_page(page)
    project.close()
    shutil.rmtree(folder / ".htr")
    wrong = write_alto(layout, datetime.now(UTC)).replace(b'WIDTH="800"', b'WIDTH="3000"')
    (folder / "page 2.xml").write_bytes(wrong)
    (folder / "torn.png").write_bytes(b"no image")
    workspace = open_folder(folder)
    workspace.start()
    wait(lambda: not workspace.background.get_status()["left"])
    yield workspace, drawn
    workspace.close()


def test_pages_are_read_and_unusable_ones_are_told(read: tuple[Workspace, list[Drawn]]) -> None:
    workspace, _ = read
    first, second, third = workspace.project.pages.values()
    assert len(first.line_ids) == 10 == len(first.readings)
    assert {reading.model for reading in first.readings.values()} == {"zoo:latin"}
    assert "page 2.xml" in second.problem and "torn.png" in third.problem
    workspace.background.find_again(second.key)
    wait(lambda: second.shapes is not None)
    assert not second.problem and len(second.line_ids) == 10 and second.layout is None


def test_a_text_without_line_breaks_is_laid_along_the_lines(read: tuple[Workspace, list[Drawn]]) -> None:
    workspace, drawn = read
    page = next(iter(workspace.project.pages.values()))
    recognizer = workspace.background.recognizer
    assert recognizer is not None
    workspace.project.set_text(page.key, page.line_ids[0], "confirmed before", CONFIRMED)
    texts, missing = assign_texts(workspace.project, "page 1.txt", " ".join(drawn[0].texts))
    assert (list(texts), missing) == ([page.key], [])
    (placed,) = place_texts(workspace.project, recognizer, texts)
    assert placed.placed + len(placed.uncertain) >= 7
    assert page.show_text(page.line_ids[0]) == "confirmed before"
    exact = [page.show_text(line) == text for line, text in zip(page.line_ids, drawn[0].texts, strict=True)]
    assert sum(exact) >= 6
    assert page.get_state(page.line_ids[exact.index(True)]) == CORRECTED


def test_texts_are_assigned_by_name(read: tuple[Workspace, list[Drawn]]) -> None:
    project = read[0].project
    keys = list(project.pages)
    texts, missing = assign_texts(project, "all.txt", "=== page 2 ===\nun\n=== nowhere ===\ndeux\n")
    assert ({key: text.strip() for key, text in texts.items()}, missing) == ({keys[1]: "un"}, ["nowhere"])
    texts, missing = assign_texts(project, "all.txt", "un\fdeux\ftrois")
    assert [texts[key] for key in keys] == ["un", "deux", "trois"]
    with pytest.raises(ProjectError) as caught:
        assign_texts(project, "nowhere.txt", "un")
    assert caught.value.kind == "unknown_page"


def test_learning_is_measured_on_lines_held_out_and_can_be_stopped(read: tuple[Workspace, list[Drawn]]) -> None:
    workspace, drawn = read
    first, second, _ = workspace.project.pages.values()
    workspace.background.find_again(second.key)
    wait(lambda: second.shapes is not None)
    learner = Learner(workspace)
    workspace.closers.append(learner.close)
    with pytest.raises(ProjectError) as caught:
        learner.start()
    assert caught.value.kind == "few_lines"
    for page, shown in ((first, drawn[0]), (second, drawn[1])):
        for line, text in zip(page.line_ids[:9], shown.texts, strict=False):
            workspace.project.set_text(page.key, line, text, CONFIRMED)
    learner.start()
    with pytest.raises(ProjectError):
        learner.start()
    learner.stop()
    wait(lambda: not learner.progress.is_running)
    assert learner.progress.phase == "stopped" and len(learner.list_models()) == 1
    learner.start()
    wait(lambda: not learner.progress.is_running)
    assert learner.progress.phase == "finished", learner.progress.problem
    name = learner.progress.offered
    model = learner.list_models()[-1]
    assert model.num_lines + model.num_held_out == 18 and model.num_held_out >= 4
    assert model.before is not None and model.gain_interval is not None
    training, held_out = split_lines(workspace.project.confirmed_lines())
    assert (len(training), len(held_out)) == (model.num_lines, model.num_held_out)
    learner.decide(name, is_taken=True)
    wait(lambda: not workspace.background.get_status()["left"])
    assert {first.readings[line].model for line in first.line_ids} == {"zoo:latin", name}
    learner.choose("zoo:latin")
    wait(lambda: not workspace.background.get_status()["left"])
    assert first.readings[first.line_ids[9]].model == "zoo:latin"
    assert first.show_text(first.line_ids[0]) == drawn[0].texts[0]
    with pytest.raises(ProjectError):
        learner.choose("0099")
    assert write_txt(build_page(first)).decode().startswith(drawn[0].texts[0])


def test_a_folder_with_one_page_reads_the_open_page_first(tmp_path: Path) -> None:
    for number in range(3):
        draw_page(tmp_path / "scans", f"{number}.png", seed=number)
    workspace = open_folder(tmp_path / "scans")
    pages = list(workspace.project.pages.values())
    workspace.background.wake(pages[2].key)
    workspace.start()
    wait(lambda: any(page.shapes is not None for page in pages))
    assert pages[2].shapes is not None
    workspace.close()


def test_lines_of_a_layout_file_are_shown_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, keys, drawn = make_project(tmp_path / "scans", pages=1)
    layout = write_alto(build_page(project.get_page(keys[0])), datetime.now(UTC))
    project.close()
    shutil.rmtree(tmp_path / "scans" / ".htr")
    (tmp_path / "scans" / "page 1.xml").write_bytes(layout)
    workspace = open_folder(tmp_path / "scans")
    (page,) = workspace.project.pages.values()
    shown: list[str] = []

    def read(self: PageRecognizer, pixels: object, shapes: object) -> dict[str, Reading]:
        shown.extend(page.show_text(line) for line in page.line_ids)
        return {line: Reading("read", model=self.name) for line in page.line_ids}

    monkeypatch.setattr(PageRecognizer, "read_lines", read)
    workspace.start()
    wait(lambda: not workspace.background.get_status()["left"])
    workspace.close()
    assert shown == [text[:-1] for text in drawn[0].texts]
    assert {reading.text for reading in page.readings.values()} == {"read"}
