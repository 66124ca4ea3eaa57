"""Give copiste's writers in capitals the case of the text that they copied.

    python experiments/pretrain_latin/recase.py COPISTE OUT

The ground truth of two writers of the training split has the capitals that they wrote; that of all others has the case
of the text that they copied. Writes two folders of lines: OUT/hands, which is COPISTE with corrected ground truth, and
OUT/capitals, the training lines of all writers who write capitals in place of small letters, to be drawn more often.
OUT/texts.txt has the training texts as running text, to be rendered in fonts.
"""

import csv
import re
import sys
from pathlib import Path

RECASED = {"0235", "imp_0172_double"}
WITH_CAPITALS = RECASED | {"0020", "0210", "0278", "imp_0093"}
NAMES = """
    Abydos Adriana Alanis Bogota Bruxelles Coattail Colombie Crossing Crossingstadion Davis Edfou Fabbri Fauçons
    Fighters Florence Foo Fort Gemeentestadion Hawkins Kosova LiPuma Louxor Marcus Miles Miller Morissette Myrmapeni
    Nil Oliver Oumm PCI Qu Riders Schaerbeek Seroni Sylvia Taylor Texas Tommy Tutu U Worth
"""
SPELLINGS = {name.casefold(): name for name in re.findall(r"\w+", NAMES)}
SENTENCE_STARTS = {"0235-1_008", "0235-1_010", "0235-1_013", "0235-1_017"} | {
    f"imp-0172-double_{number:03d}" for number in (1, 2, 3, 9, 17)
}  # lines at the beginning of a sentence


def recase(line: str, text: str) -> str:
    """Return a text in lower case, except for names and beginnings of sentences."""
    text = re.sub(r"[^\W\d_]+", lambda word: SPELLINGS.get(word[0].casefold(), word[0].lower()), text)
    text = re.sub(r"\bQu'(?!ab)", "qu'", text)  # of Qu'ab, a place
    text = re.sub(r"\. [^\W\d_]", lambda start: start[0].upper(), text)
    return text[:1].upper() + text[1:] if line in SENTENCE_STARTS else text


def main(copiste: Path, out: Path) -> None:
    """Write both folders and the texts."""
    for split in ("train", "val", "test"):
        with (copiste / f"{split}.tsv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        for row in rows:
            if row["writer"] in RECASED:
                row["text"] = recase(Path(row["image"]).stem, row["text"])
        write(out / "hands" / f"{split}.tsv", rows, copiste)
        if split == "train":
            write(out / "capitals" / "train.tsv", [r for r in rows if r["writer"] in WITH_CAPITALS], copiste)
            (out / "texts.txt").write_text("\n".join(join_lines(rows) * 5) + "\n", encoding="utf-8")


def join_lines(rows: list[dict[str, str]]) -> list[str]:
    """Join the lines of each writer into one text; words that were hyphenated at the end of a line are rejoined."""
    texts: dict[str, str] = {}
    for row in rows:
        before, text = texts.get(row["writer"], ""), row["text"]
        if re.search(r"[a-zà-ÿ]-$", before) and text[:1].islower():
            texts[row["writer"]] = before[:-1] + text
        else:
            texts[row["writer"]] = f"{before} {text}".strip()
    return list(texts.values())


def write(path: Path, rows: list[dict[str, str]], copiste: Path) -> None:
    """Write a manifest with absolute paths."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["image\ttext\twriter", *(f"{copiste / row['image']}\t{row['text']}\t{row['writer']}" for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{path}: {len(rows)} lines")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
