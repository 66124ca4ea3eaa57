"""Measure how many lines get their text from texts without line breaks; see README.md.

    python experiments/align/measure.py frames/latin-large-pages-val-layout frames/latin-large-pages-val-finder

Needs the files that frames.py wrote; each argument is the beginning of their names. Writes result.json, unless --out
names another file, and with --rows every line.
"""

import argparse
import itertools
import json
import pickle
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from htr_lightning.aligning.align import align_text
from htr_lightning.aligning.cuts import clean_page_text
from htr_lightning.aligning.lattice import LineFrames
from htr_lightning.aligning.orders import order_by_columns
from htr_lightning.charset import Charset
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.segmentation.line_scores import match_lines

CONFIDENT = 0.9
BANDS = (0.0, 0.2, 0.3, 0.4, 9.0)  # of the CER of a page
HYPHEN = re.compile(r"[-¬=]$")
FRACTION = 0.1  # of the lines that are left out of, or added to, a text
MIN_OVERLAP = 0.85  # of the horizontal extents of two lines that are the same, as intersection over union


def clean(text: str) -> str:
    """Return a text as it should be placed."""
    return clean_page_text(text).replace("\n", " ")


def break_elsewhere(texts: Sequence[str], foreign: Sequence[str], generator: random.Random) -> str:
    """Return the text with other line breaks, after 3 to 14 words."""
    words, rows = " ".join(texts).split(), []
    while words:
        count = generator.randint(3, 14)
        rows.append(" ".join(words[:count]))
        words = words[count:]
    return "\n".join(rows)


def join_hyphens(texts: Sequence[str], foreign: Sequence[str], generator: random.Random) -> str:
    """Return the text as one paragraph, in which divided words are whole."""
    text = ""
    for row in texts:
        is_divided = re.search(r"\w[-¬=]$", text) and row[:1].islower()
        text = text[:-1] + row if is_divided else f"{text} {row}".strip()
    return text


def leave_out(texts: Sequence[str], foreign: Sequence[str], generator: random.Random) -> str:
    """Return the text as one paragraph without some of its lines."""
    dropped = generator.sample(range(len(texts)), max(1, round(FRACTION * len(texts))))
    return " ".join(text for number, text in enumerate(texts) if number not in dropped)


def add_lines(texts: Sequence[str], foreign: Sequence[str], generator: random.Random) -> str:
    """Return the text as one paragraph with some lines of another page."""
    rows = list(texts)
    for _ in range(max(1, round(FRACTION * len(texts)))):
        rows.insert(generator.randint(0, len(rows)), generator.choice(foreign))
    return " ".join(rows)


VARIANTS: dict[str, Callable[[Sequence[str], Sequence[str], random.Random], str]] = {
    "no breaks": lambda texts, foreign, generator: " ".join(texts),
    "hyphens joined": join_hyphens,
    "line breaks": lambda texts, foreign, generator: "\n".join(texts),
    "other breaks": break_elsewhere,
    "lines left out": leave_out,
    "lines added": add_lines,
    "another page": lambda texts, foreign, generator: " ".join(foreign),
}


def measure_place(line: dict[str, Any]) -> tuple[float, float]:
    """Return left edge and middle height of a line, in px, as `htr_lightning.aligning.page` does."""
    points = np.reshape(line["polygon"] if len(line["polygon"]) else line["baseline"], (-1, 2))
    if not len(points):
        return 0.0, 0.0
    return float(points[:, 0].min()), float(points[:, 1].min() + points[:, 1].max()) / 2


def find_matches(found: Sequence[dict[str, Any]], true: Sequence[dict[str, Any]]) -> dict[int, int]:
    """Return the true line of each found line that shows the same, by their baselines: also their ends agree."""
    baselines = [[np.asarray(line["baseline"], np.float32).reshape(-1, 2) for line in lines] for lines in (true, found)]
    matches = {}
    for m, n in match_lines(*baselines).items():
        (left, right), (low, high) = (
            (line[:, 0].min(), line[:, 0].max()) for line in (baselines[0][m], baselines[1][n])
        )
        overlap = (min(right, high) - max(left, low)) / (max(right, high) - min(left, low))
        if overlap >= MIN_OVERLAP:
            matches[n] = m
    return matches


def read(log_probs: NDArray[Any], charset: Charset) -> str:
    """Return what the recognizer reads."""
    if not len(log_probs):
        return ""
    return charset.decode(greedy_decode(log_probs[None], np.array([len(log_probs)]))[0]).strip()


def measure_page(page: dict[str, Any], foreign: Sequence[str], variants: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield what became of each found line whose true line is known, for each variant of the text."""
    charset = Charset.from_dict(page["charset"])
    frames = [line["frames"] for line in page["found"]]
    frames = [np.zeros((0, charset.num_classes), np.float16) if values is None else values for values in frames]
    truths = [clean(line["text"]) for line in page["gt"]]
    ids = {line["id"]: number for number, line in enumerate(page["gt"])}
    if all(line["id"] in ids for line in page["found"]):
        matches = {number: ids[line["id"]] for number, line in enumerate(page["found"])}
    else:
        matches = find_matches(page["found"], page["gt"])
    predictions = [read(values, charset) for values in frames]
    pairs = [(plain(truths[m]), predictions[n]) for n, m in matches.items() if truths[m]]
    cer = sum(Levenshtein.distance(a, b) for a, b in pairs) / max(1, sum(len(a) for a, _ in pairs))
    texts = [text for text in truths if text]
    is_segmented_right = {number for number, text in enumerate(truths) if text} <= set(matches.values())
    for variant in variants:
        text = VARIANTS[variant](texts, foreign, random.Random(page["page"]))
        whole = clean(text)
        order = order_by_columns(np.array([measure_place(line) for line in page["found"]]), page["size"][1])
        alignment = align_text([LineFrames(values) for values in frames], text, charset, orders=[order])
        for number, true in matches.items():
            line, reference = alignment.lines[number], truths[true]
            is_given = (
                variant != "another page" and bool(reference) and (reference in whole or variant == "hyphens joined")
            )
            yield {
                "page": page["page"],
                "variant": variant,
                "cer": round(cer, 4),
                "is_segmented_right": is_segmented_right,
                "is_given": is_given,
                "reference": reference,
                "text": line.text,
                "prediction": predictions[number],
                "confidence": round(line.confidence, 4),
                "is_exact": line.text == reference,
                "is_of_another_line": is_of_another_line(line.text, reference, truths, true),
            }


def plain(text: str) -> str:
    """Return a text without the leaders and superscript marks of some archives, which no model here writes."""
    return re.sub(r"[.…_ ]{4,}", " ", text).replace("^", "")


def is_of_another_line(text: str, reference: str, truths: Sequence[str], own: int) -> bool:
    """Return whether a text is nearer to that of another line than to that of its own."""
    if not text:
        return False
    distance = Levenshtein.normalized_distance(text, reference)
    others = [truth for number, truth in enumerate(truths) if number != own and truth and truth != reference]
    return distance > 0.5 or any(Levenshtein.normalized_distance(text, other) < distance for other in others)


def score(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the fractions of some lines."""
    given = [row for row in rows if row["is_given"]]
    confident = [row for row in rows if row["confidence"] > CONFIDENT and row["text"]]
    same = [HYPHEN.sub("", row["text"]).strip() == HYPHEN.sub("", row["reference"]).strip() for row in given]
    return {
        "lines": len(given),
        "pages": len({row["page"] for row in rows}),
        "exact": round(float(np.mean([row["is_exact"] for row in given])), 4) if given else None,
        "exact but for a hyphen at the end": round(float(np.mean(same)), 4) if given else None,
        "confident": len(confident),
        "confident and exact": sum(row["is_exact"] for row in confident),
        "confident, of another line": sum(row["is_of_another_line"] for row in confident),
    }


def score_bands(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the scores of lines by the CER of their page; those of pages that lack a line, for themselves."""
    scores = {}
    for is_right, suffix in ((True, ""), (False, ", pages on which a line was not found")):
        for low, high in itertools.pairwise(BANDS):
            chosen = [row for row in rows if row["is_segmented_right"] == is_right and low <= row["cer"] < high]
            if chosen:
                band = f"CER {low:.0%} to {high:.0%}" if high < 1 else f"CER above {low:.0%}"
                scores[f"{band}{suffix}"] = score(chosen)
    return scores


def main() -> None:
    """Measure all variants on some files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", nargs="+")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("result.json"))
    parser.add_argument("--rows", type=Path)
    options = parser.parse_args()
    results, every = {}, []
    for prefix in options.frames:
        pages = [pickle.loads(path.read_bytes()) for path in sorted(Path(prefix).parent.glob(f"{Path(prefix).name}-*"))]
        texts = [[clean(line["text"]) for line in page["gt"] if clean(line["text"])] for page in pages]
        rows = []
        for number, page in enumerate(pages):
            rows += measure_page(page, texts[(number + 1) % len(pages)], options.variants)
            print(Path(prefix).name, page["page"], flush=True)
        every += [{"frames": Path(prefix).name} | row for row in rows]
        results[Path(prefix).name] = {
            variant: score_bands([row for row in rows if row["variant"] == variant]) for variant in options.variants
        }
        options.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.rows:
        options.rows.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in every), encoding="utf-8")


if __name__ == "__main__":
    main()
