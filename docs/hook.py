"""MkDocs calls these functions: they add the generated pages, and lead links to them."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from generate.api import list_packages, render_pages
from generate.commands import render_commands
from generate.configuration import render_configuration
from generate.floors import draw_floors
from generate.links import REPOSITORY, list_linked_files, rewrite_links
from generate.notebook import render_notebook
from mkdocs.structure.files import File, Files

_SOURCES: dict[str, str] = {}  # pages of the site that are files outside of docs/, named from the repository


def on_config(config: Any) -> Any:
    """List the pages of the Python API in the navigation."""
    (reference,) = [section["Reference"] for section in config.nav if "Reference" in section]
    (api,) = [entry for entry in reference if "Python API" in entry]
    api["Python API"] = [api["Python API"], *({name: f"reference/api/{name}.md"} for name in list_packages())]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the reference, the notebook, and the files of the repository that pages link to."""
    pages = {
        "reference/commands.md": render_commands(),
        "reference/configuration.md": render_configuration(),
        "first_model.md": render_notebook(REPOSITORY / "docs" / "first_model.ipynb"),
        **{f"reference/api/{name}.md": text for name, text in render_pages()},
    }
    sources = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    for path in list_linked_files(sources):
        if path.endswith(".md"):
            _SOURCES[path] = path
        files.append(File.generated(config, path, abs_src_path=str(REPOSITORY / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to the places of their files in the site, and put the picture of the floors in."""
    name = page.file.src_uri
    if name == "index.md":
        page.meta["hide"] = ["navigation"]
    if name == "explanation/architecture.md":
        markdown = markdown.replace("<!-- floors -->", draw_floors(REPOSITORY / "pyproject.toml"))
    return rewrite_links(markdown, _SOURCES.get(name, f"docs/{name}"))
