"""What the page asks the server for: JSON in and out."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from htr_lightning.correction import edits
from htr_lightning.correction.errors import ConflictError, ProjectError
from htr_lightning.correction.learning import Learner
from htr_lightning.correction.page import CONFIRMED, CORRECTED, ProjectPage
from htr_lightning.correction.pictures import get_picture_box, get_picture_turns, name_picture
from htr_lightning.correction.workspace import Workspace
from htr_lightning.directions.bidi import find_letter_direction
from htr_lightning.errors import InputError
from htr_lightning.files import OutputError
from htr_lightning.image.files import DataError

Values = dict[str, Any]
Handler = Callable[[Workspace, Request, Values], Any]
_IMMUTABLE = {"cache-control": "private, max-age=31536000, immutable"}


def describe_line(workspace: Workspace, page: ProjectPage, number: int) -> Values:
    """Return a line as the page shows it.

    Args:
        workspace: of the page.
        page: the page.
        number: index of the line on it.
    """
    assert page.shapes is not None
    shape = page.shapes[number]
    reading, text = page.readings.get(shape.id), page.show_text(shape.id)
    known = page.texts.get(shape.id)
    return {
        "page": page.key,
        "id": shape.id,
        "number": number + 1,
        "text": text,
        "state": page.get_state(shape.id),
        "revision": known.revision if known else 0,
        "undo": bool(known and known.history),
        "reading": reading.text if reading else "",
        "problem": reading.problem if reading else "",
        "doubt": reading.doubt if reading else None,
        "words": [
            {"start": w.start, "text": w.text, "box": w.box, "alternatives": w.alternatives, "confidence": w.confidence}
            for w in (reading.words if reading else ())
        ],
        "polygon": np.round(shape.polygon).astype(int).tolist(),
        "baseline": np.round(shape.baseline).astype(int).tolist(),
        "picture": get_picture_box(page, shape),
        "picture_id": name_picture(page, shape),
        "turned": get_picture_turns(page, shape),
        "vertical": shape.vertical,
        "dir": find_letter_direction(text) or "auto",
        "unknown": workspace.find_unknown(text) if known and known.text is not None else "",
    }


def describe_page(workspace: Workspace, page: ProjectPage) -> Values:
    """Return a page with its lines, as the page shows it."""
    return {
        "key": page.key,
        "name": page.name,
        "width": page.width,
        "height": page.height,
        "problem": page.problem,
        "notes": page.notes,
        "has_layout": page.layout is not None,
        "is_found": page.shapes is not None,
        "undo": bool(page.edits),
        "version": workspace.project.page_versions.get(page.key, 0),
        "lines": [describe_line(workspace, page, number) for number in range(len(page.shapes or ()))],
    }


def describe_progress(page: ProjectPage) -> Values:
    """Return how far a page is, as the list of pages shows it."""
    return page.count() | {"problem": page.problem, "is_found": page.shapes is not None}


def get_page(workspace: Workspace, request: Request, values: Values) -> Any:
    """Return a page; it is read before the others from now on."""
    page = workspace.project.get_page(request.path_params["key"])
    workspace.background.wake(page.key)
    with workspace.project.lock:
        return describe_page(workspace, page)


def get_status(workspace: Workspace, request: Request, values: Values) -> Any:
    """Return what goes on, and which pages have changed since a version that the page knows."""
    project = workspace.project
    since = int(request.query_params.get("since", "0"))
    with project.lock:
        changed = [key for key, version in project.page_versions.items() if version > since]
        status = workspace.get_status() | {"version": project.version, "changed": changed}
        if "counts" in request.query_params:
            status["counts"] = {key: describe_progress(page) for key, page in project.pages.items()}
    return status


def save_line(workspace: Workspace, request: Request, values: Values) -> Any:
    """Save the text of a line, corrected or confirmed; answer with the line."""
    state = get(values, "state", str)
    if state not in (CORRECTED, CONFIRMED):
        raise ProjectError("a line is saved as corrected or confirmed", key="state", value=state)
    key, line = get(values, "page", str), get(values, "line", str)
    revision = values.get("revision")
    workspace.project.set_text(key, line, get(values, "text", str), state, revision=revision)
    return _answer_line(workspace, key, line)


def undo_line(workspace: Workspace, request: Request, values: Values) -> Any:
    """Give a line its previous text back; answer with the line."""
    key, line = get(values, "page", str), get(values, "line", str)
    is_undone = workspace.project.undo_text(key, line)
    return _answer_line(workspace, key, line) | {"undone": is_undone}


def _answer_line(workspace: Workspace, key: str, line: str) -> Values:
    with workspace.project.lock:
        page = workspace.project.get_page(key)
        workspace.project.check_line(page, line)
        return describe_line(workspace, page, page.line_ids.index(line))


def edit_lines(workspace: Workspace, request: Request, values: Values) -> Any:
    """Change which lines a page has; answer with the page and the line to go on with."""
    name, key, line = get(values, "edit", str), get(values, "page", str), values.get("line") or ""
    with workspace.project.lock:
        page = workspace.project.get_page(key)
        if page.shapes is None:
            raise ProjectError("the lines of the page are not found yet", remedy="wait a moment", kind="not_found_yet")
        edit = _make_edit(page, name, str(line), values)
        workspace.project.set_lines(key, name, edit.shapes, edit.texts)
        return describe_page(workspace, page) | {"line": edit.line}


def _make_edit(page: ProjectPage, name: str, line: str, values: Values) -> edits.Edit:
    if name in ("redraw", "draw"):
        points = np.array([[float(x), float(y)] for x, y in get(values, "points", list)], np.float32).reshape(-1, 2)
        return edits.draw_line(page, points, line) if name == "draw" else edits.redraw_line(page, line, points)
    if name == "split":
        return edits.split_line(page, line, get(values, "position", int))
    if name == "delete":
        return edits.delete_line(page, line)
    if name == "merge":
        return edits.merge_with_next(page, line)
    if name in ("up", "down"):
        return edits.move_line(page, line, -1 if name == "up" else 1)
    raise ProjectError("there is no such edit", key="edit", value=name, remedy=f"choose from {', '.join(edits.EDITS)}")


def undo_edit(workspace: Workspace, request: Request, values: Values) -> Any:
    """Undo the last edit of the lines of a page; answer with the page."""
    key = get(values, "page", str)
    with workspace.project.lock:
        is_undone = workspace.project.undo_lines(key)
        return describe_page(workspace, workspace.project.get_page(key)) | {"undone": is_undone}


def find_again(workspace: Workspace, request: Request, values: Values) -> Any:
    """Find the lines of a page in its image, although it has a layout file, or try an image again."""
    page = workspace.project.get_page(get(values, "page", str))
    workspace.background.find_again(page.key)
    return {}


def list_characters(workspace: Workspace, request: Request, values: Values) -> Any:
    """Return the characters of the palette, and the language of the texts."""
    return {"characters": workspace.list_characters(), "languages": workspace.get_languages()}


def draw_page(workspace: Workspace, request: Request) -> Response:
    """Return the picture of a page."""
    content = workspace.pictures.draw_page(request.path_params["key"])
    return Response(content, media_type="image/jpeg", headers=_IMMUTABLE)


def draw_line(workspace: Workspace, request: Request) -> Response:
    """Return the picture of a line."""
    content = workspace.pictures.draw_line(request.path_params["key"], request.path_params["line"])
    return Response(content, media_type="image/jpeg", headers=_IMMUTABLE)


def get(values: Values, name: str, kind: type) -> Any:
    """Return a value of a request.

    Raises:
        ProjectError: it is missing, or of another type.
    """
    value = values.get(name)
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise ProjectError("the request lacks this value, or it has another type", key=name, kind="request")
    return value


def handle(workspace: Workspace, handler: Handler) -> Callable[[Request], Any]:
    """Return an endpoint that answers with JSON: what a handler returns, or the problem."""

    async def endpoint(request: Request) -> Response:
        values: Any = {}
        if request.method == "POST":
            try:
                values = json.loads(await request.body() or b"{}")
            except (ValueError, RecursionError):
                values = None
            if not isinstance(values, dict):
                return JSONResponse({"problem": "the request is no JSON object"}, 400)
        try:
            return JSONResponse(await run_in_threadpool(handler, workspace, request, values))
        except InputError as error:
            return JSONResponse({"problem": str(error), "kind": error.kind}, get_http_status(error))
        except (TypeError, ValueError, OverflowError) as error:
            return JSONResponse({"problem": f"the request is malformed ({error})", "kind": "request"}, 400)

    return endpoint


def handle_picture(workspace: Workspace, draw: Callable[[Workspace, Request], Response]) -> Callable[[Request], Any]:
    """Return an endpoint that answers with a picture, or with the problem as JSON."""

    async def endpoint(request: Request) -> Response:
        try:
            return await run_in_threadpool(draw, workspace, request)
        except InputError as error:
            return JSONResponse({"problem": str(error), "kind": error.kind}, get_http_status(error))

    return endpoint


def get_http_status(error: InputError) -> int:
    """Return the HTTP status that tells the kind of an error."""
    if isinstance(error, ConflictError):
        return 409
    if isinstance(error, OutputError):
        return 507
    if error.kind in ("unknown_page", "unknown_line", "unknown_model") or isinstance(error, DataError):
        return 404
    return 400


def build_routes(workspace: Workspace, learner: Learner) -> list[Route]:
    """Return the routes below ``/api`` and those of the pictures."""

    def get_full_status(workspace: Workspace, request: Request, values: Values) -> Any:
        progress = learner.progress
        fraction = f"{progress.fraction:.0%}" if progress.phase == "learning" else progress.phase
        learning = {"is_running": progress.is_running, "phase": progress.phase, "left": fraction}
        return get_status(workspace, request, values) | {"learning": learning}

    gets = {"/api/status": get_full_status, "/api/page/{key}": get_page, "/api/characters": list_characters}
    posts = {
        "/api/line": save_line,
        "/api/undo": undo_line,
        "/api/lines": edit_lines,
        "/api/lines/undo": undo_edit,
        "/api/find-lines": find_again,
    }
    return [
        *(Route(path, handle(workspace, handler), methods=["GET"]) for path, handler in gets.items()),
        *(Route(path, handle(workspace, handler), methods=["POST"]) for path, handler in posts.items()),
        Route("/picture/{key}.jpg", handle_picture(workspace, draw_page), methods=["GET"]),
        Route("/picture/{key}/{line:path}.jpg", handle_picture(workspace, draw_line), methods=["GET"]),
    ]
