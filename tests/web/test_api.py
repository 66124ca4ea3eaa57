"""What the page asks the server for."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from htr_lightning.correction import edits
from htr_lightning.correction.layout_files import build_page
from htr_lightning.correction.page import DoubtfulWord, LineShape, Reading
from htr_lightning.correction.workspace import Workspace


@pytest.fixture
def key(workspace: Workspace) -> str:
    return next(iter(workspace.project.pages))


def test_a_page_has_its_lines_with_their_doubtful_words(client: TestClient, workspace: Workspace, key: str) -> None:
    word = DoubtfulWord(3, "roi", 0.4, (10.0, 20.0, 50.0, 60.0), ("roy", "moi"))
    workspace.project.store_readings(
        key, {"r1_l1": Reading("le roi", 0.3, 0.1, "zoo:latin", (word,), (1, 2, 3, 4, 5, 6))}
    )
    page = client.get(f"/api/page/{key}").json()
    assert (page["name"], page["width"], page["height"], len(page["lines"])) == ("page 1.png", 800, 900, 4)
    line = page["lines"][0]
    assert (line["id"], line["number"], line["state"], line["dir"]) == ("r1_l1", 1, "read", "ltr")
    assert line["words"] == [
        {"start": 3, "text": "roi", "confidence": 0.4, "box": [10, 20, 50, 60], "alternatives": ["roy", "moi"]}
    ]
    left, top, right, bottom = line["picture"]
    assert 0 <= left < right <= 800 and 0 <= top < bottom <= 900


def test_a_line_is_saved_undone_and_its_conflicts_are_told(client: TestClient, workspace: Workspace, key: str) -> None:
    values = {"page": key, "line": "r1_l1", "text": " le  roi ", "state": "confirmed", "revision": 0}
    saved = client.post("/api/line", json=values).json()
    assert (saved["text"], saved["state"], saved["undo"]) == ("le roi", "confirmed", True)
    assert saved["revision"] > 0
    conflict = client.post("/api/line", json=values | {"text": "la reine"})
    assert (conflict.status_code, conflict.json()["kind"]) == (409, "conflict")
    undone = client.post("/api/undo", json={"page": key, "line": "r1_l1"}).json()
    assert (undone["state"], undone["undone"]) == ("read", True)
    assert not client.post("/api/undo", json={"page": key, "line": "r1_l1"}).json()["undone"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b"\xff", b'{"page": 1}', b'{"state": "confirmed", "page": "x", "line": "y"}']
)
def test_malformed_requests_are_refused(client: TestClient, body: bytes) -> None:
    for path in ("/api/line", "/api/undo", "/api/lines", "/api/lines/undo", "/api/find-lines"):
        response = client.post(path, content=body)
        assert response.status_code in (400, 404)
        assert response.json()["problem"]


@pytest.mark.parametrize(
    "change", [{"state": "read"}, {"state": "x"}, {"text": None}, {"text": 3}, {"text": "x" * 5000}]
)
def test_values_of_a_line_are_checked(client: TestClient, key: str, change: dict[str, object]) -> None:
    values = {"page": key, "line": "r1_l1", "text": "un", "state": "confirmed"} | change
    assert client.post("/api/line", json=values).status_code == 400


def test_the_layout_is_edited_and_the_edit_undone(client: TestClient, workspace: Workspace, key: str) -> None:
    merged = client.post("/api/lines", json={"edit": "merge", "page": key, "line": "r1_l1"}).json()
    assert [line["id"] for line in merged["lines"]] == [merged["line"], "r1_l3", "r1_l4"]
    drawn = client.post("/api/lines", json={"edit": "draw", "page": key, "points": [[100, 700], [600, 705]]}).json()
    assert drawn["lines"][-1]["id"] == drawn["line"]
    assert drawn["undo"]
    for _ in range(2):
        undone = client.post("/api/lines/undo", json={"page": key}).json()
    assert [line["id"] for line in undone["lines"]] == ["r1_l1", "r1_l2", "r1_l3", "r1_l4"]
    assert not client.post("/api/lines/undo", json={"page": key}).json()["undone"]


@pytest.mark.parametrize(
    "values",
    [
        {"edit": "burn", "line": "r1_l1"},
        {"edit": "split", "line": "r1_l1", "position": 0},
        {"edit": "split", "line": "r1_l1", "position": "a"},
        {"edit": "draw", "points": [[1, 2]]},
        {"edit": "draw", "points": [[1, 2, 3], [1, 2, 3]]},
        {"edit": "draw", "points": [["a", 2], [1, 2]]},
        {"edit": "draw", "points": [[1e400, 2], [1, 2]]},
        {"edit": "draw", "points": "x"},
        {"edit": "merge", "line": "r1_l4"},
    ],
)
def test_edits_that_make_no_sense_are_refused(client: TestClient, key: str, values: dict[str, object]) -> None:
    response = client.post("/api/lines", content=json.dumps({"page": key} | values))
    assert response.status_code == 400
    assert response.json()["problem"]
    assert len(client.get(f"/api/page/{key}").json()["lines"]) == 4


def test_pictures_of_pages_and_lines(client: TestClient, key: str) -> None:
    page = client.get(f"/picture/{key}.jpg")
    assert page.headers["content-type"] == "image/jpeg" and "immutable" in page.headers["cache-control"]
    assert Image.open(io.BytesIO(page.content)).size == (800, 900)
    assert client.get(f"/picture/{key}.jpg").content == page.content
    line = client.get(f"/api/page/{key}").json()["lines"][0]
    picture = client.get(f"/picture/{key}/{line['id']}.jpg")
    left, top, right, bottom = line["picture"]
    assert Image.open(io.BytesIO(picture.content)).size == (right - left, bottom - top)
    assert client.get(f"/picture/{key}/none.jpg").status_code == 404


def test_an_image_that_cannot_be_read_is_told(client: TestClient, workspace: Workspace, key: str) -> None:
    workspace.project.get_page(key).scan.path.write_bytes(b"no image")
    response = client.get(f"/picture/{key}.jpg")
    assert response.status_code == 404
    assert "page 1.png" in response.json()["problem"]


def test_the_status_tells_what_has_changed(client: TestClient, workspace: Workspace, key: str) -> None:
    status = client.get("/api/status?since=0").json()
    assert set(status["changed"]) == set(workspace.project.pages)
    assert (status["lines"], status["read"], status["confirmed"]) == (8, 8, 0)
    client.post("/api/line", json={"page": key, "line": "r1_l1", "text": "un", "state": "confirmed"})
    after = client.get(f"/api/status?since={status['version']}&counts=1").json()
    assert after["changed"] == [key]
    assert after["counts"][key]["confirmed"] == 1
    assert client.get(f"/api/status?since={after['version']}").json()["changed"] == []
    assert client.get("/api/status?since=x").status_code == 400


def test_a_full_disk_is_told_and_nothing_is_said_to_be_saved(
    client: TestClient, workspace: Workspace, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"page": key, "line": "r1_l1", "text": "un", "state": "confirmed"}

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("htr_lightning.correction.journal.os.fsync", refuse)
        response = client.post("/api/line", json=values)
    assert (response.status_code, response.json()["kind"]) == (507, "unwritable")
    assert client.get(f"/api/page/{key}").json()["lines"][0]["state"] == "read"
    assert client.post("/api/line", json=values).json()["state"] == "confirmed"


def test_the_palette_has_the_characters_that_keyboards_lack(client: TestClient, workspace: Workspace, key: str) -> None:
    client.post("/api/line", json={"page": key, "line": "r1_l1", "text": "ꝑ ꝑ ꝑ é", "state": "confirmed"})
    characters = client.get("/api/characters").json()["characters"]
    assert characters[0] == "ꝑ" and "é" in characters and "a" not in characters


def test_fields_have_the_direction_of_their_text(client: TestClient, key: str) -> None:
    for text, expected in (("le roi", "ltr"), ("שלום 12", "rtl"), ("12 - 3", "auto")):
        client.post("/api/line", json={"page": key, "line": "r1_l1", "text": text, "state": "corrected"})
        assert client.get(f"/api/page/{key}").json()["lines"][0]["dir"] == expected


def put_columns(workspace: Workspace, key: str, text: str) -> None:
    """Put two vertical lines into a project, the first at the right."""
    shapes = []
    for number, x in enumerate((500, 400), 1):
        box = np.array([(x, 100), (x + 60, 100), (x + 60, 700), (x, 700)], np.float32)
        baseline = np.array([(x + 5, 100), (x + 5, 700)], np.float32)
        shapes.append(LineShape(f"v{number}", baseline, box, orientation=1, vertical="top-to-bottom"))
    workspace.project.store_readings(key, {shape.id: Reading(text, 0.9, 0.1, "zoo:latin") for shape in shapes})
    workspace.project.store_lines(key, (800, 900), shapes, {})


@pytest.mark.parametrize(("text", "turns"), [("一二三四", 0), ("le roi", 1)])
def test_columns_of_ideographs_are_shown_upright_and_other_vertical_lines_turned(
    client: TestClient, workspace: Workspace, key: str, text: str, turns: int
) -> None:
    put_columns(workspace, key, text)
    line = client.get(f"/api/page/{key}").json()["lines"][0]
    assert (line["turned"], line["vertical"]) == (turns, "top-to-bottom")
    picture = Image.open(io.BytesIO(client.get(f"/picture/{key}/v1.jpg").content))
    assert (picture.height > picture.width) == (turns == 0)


def test_edits_keep_vertical_lines_vertical(client: TestClient, workspace: Workspace, key: str) -> None:
    put_columns(workspace, key, "一二三四")
    page = workspace.project.get_page(key)
    edit = edits.draw_line(page, np.array([(300, 690), (302, 110)], np.float32), "v2")
    drawn = edit.shapes[-1]
    assert (drawn.orientation, drawn.vertical) == (1, "top-to-bottom")
    assert drawn.baseline[0, 1] < drawn.baseline[-1, 1] and np.ptp(drawn.polygon[:, 0]) == pytest.approx(62, abs=15)
    across = edits.redraw_line(page, "v1", np.array([(100, 50), (700, 50)], np.float32)).shapes[0]
    assert (across.orientation, across.vertical) == (0, "")
    first, second = edits.split_line(page, "v1", 2).shapes[:2]
    assert first.vertical == second.vertical == "top-to-bottom"
    assert first.polygon[:, 1].max() == pytest.approx(400, abs=2) == second.polygon[:, 1].min()
    merged = edits.merge_with_next(page, "v1").shapes[0]
    assert merged.vertical == "top-to-bottom"
    restored = LineShape.from_dict(drawn.to_dict())
    assert (restored.vertical, restored.orientation) == (drawn.vertical, drawn.orientation)
    old = {name: value for name, value in drawn.to_dict().items() if name != "vertical"}  # of an older version
    assert LineShape.from_dict(old).vertical == ""
    (region,) = build_page(page).regions
    assert region.vertical == "top-to-bottom"
