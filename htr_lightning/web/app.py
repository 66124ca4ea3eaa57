"""The application: pages of HTML, the routes for their scripts, and the guard in front of them."""

from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from htr_lightning.correction.errors import ProjectError
from htr_lightning.correction.export import FORMATS
from htr_lightning.correction.learning import Learner
from htr_lightning.correction.workspace import Workspace
from htr_lightning.layout.formats import TITLES
from htr_lightning.report.html import render_template
from htr_lightning.web import api, tools
from htr_lightning.web.safety import Guard

_STATIC = Path(__file__).parent / "static"


def build_app(workspace: Workspace, token: str, port: int) -> Guard:
    """Return the ASGI application of a project.

    Args:
        workspace: of the project.
        token: that requests must have.
        port: that the server listens on.
    """
    folder = workspace.project.folder.absolute()
    learner = Learner(workspace)
    workspace.closers.append(learner.close)

    def view(template: str, collect: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            try:
                values = await run_in_threadpool(collect, workspace, request)
            except ProjectError as error:
                return HTMLResponse(render("problem", problem=str(error), view="", folder=folder), 404)
            return HTMLResponse(render(template, folder=folder, **values))

        return endpoint

    routes = [
        Route("/", view("pages", show_pages)),
        Route("/page/{key}", view("lines", show_lines)),
        Route("/useful", view("useful", lambda *_: {"view": "useful", "page": None})),
        Route("/find", view("find", lambda *_: {"view": "find"})),
        Route("/learn", view("learn", lambda *_: {"view": "learn"})),
        Route("/export", view("export", show_exports)),
        *api.build_routes(workspace, learner),
        *tools.build_routes(workspace, learner),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    return Guard(Starlette(routes=routes), token, port)


def show_pages(workspace: Workspace, request: Request) -> dict[str, Any]:
    """Return the values of the list of pages."""
    project = workspace.project
    with project.lock:
        pages = [{"key": page.key, "name": page.name} | api.describe_progress(page) for page in project.pages.values()]
    return {"view": "pages", "pages": pages}


def show_lines(workspace: Workspace, request: Request) -> dict[str, Any]:
    """Return the values of the view of the lines of a page; the script fills it."""
    project = workspace.project
    page = project.get_page(request.path_params["key"])
    keys = list(project.pages)
    place = keys.index(page.key)
    return {"view": "lines", "page": page, "place": place + 1, "num_pages": len(keys), "keys": keys}


def show_exports(workspace: Workspace, request: Request) -> dict[str, Any]:
    """Return the values of the view of exports."""
    title = TITLES[{"alto": "alto", "page": "page_xml"}[workspace.layout_files.form]]
    return {"view": "export", "formats": FORMATS, "layout_title": title}


def render(name: str, /, **values: Any) -> str:
    """Render a template of this package."""
    return render_template(f"web/templates/{name}.html.jinja", **values)
