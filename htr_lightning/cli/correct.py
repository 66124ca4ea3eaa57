"""``python -m htr_lightning correct``: read and correct pages in the browser, and learn from the corrections."""

import argparse
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.cli.console import UsageError, exit_with_message

_EXTRA = ("starlette", "uvicorn")


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Serve a project until Ctrl+C.

    Raises:
        SystemExit: 1 if the folder cannot be opened, 2 for a wrong command line.
    """
    options = build_parser().parse_args(argv)
    check_extra()

    from htr_lightning.correction.workspace import Workspace
    from htr_lightning.model.info import check_exists, find_model
    from htr_lightning.web.server import open_socket, serve

    if options.model is not None:
        check_exists(find_model(options.model))  # a wrong name is told now, not after the page has opened
    with open_socket(options.port) as opened:
        workspace = Workspace(
            options.folder,
            options.model,
            finder=options.finder,
            layout_format=options.format,
            device=options.device,
            learning=options.learn,
            index=options.index,
            worst=options.worst,
        )
        workspace.start()
        try:
            serve(workspace, opened, report=_report, browser=not options.no_browser)
        finally:
            workspace.close()


def _report(address: str) -> None:
    print(f"{address}\nOpen this address in a browser on this machine. Ctrl+C stops; nothing is lost.", flush=True)


def check_extra() -> None:
    """Check that what serves the page is installed.

    Raises:
        UsageError: it is not.
    """
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        remedy = "install it with: pip install 'htr-lightning[web]'"
        raise UsageError(f"correct requires {' and '.join(missing)}, not installed here", remedy=remedy)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning correct",
        description="Read the pages of a folder, correct them in the browser, by keys, and fine-tune the model to "
        "them. The page is served to this machine only; nothing is sent anywhere.",
        epilog="Everything is kept in FOLDER/.htr, and as ALTO or PAGE files beside the images; a layout file that was "
        "there before is kept as NAME.orig.xml. Stop with Ctrl+C at any time; the same command goes on.",
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="folder with images or PDF files of pages, with or without layouts"
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="the model to begin with (default: the one that the project began with, or zoo:latin-large)",
    )
    parser.add_argument(
        "--from",
        type=Path,
        dest="index",
        metavar="INDEX",
        help="work on the worst pages alone, the worst first: the index.parquet that predict --index wrote for FOLDER",
    )
    parser.add_argument(
        "--worst",
        type=float,
        default=0.01,
        metavar="FRACTION",
        help="fraction of the pages of --from to work on, by expected CER (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="port to listen on (default: one that is free)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, but do not open it")
    parser.add_argument(
        "--format",
        choices=("alto", "page"),
        default="alto",
        help="format of layout files for pages that have none (default: %(default)s)",
    )
    parser.add_argument("--finder", default="zoo:finder", metavar="FINDER", help="what finds the lines: see segment")
    parser.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:1, ... (default: a GPU if there is one)")
    parser.add_argument(
        "--learn",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings of the training that Learn runs, as for +experiment=adapt: trainer.max_steps=50",
    )
    return parser


if __name__ == "__main__":
    main()
