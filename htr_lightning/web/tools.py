"""What the views beside the lines ask the server for: useful lines, find and replace, learning, exports, alignment."""

import dataclasses
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from htr_lightning.correction.errors import ProjectError
from htr_lightning.correction.export import export
from htr_lightning.correction.learning import MIN_LINES, Learner
from htr_lightning.correction.order import ErrorRate, choose_lines, measure_by_chance
from htr_lightning.correction.page import ProjectPage
from htr_lightning.correction.search import MAX_MATCHES, Query, find_matches, replace_matches
from htr_lightning.correction.transcripts import assign_texts, place_texts
from htr_lightning.correction.workspace import Workspace
from htr_lightning.errors import InputError
from htr_lightning.text import format_count
from htr_lightning.web.api import Values, describe_line, get, get_http_status, handle


def get_useful(workspace: Workspace, request: Request, values: Values) -> Any:
    """Return the lines to work on next, and what is known of the model by the lines that chance has chosen."""
    project = workspace.project
    chosen = choose_lines(project)
    with project.lock:
        lines = [_describe_chosen(workspace, project.get_page(key), line) for key, line in chosen]
    return {"lines": lines, "explanation": describe_rate(measure_by_chance(project))}


def _describe_chosen(workspace: Workspace, page: ProjectPage, line: str) -> Values:
    described = describe_line(workspace, page, page.line_ids.index(line))
    return described | {"page_name": page.name, "count": len(page.line_ids)}


def describe_rate(rate: ErrorRate | None) -> str:
    """Return a sentence on the error rate of the present model."""
    if rate is None:
        return (
            "Each fifth of the most useful lines is chosen by chance; once some of them are confirmed, they tell the "
            "CER of the model on these pages."
        )
    text = f"CER {100 * rate.cer:.1f} %"
    if rate.low == rate.low:
        text += f" ({100 * rate.low:.1f} to {100 * rate.high:.1f} %)"
    return f"{text} on {format_count(rate.num_lines, 'confirmed line')} that chance has chosen."


def find(workspace: Workspace, request: Request, values: Values) -> Any:
    """Return the lines in which something is found."""
    matches = find_matches(workspace.project, _get_query(values))
    with workspace.project.lock:
        names = {key: page.name for key, page in workspace.project.pages.items()}
    shown = [dataclasses.asdict(match) | {"name": names[match.page]} for match in matches[:MAX_MATCHES]]
    return {"lines": shown, "total": len(matches), "places": sum(len(match.spans) for match in matches)}


def replace(workspace: Workspace, request: Request, values: Values) -> Any:
    """Replace what is found in the lines that were chosen."""
    lines = [(str(key), str(line)) for key, line in get(values, "lines", list)]
    changed = replace_matches(workspace.project, _get_query(values), get(values, "replacement", str), lines)
    return {"changed": changed}


def undo_all(workspace: Workspace, request: Request, values: Values) -> Any:
    """Give lines their previous texts back."""
    lines = [(str(key), str(line)) for key, line in get(values, "lines", list)]
    return {"undone": sum(workspace.project.undo_text(key, line) for key, line in lines)}


def _get_query(values: Values) -> Query:
    return Query(get(values, "text", str), bool(values.get("words")), bool(values.get("ignore_case")))


def place_transcription(workspace: Workspace, request: Request, values: Values) -> Any:
    """Lay a text file along the lines of its pages; answer with what was placed and what was not."""
    recognizer = workspace.background.recognizer
    if recognizer is None:
        raise ProjectError("the model is not loaded yet", remedy="wait a moment", kind="not_loaded")
    texts, missing = assign_texts(workspace.project, get(values, "name", str), get(values, "text", str))
    placed = place_texts(workspace.project, recognizer, texts)
    return {"pages": [dataclasses.asdict(page) for page in placed], "missing": missing}


def build_learning_routes(learner: Learner) -> list[Route]:
    """Return the routes of the learning."""
    workspace = learner.workspace

    def start(_: Workspace, request: Request, values: Values) -> Any:
        learner.start()
        return describe_learning(learner)

    def stop(_: Workspace, request: Request, values: Values) -> Any:
        learner.stop()
        return describe_learning(learner)

    def decide(_: Workspace, request: Request, values: Values) -> Any:
        learner.decide(get(values, "model", str), is_taken=get(values, "take", bool))
        return describe_learning(learner)

    def choose(_: Workspace, request: Request, values: Values) -> Any:
        learner.choose(get(values, "model", str))
        return describe_learning(learner)

    posts = {"start": start, "stop": stop, "decide": decide, "choose": choose}
    return [
        Route("/api/learning", handle(workspace, lambda *_: describe_learning(learner)), methods=["GET"]),
        *(
            Route(f"/api/learning/{name}", handle(workspace, function), methods=["POST"])
            for name, function in posts.items()
        ),
    ]


def describe_learning(learner: Learner) -> Values:
    """Return how far the learning is, and the models of the project."""
    progress = learner.progress
    return dataclasses.asdict(progress) | {
        "is_running": progress.is_running,
        "left": describe_remaining(progress.remaining_s),
        "confirmed": len(learner.workspace.project.confirmed_lines()),
        "needed": MIN_LINES,
        "present": learner.workspace.project.model,
        "models": [dataclasses.asdict(model) for model in learner.list_models()],
        "rate": describe_rate(measure_by_chance(learner.workspace.project)),
    }


def describe_remaining(seconds: float | None) -> str:
    """Return a remaining time in words; empty while it is not known."""
    if seconds is None:
        return ""
    if seconds < 60:
        return "less than a minute left"
    return f"about {format_count(round(seconds / 60), 'minute')} left"


def download(workspace: Workspace) -> Any:
    """Return the endpoint that sends an export."""

    async def endpoint(request: Request) -> Response:
        try:
            path = await run_in_threadpool(export, workspace, request.path_params["form"])
        except InputError as error:
            return JSONResponse({"problem": str(error), "kind": error.kind}, get_http_status(error))
        return FileResponse(path, filename=path.name)

    return endpoint


def build_routes(workspace: Workspace, learner: Learner) -> list[Route]:
    """Return the routes of all tools."""
    posts = {"find": find, "replace": replace, "undo-all": undo_all, "align": place_transcription}
    return [
        Route("/api/useful", handle(workspace, get_useful), methods=["GET"]),
        *(Route(f"/api/{name}", handle(workspace, function), methods=["POST"]) for name, function in posts.items()),
        *build_learning_routes(learner),
        Route("/download/{form}", download(workspace), methods=["GET"]),
    ]
