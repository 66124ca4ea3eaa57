"""Measures how often texts in two directions come back from visual order as they were.

python experiments/directions/measure.py --messages /usr/share/locale --layouts PAGES --out experiments/directions
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from bidi import get_display
from lines import make_lines, read_layouts, read_messages

from htr_lightning.directions.bidi import find_base_direction, to_visual
from htr_lightning.directions.characters import get_class, mirror
from htr_lightning.directions.inverse import to_logical

_TO_FIRST_OF_PAIR = {i: min(chr(i), mirror(chr(i))) for i in range(0x3100)}
KINDS = ("arabic", "hebrew", "arabic+latin", "hebrew+latin", "latin+arabic", "latin+hebrew")


def measure(texts: Iterable[str], show: int) -> dict[str, float]:
    """Count texts, those that come back, those that look as before, and those whose order is that of python-bidi."""
    counts = dict.fromkeys(("lines", "identical", "alike", "reference"), 0)
    for text in texts:
        visual = to_visual(text)
        back = to_logical(visual)
        counts["lines"] += 1
        counts["identical"] += back == text
        counts["alike"] += to_visual(back) == visual
        counts["reference"] += is_order_of_reference(text)
        if back != text and show:
            show -= 1
            print(f"text {text}\nback {back}\nwith letters from right to left as capitals, looking {_spell(visual)}")
            print(f"  text {_spell(text)}\n  back {_spell(back)}")
    total = max(1, counts["lines"])
    return {"lines": counts["lines"]} | {
        key: round(100 * count / total, 2) for key, count in counts.items() if key != "lines"
    }


def is_order_of_reference(text: str) -> bool:
    """Whether a text has the order of unicode-bidi, which mirrors no brackets and leaves marks before letters."""
    text = "".join(c for c in text if get_class(c) not in ("NSM", "BN"))
    reference = get_display(text, base_dir=find_base_direction(text)[0].upper())
    return to_visual(text).translate(_TO_FIRST_OF_PAIR) == reference.translate(_TO_FIRST_OF_PAIR)


def _spell(text: str) -> str:
    """Return a text with each letter from right to left as a capital, so that a terminal does not reorder it."""
    shown = {}
    for c in text:
        if c.isalpha() and ord(c) > 0x500:
            shown.setdefault(c, chr(ord("A") + len(shown) % 26))
    return "".join(shown.get(c, str(ord(c) - 0x660) if "٠" <= c <= "٩" else c) for c in text)


def main() -> None:
    """Measure all kinds and write result.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000, help="generated lines of each kind")
    parser.add_argument("--messages", type=Path, help="folder of translated messages, such as /usr/share/locale")
    parser.add_argument("--layouts", type=Path, help="folder of ALTO and PAGE files")
    parser.add_argument("--show", type=int, default=0, help="print so many lines of each kind that do not come back")
    parser.add_argument("--out", type=Path, help="write result.json here")
    args = parser.parse_args()
    result = {}
    for kind in KINDS:
        result[kind] = measure(make_lines(kind, args.lines), args.show)
        print(kind, result[kind], flush=True)
    sources = {}
    if args.messages:
        for name, code in (("arabic", "ar"), ("hebrew", "he")):
            sources[f"messages, {name}"] = read_messages(args.messages, code)
    if args.layouts:
        sources["layouts"] = read_layouts(args.layouts)
    for name, texts in sources.items():
        result[name] = measure(texts, args.show)
        print(name, result[name], flush=True)
    if args.out:
        (args.out / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
