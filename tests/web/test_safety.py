"""Whoever is not the person in front of the screen is refused."""

from pathlib import Path
from urllib.parse import quote

import pytest
from helpers.correction_server import PORT, TOKEN, make_client
from helpers.projects import draw_page
from starlette.testclient import TestClient

from htr_lightning.correction.workspace import Workspace
from htr_lightning.web.app import build_app
from htr_lightning.web.safety import MAX_BODY_BYTES


def get_paths(workspace: Workspace) -> list[str]:
    key = next(iter(workspace.project.pages))
    return [
        "/",
        f"/page/{key}",
        f"/api/page/{key}",
        "/api/status",
        f"/picture/{key}.jpg",
        f"/picture/{key}/r1_l1.jpg",
        "/static/style.css",
    ]


def test_without_the_token_nothing_is_shown(workspace: Workspace) -> None:
    client = make_client(workspace, has_token=False)
    for path in [*get_paths(workspace), f"/?token={'0' * 32}", "/?token=", "/nowhere"]:
        response = client.get(path)
        assert response.status_code == 403
        assert "page 1" not in response.text


def test_the_token_leaves_the_address_and_becomes_a_cookie_of_this_server_only(workspace: Workspace) -> None:
    client = make_client(workspace, has_token=False)
    response = client.get(f"/?token={TOKEN}&a=b", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/?a=b")
    cookie = response.headers["set-cookie"].lower()
    assert f"htr_{PORT}={TOKEN}" in cookie and "httponly" in cookie and "samesite=strict" in cookie
    assert client.get("/").status_code == 200
    outside = client.get(f"//evil.example/?token={TOKEN}", follow_redirects=False)
    assert outside.headers.get("location", "/").startswith("/") and not outside.headers.get("location", "/").startswith(
        "//"
    )


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", ""])
def test_another_host_name_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", f"https://127.0.0.1:{PORT}", f"http://127.0.0.1:{PORT + 1}"]
)
def test_another_origin_is_refused(client: TestClient, workspace: Workspace, origin: str) -> None:
    key = next(iter(workspace.project.pages))
    values = {"page": key, "line": "r1_l1", "text": "forged", "state": "confirmed"}
    assert client.post("/api/line", json=values, headers={"origin": origin}).status_code == 403
    assert client.get("/", headers={"origin": origin}).status_code == 403
    assert workspace.project.get_page(key).show_text("r1_l1") != "forged"


def test_a_change_without_an_origin_is_refused(workspace: Workspace) -> None:
    client = TestClient(build_app(workspace, TOKEN, PORT), f"http://127.0.0.1:{PORT}", cookies={f"htr_{PORT}": TOKEN})
    assert client.get("/").status_code == 200
    assert client.post("/api/line", json={}).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/page/..%2f..%2fetc%2fpasswd",
        "/picture/..%2f..%2fetc%2fpasswd.jpg",
        "/picture/../../../etc/passwd",
        "/api/page/../../etc/passwd",
    ],
)
def test_paths_out_of_the_folder_lead_nowhere(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code in (400, 404)
    assert "root:" not in response.text and "import" not in response.text


def test_lines_named_like_paths_lead_nowhere(client: TestClient, workspace: Workspace) -> None:
    key = next(iter(workspace.project.pages))
    for line in ("../../etc/passwd", "..", "r1_l1/../../x", "\0"):
        assert client.get(f"/picture/{key}/{quote(line, safe='')}.jpg").status_code in (400, 404)
        values = {"page": key, "line": line, "text": "x", "state": "confirmed"}
        assert client.post("/api/line", json=values).status_code == 404
    assert not list(workspace.project.folder.parent.glob("passwd*"))


def test_a_page_name_with_markup_is_shown_as_text(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>&\"'.png"
    draw_page(tmp_path / "scans", name)
    workspace = Workspace(tmp_path / "scans", "zoo:latin")
    client = make_client(workspace)
    (key,) = workspace.project.pages
    for path in ("/", f"/page/{key}"):
        page = client.get(path).text
        assert "<img src=x" not in page
        assert "&lt;img src=x onerror=alert(1)&gt;&amp;" in page
    workspace.close()


def test_large_requests_are_refused_with_and_without_a_stated_length(client: TestClient) -> None:
    body = b'{"text": "' + b"x" * 30 * 2**20 + b'"}'
    assert client.post("/api/line", content=body).status_code == 413
    chunks = (b"x" * 2**20 for _ in range(30))
    assert client.post("/api/line", content=chunks).status_code == 413
    assert client.post("/api/line", content=b" " * MAX_BODY_BYTES).status_code == 400


def test_every_answer_forbids_foreign_scripts_and_frames(client: TestClient, workspace: Workspace) -> None:
    for path in [*get_paths(workspace), "/nowhere"]:
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "cache-control" in headers


def test_pages_name_nothing_of_the_network(client: TestClient, workspace: Workspace) -> None:
    import htr_lightning.web

    folder = Path(htr_lightning.web.__file__).parent
    files = [path for path in (*folder.glob("static/*"), *folder.glob("templates/*"))]
    assert len(files) > 5
    for path in files:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text and "style=" not in text and "onclick" not in text
