"""The picture of the floors: packages in the order of the contract in pyproject.toml, and who imports whom."""

import html
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import grimp

from generate.api import PACKAGE, summarize

_WIDTH, _LEFT, _BOX, _ROW = 1000, 200, 104, 34  # px: the arcs are left of the boxes, the texts right of them


def list_floors(pyproject: Path) -> list[list[str]]:
    """Return the packages of each floor, from the top down, as the import contract names them."""
    contracts = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (contract,) = [contract for contract in contracts if contract["type"] == "layers"]
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def find_imports(packages: Sequence[str]) -> dict[str, set[str]]:
    """Return which of the packages each package imports."""
    graph = grimp.build_graph("htr_lightning", cache_dir=None)
    return {
        package: {
            other
            for other in packages
            if other != package
            and graph.direct_import_exists(
                importer=f"htr_lightning.{package}", imported=f"htr_lightning.{other}", as_packages=True
            )
        }
        for package in packages
    }


def find_direct_edges(imports: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """Return the imports that are not implied by longer ways through other packages (transitive reduction)."""
    reachable: dict[str, set[str]] = {}

    def reach(package: str) -> set[str]:
        if package not in reachable:
            reachable[package] = set()
            reachable[package] = imports[package].union(*(reach(other) for other in imports[package]))
        return reachable[package]

    return [
        (package, other)
        for package in imports
        for other in sorted(imports[package])
        if not any(other in reach(between) for between in imports[package] if between != other)
    ]


def draw_floors(pyproject: Path) -> str:
    """Return the picture as one block of HTML: a band for each floor, a row for each package, arcs for the imports."""
    floors = list_floors(pyproject)
    packages = [name for floor in floors for name in floor]
    imports = find_imports(packages)
    rows = {name: number for number, name in enumerate(packages)}
    bands = "".join(
        f'<rect class="floor" x="{_LEFT - 12}" y="{rows[floor[0]] * _ROW + 2}" width="{_WIDTH - _LEFT + 12}" '
        f'height="{len(floor) * _ROW - 4}" rx="6"/>'
        for floor in floors
    )
    arcs = "".join(_draw_arc(a, b, rows[a], rows[b]) for a, b in find_direct_edges(imports))
    boxes = "".join(_draw_row(name, rows[name], sorted(imports[name])) for name in packages)
    return (
        f'<div class="floors"><svg viewBox="0 0 {_WIDTH} {len(packages) * _ROW}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>Packages on their floors</title>{bands}{arcs}{boxes}</svg></div>'
    )


def _draw_arc(importer: str, imported: str, above: int, below: int) -> str:
    top, bottom = (above + 0.62) * _ROW, (below + 0.38) * _ROW
    reach = 14 + (bottom - top) * (_LEFT - 30) / (24 * _ROW)
    return (
        f'<path class="import" d="M{_LEFT} {top:.0f} A{reach:.0f} {(bottom - top) / 2:.1f} 0 0 0 {_LEFT} {bottom:.0f}">'
        f"<title>{importer} imports {imported}</title></path>"
    )


def _draw_row(name: str, row: int, imported: Sequence[str]) -> str:
    path, top = PACKAGE / name, row * _ROW
    modules = len(list(path.rglob("*.py"))) if path.is_dir() else 1
    summary = html.escape(summarize(f"htr_lightning.{name}").rstrip(".").replace("``", ""))
    count = f"{modules} modules" if modules > 1 else "1 module"
    return (
        f"<g><title>{name}: {count}; imports {', '.join(imported) or 'no other package'}</title>"
        f'<rect class="package" x="{_LEFT}" y="{top + 5}" width="{_BOX}" height="{_ROW - 10}" rx="4"/>'
        f'<text class="name" x="{_LEFT + _BOX / 2:.0f}" y="{top + 22}">{name}</text>'
        f'<text class="text" x="{_LEFT + _BOX + 12}" y="{top + 22}">{summary}</text></g>'
    )
