"""Fine-tune the shipped models to peraire's hand with ever more lines, and train from nothing beside; see README.md.

Needs HTR_DATA. Runs that are there already are not run again: delete runs/finetune_peraire to begin anew. Names of ways
on the command line (zoo:latin, zoo:latin-64, nothing) choose what is run; of the others, what result.json has stays.
"""

import json
import math
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

STEPS = {50: 400, 100: 600, 400: 800, 1787: 1300}
"""Training lines, and the optimizer steps that all ways are given."""
FROM_NOTHING = [
    "stage=pretrain", "~stage.start_from", "model=crnn_small", "preprocess=default", "+preprocess.deskew=true",
    "+preprocess.deslant=true", "optim.lr=3e-3",
]  # fmt: skip
WAYS: dict[str, list[str]] = {
    "zoo:latin": [],
    "zoo:latin-64": ["stage.start_from=zoo:latin-64", "loader.pixels_per_batch=520_000"],
    "nothing": FROM_NOTHING,
}
RUNS, HERE = Path("runs/finetune_peraire"), Path(__file__).parent
DATA = Path(os.environ.get("HTR_DATA", "data")) / "peraire"

Scores = dict[str, float]
Result = dict[str, dict[str, Any]]


def program(*arguments: str) -> None:
    """Run a command of htr_lightning; nobody looks at what it prints."""
    subprocess.run([sys.executable, "-m", "htr_lightning", *arguments], check=True, stdout=subprocess.DEVNULL)


def scores(model: str, folder: Path, split: str) -> Scores:
    """Measure a model, or find what was measured before."""
    result = folder / f"evaluate-{split}" / "result.json"
    if not result.is_file():
        program("evaluate", model, "--data", str(DATA / f"{split}.tsv"), "--out", str(result.parent))
    measured = json.loads(result.read_text())
    return {key: round(measured[key], 4) for key in ("cer", "cer_low", "cer_high", "wer")}


def trained(way: str, num_lines: int) -> dict[str, object]:
    """Run an experiment and measure it."""
    folder = RUNS / f"{way.removeprefix('zoo:')}-{num_lines}"
    if not (folder / "result.json").is_file():
        program(
            "+experiment=finetune_peraire",
            f"hydra.run.dir={folder}",
            f"+loader.max_train_lines={num_lines}",
            f"trainer.max_steps={STEPS[num_lines]}",
            f"trainer.val_check_interval={STEPS[num_lines] // 5}",
            "+trainer.enable_progress_bar=false",
            *WAYS[way],
        )
    provenance = json.loads((folder / "run.json").read_text())
    start, end = (datetime.fromisoformat(provenance[key]) for key in ("start", "end"))
    measured = {split: scores(str(folder), folder, split) for split in ("val", "test")}
    return {"steps": STEPS[num_lines], "minutes": round((end - start).total_seconds() / 60, 1), **measured}


def main() -> None:
    """Run all, the more telling runs first, and write ``result.json`` and ``curve.svg`` after each."""
    result: Result = {way: {} for way in WAYS}
    if sys.argv[1:] and (HERE / "result.json").is_file():
        result |= json.loads((HERE / "result.json").read_text())
    result["zero-shot"] = {split: scores("zoo:latin", RUNS / "zero-shot", split) for split in ("val", "test")}
    for way in sys.argv[1:] or WAYS:
        result[way] = {}
        for number in (100, 1787, 400, 50):
            result[way][str(number)] = trained(way, number)
            (HERE / "result.json").write_text(json.dumps(result, indent=2) + "\n")
            (HERE / "curve.svg").write_text(curve(result))
    print(json.dumps(result, indent=2))


def curve(result: Result) -> str:
    """Draw CER of test against training lines, both logarithmic, with the intervals."""

    def x(lines: float) -> float:
        return 60 + 560 * math.log(lines / 40) / math.log(2200 / 40)

    def y(cer: float) -> float:
        return 20 + 300 * math.log(1.2 / max(cer, 0.02)) / math.log(1.2 / 0.02)

    parts = ['<rect width="660" height="380" fill="white"/>']
    for cer in (0.02, 0.05, 0.1, 0.2, 0.5, 1):
        parts.append(f'<path d="M60 {y(cer):.1f}H620" stroke="#ddd"/>')
        parts.append(f'<text x="52" y="{y(cer) + 4:.1f}" text-anchor="end">{cer:.0%}</text>')
    parts += [f'<text x="{x(n):.1f}" y="342" text-anchor="middle">{n:,}</text>' for n in STEPS]
    parts.append('<text x="620" y="366" text-anchor="end">training lines</text>')
    parts.append('<text x="60" y="14">CER on test, with its 95 % interval over pages</text>')
    zero = y(result["zero-shot"]["test"]["cer"])
    parts.append(f'<path d="M60 {zero:.1f}H620" stroke="#888" stroke-dasharray="5 4"/>')
    parts.append(f'<text x="620" y="{zero - 6:.1f}" text-anchor="end" fill="#666">zoo:latin as it ships</text>')
    for way, color in (("zoo:latin", "#1f5fa8"), ("zoo:latin-64", "#2e7d4f"), ("nothing", "#b5482a")):
        rows = [(x(number), result[way][str(number)]["test"]) for number in STEPS if str(number) in result.get(way, {})]
        line = " ".join(f"{at:.1f},{y(row['cer']):.1f}" for at, row in rows)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        for at, row in rows:
            low, high, cer = (y(row[key]) for key in ("cer_low", "cer_high", "cer"))
            parts.append(f'<path d="M{at:.1f} {low:.1f}V{high:.1f}" stroke="{color}"/>')
            parts.append(f'<circle cx="{at:.1f}" cy="{cer:.1f}" r="4" fill="{color}"/>')
        if not rows:
            continue
        at, row = rows[-1]
        parts.append(
            f'<text x="{at - 10:.1f}" y="{y(row["cer"]) - 10:.1f}" text-anchor="end" fill="{color}">from {way}</text>'
        )
    inside = "\n".join(parts)
    start = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 380" font-family="sans-serif" font-size="13">'
    return f"{start}\n{inside}\n</svg>\n"


if __name__ == "__main__":
    main()
