"""The reference of the Python API: one page for each package, filled by mkdocstrings."""

import ast
from collections.abc import Iterator
from pathlib import Path

import htr_lightning

PACKAGE = Path(htr_lightning.__file__).parent
_FIRST = {
    "htr_lightning.load": "load a model to recognize pages and lines",
    "htr_lightning.read_folder": "recognize a folder of scans",
    "htr_lightning.aligning.folder.align_folder": "align a folder of scans with its transcriptions",
    "htr_lightning.reading.api.Reader": "what `load` returns: `read`, `read_line`, `read_lines`",
    "htr_lightning.reading.page.PredictedPage": "a page that was read",
    "htr_lightning.reading.lines.Prediction": "a line that was read",
    "htr_lightning.decode.decoder.build_beam_decoder": "beam search with language model and lexicon",
    "htr_lightning.segmentation.segmenter.Segmenter": "finds the lines of a page",
    "htr_lightning.data.line.Line": "the record that every dataset reader yields",
    "htr_lightning.data.module.LineDataModule": "packed lines in batches, a `LightningDataModule`",
    "htr_lightning.training.task.RecognitionTask": "loss, metrics and optimizer, a `LightningModule`",
    "htr_lightning.model.crnn.CRNN": "the network",
    "htr_lightning.model.file.Model": "a network with its charset and preprocessing",
}


def list_packages() -> dict[str, list[str]]:
    """Return the modules of each package of the first level, by name; modules that stand alone are in ``modules``."""
    pages: dict[str, list[str]] = {"modules": []}
    for path in sorted(PACKAGE.iterdir()):
        if path.is_dir() and (path / "__init__.py").is_file():
            pages[path.name] = [_module_name(file) for file in sorted(path.rglob("*.py"))]
        elif path.suffix == ".py" and path.stem not in ("__init__", "__main__"):
            pages["modules"].append(_module_name(path))
    return pages


def _module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def module_path(module: str) -> Path:
    """Return the file of a module."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def list_public_names(module: str) -> list[str]:
    """Return the public classes and functions that a module defines, with its name."""
    tree = ast.parse(module_path(module).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [f"{module}.{node.name}" for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


def summarize(module: str) -> str:
    """Return the first line of the docstring of a module."""
    docstring = ast.get_docstring(ast.parse(module_path(module).read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def render_pages() -> Iterator[tuple[str, str]]:
    """Yield name and text of each page: the index, then one for each package."""
    packages = list_packages()
    yield "index", render_index(packages)
    for package, modules in packages.items():
        title = "Single modules" if package == "modules" else f"htr_lightning.{package}"
        documented = [module for module in modules if list_public_names(module) or module.count(".") == 1]
        yield package, "\n\n".join([f"# {title}", *(f"::: {module}" for module in documented)]) + "\n"


def render_index(packages: dict[str, list[str]]) -> str:
    """Return the first page: the names that most programs need, the letters of shapes, all packages."""
    first = [f"| [`{name.removeprefix('htr_lightning.')}`][{name}] | {text} |" for name, text in _FIRST.items()]
    rows = [f"| [`{name}`]({name}.md) | {_describe(name)} |" for name in packages]
    return "\n".join(
        [
            "# Python API",
            "",
            "[Use it in Python](../../howto/python.md) shows how these go together.",
            "",
            *["| name | |", "|---|---|", *first],
            "",
            "## Shapes",
            "",
            "These letters stand for sizes in all docstrings:",
            "",
            *["| letter | size |", "|---|---|", *(f"| {letter} | {text} |" for letter, text in list_shape_letters())],
            "",
            "## Packages",
            "",
            *["| package | |", "|---|---|", *rows],
            "",
            "## htr_lightning",
            "",
            "::: htr_lightning.load",
            "",
            "::: htr_lightning.reading.folder.read_folder",
            "    options:",
            "      heading_level: 3",
            "",
        ]
    )


def _describe(package: str) -> str:
    if package == "modules":
        return ", ".join(f"`{path.stem}`" for path in sorted(PACKAGE.glob("[a-z]*.py")))
    return summarize(f"htr_lightning.{package}")


def list_shape_letters() -> list[tuple[str, str]]:
    """Return the letters of shapes with their meaning, from the docstring of the package."""
    lines = (htr_lightning.__doc__ or "").splitlines()
    return [(line[0], line[1:].strip()) for line in lines if line[:1].isalpha() and line[1:3] == "  "]
