"""Fine-tune the shipped models on peraire with more and more lines, and train from scratch as well; see README.md.

    python experiments/finetune_peraire/measure.py [zoo:latin] [zoo:latin-large] [nothing]

Needs HTR_DATA. The arguments choose the starting points to run (default: all); the results of the others stay in
result.json. Existing runs are not repeated: delete runs/finetune_peraire to run them again.
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
"""Number of training lines -> optimizer steps."""
FROM_SCRATCH = [
    "stage=pretrain",
    "~stage.start_from",
    "model=crnn_small",
    "preprocess=default",
    "+preprocess.deskew=true",
    "+preprocess.deslant=true",
    "optim.lr=3e-3",
]
START_POINTS: dict[str, list[str]] = {
    "zoo:latin": [],
    "zoo:latin-large": ["stage.start_from=zoo:latin-large", "loader.pixels_per_batch=520_000"],
    "nothing": FROM_SCRATCH,
}
RUNS, HERE = Path("runs/finetune_peraire"), Path(__file__).parent
DATA = Path(os.environ.get("HTR_DATA", "data")) / "peraire"

Scores = dict[str, float]
Result = dict[str, dict[str, Any]]


def run_command(*arguments: str) -> None:
    """Run a command of htr_lightning without its output."""
    subprocess.run([sys.executable, "-m", "htr_lightning", *arguments], check=True, stdout=subprocess.DEVNULL)


def evaluate(model: str, folder: Path, split: str) -> Scores:
    """Evaluate a model, or read the scores of an earlier evaluation."""
    result = folder / f"evaluate-{split}" / "result.json"
    if not result.is_file():
        run_command(
            "evaluate", model, "--data", str(DATA / f"{split}.tsv"), "--lm", "none", "--out", str(result.parent)
        )
    scores = json.loads(result.read_text())
    return {key: round(scores[key], 4) for key in ("cer", "cer_low", "cer_high", "wer")}


def train_and_evaluate(start_point: str, num_lines: int) -> dict[str, object]:
    """Train from a starting point and evaluate the model."""
    folder = RUNS / f"{start_point.removeprefix('zoo:')}-{num_lines}"
    if not (folder / "result.json").is_file():
        run_command(
            "+experiment=finetune_peraire",
            f"hydra.run.dir={folder}",
            f"+loader.max_train_lines={num_lines}",
            f"trainer.max_steps={STEPS[num_lines]}",
            f"trainer.val_check_interval={STEPS[num_lines] // 5}",
            "+trainer.enable_progress_bar=false",
            *START_POINTS[start_point],
        )
    provenance = json.loads((folder / "run.json").read_text())
    start, end = (datetime.fromisoformat(provenance[key]) for key in ("start", "end"))
    evaluations = {split: evaluate(str(folder), folder, split) for split in ("val", "test")}
    return {"steps": STEPS[num_lines], "minutes": round((end - start).total_seconds() / 60, 1), **evaluations}


def main() -> None:
    """Run all, the most informative runs first, and write ``result.json`` and ``curve.svg`` after each."""
    result: Result = {start_point: {} for start_point in START_POINTS}
    if sys.argv[1:] and (HERE / "result.json").is_file():
        result |= json.loads((HERE / "result.json").read_text())
    result["zero-shot"] = {split: evaluate("zoo:latin", RUNS / "zero-shot", split) for split in ("val", "test")}
    for start_point in sys.argv[1:] or START_POINTS:
        result[start_point] = {}
        for number in (100, 1787, 400, 50):
            result[start_point][str(number)] = train_and_evaluate(start_point, number)
            (HERE / "result.json").write_text(json.dumps(result, indent=2) + "\n")
            (HERE / "curve.svg").write_text(draw_curve(result))
    print(json.dumps(result, indent=2))


def draw_curve(result: Result) -> str:
    """Draw the CER of test against the number of training lines, both logarithmic, with intervals."""

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
    parts.append(f'<text x="620" y="{zero - 6:.1f}" text-anchor="end" fill="#666">zoo:latin before fine-tuning</text>')
    for start_point, color in (("zoo:latin", "#1f5fa8"), ("zoo:latin-large", "#2e7d4f"), ("nothing", "#b5482a")):
        rows = [
            (x(number), result[start_point][str(number)]["test"])
            for number in STEPS
            if str(number) in result.get(start_point, {})
        ]
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
            f'<text x="{at - 10:.1f}" y="{y(row["cer"]) - 10:.1f}" text-anchor="end" fill="{color}">'
            f"from {start_point}</text>"
        )
    inside = "\n".join(parts)
    start = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 380" font-family="sans-serif" font-size="13">'
    return f"{start}\n{inside}\n</svg>\n"


if __name__ == "__main__":
    main()
