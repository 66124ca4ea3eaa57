"""A Jupyter notebook as a page."""

import json
from pathlib import Path
from typing import Any


def render_notebook(path: Path) -> str:
    """Return the cells of a notebook in Markdown, with the outputs that the file holds."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code":
            parts.append(f"```python\n{source}\n```")
            parts += filter(None, map(_render_output, cell["outputs"]))
        if len(parts) == 1:
            parts.append(f"*This page is [a notebook]({path.name}): download it and run it.*")
    return "\n\n".join(parts) + "\n"


def _render_output(output: dict[str, Any]) -> str:
    data = {kind: "".join(text) for kind, text in output.get("data", {}).items()}
    if "image/png" in data:
        return f'<img src="data:image/png;base64,{data["image/png"].strip()}" alt="output">'
    if "text/html" in data:
        return f'<div class="output">{data["text/html"]}</div>'.replace("\n\n", "\n")
    text = data.get("text/plain") or "".join(output.get("text", ""))
    return f"```text\n{text.rstrip()}\n```" if text.strip() else ""
