"""Measure the share of each stage of reading pages, on one core; see README.md.

    taskset -c 0 python experiments/benchmark_reading/stages.py torch onnx-int8 [--model zoo:latin] [--pages 8]

Counts the seconds of the processor that each stage takes by itself, without the stages within it. Needs HTR_DATA;
prints a table, and writes stages.json.
"""

import argparse
import functools
import importlib
import json
import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import htr_lightning
from htr_lightning.image.scan import find_images
from htr_lightning.reading.folder import read_folder

PAGES = Path(os.environ.get("HTR_DATA", "data")) / "copiste" / "pages"
STAGES = {
    "image file": ["image.scan.Scan.read"],
    "finding lines: network": ["model.finder_onnx.OnnxFinder.__call__"],
    "finding lines: the rest": ["segmentation.finder.LineFinderSegmenter.find"],
    "cutting out lines": ["reading.line_crops.LineCropper.__call__"],
    "preprocessing lines": ["image.preprocess.Preprocess.__call__"],
    "reading: network": ["model.file.Model.logits", "model.onnx_model.OnnxModel.logits"],
    "reading: decoding, confidences": ["reading.lines.LineReader._decode_batch"],
    "reading: positions": ["reading.lines.LineReader._locate_batch", "reading.lines.group_words"],
    "writing": ["reading.work.render_files", "reading.work.write_files"],
}


class Clock:
    """The seconds of the processor in each stage, of all threads."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.local = threading.local()

    def wrap(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that also counts its time; stages within it are counted apart."""

        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            stack = self.local.__dict__.setdefault("stack", [])
            stack.append(0.0)
            start = time.thread_time()
            try:
                result = function(*arguments, **options)
                return list(result) if hasattr(result, "__next__") else result  # a generator works when it is iterated
            finally:
                spent = time.thread_time() - start
                self.seconds[stage] += spent - stack.pop()
                if stack:
                    stack[-1] += spent

        return timed

    def install(self) -> None:
        """Measure all stages from now on."""
        for stage, places in STAGES.items():
            for place in places:
                module, _, name = place.rpartition(".")
                try:
                    owner: Any = importlib.import_module(f"htr_lightning.{module}")
                except ModuleNotFoundError:
                    module, _, cls = module.rpartition(".")
                    owner = getattr(importlib.import_module(f"htr_lightning.{module}"), cls)
                setattr(owner, name, self.wrap(stage, getattr(owner, name)))


def main() -> None:
    """Read the pages with each runtime, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runtimes", nargs="+")
    parser.add_argument("--model", default="zoo:latin")
    parser.add_argument("--pages", type=int, default=8)
    options = parser.parse_args()
    pages = find_images([PAGES], print)[: options.pages]
    clock = Clock()
    clock.install()
    results: dict[str, Any] = {}
    for runtime in options.runtimes:
        reader = htr_lightning.load(options.model, "cpu", runtime=runtime)
        for number in (1, len(pages)):  # the first page warms up
            clock.seconds.clear()
            start = time.process_time()
            with tempfile.TemporaryDirectory() as out:
                result = read_folder(pages[:number], out, reader, formats=["alto"], ignore_layouts=True)
        total = time.process_time() - start
        shares = {stage: clock.seconds[stage] / len(pages) for stage in STAGES}
        shares["other"] = total / len(pages) - sum(shares.values())
        results[runtime] = {"s_per_page": total / len(pages), "lines": result.num_lines, "stages": shares}
    print("| s per page on one core | " + " | ".join(results) + " |\n|---" + "|---" * len(results) + "|")
    for stage in [*STAGES, "other"]:
        cells = [(r["stages"][stage], r["stages"][stage] / r["s_per_page"]) for r in results.values()]
        print(f"| {stage} | " + " | ".join(f"{seconds:.3f} ({share:.0%})" for seconds, share in cells) + " |")
    print("| sum | " + " | ".join(f"{r['s_per_page']:.3f}" for r in results.values()) + " |")
    (Path(__file__).parent / "stages.json").write_text(
        json.dumps({"model": options.model, "pages": len(pages), **results}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
