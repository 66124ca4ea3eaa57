"""Findings about ideographs that look alike: compatibility forms, radicals, variants, and katakana."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from htr_lightning.directions.scripts import name_script
from htr_lightning.doctor.finding import AffectedLine, Finding, Severity
from htr_lightning.doctor.ideograph_tables import KANA_TWINS, RADICALS, SAME_SHAPE, VARIANTS
from htr_lightning.doctor.search import Texts, find_lines, list_characters, show_context
from htr_lightning.text import Normalization, format_count, normalize

_FORMS = re.compile("[\u2e80-\u2fdf\uf900-\ufaff\U0002f800-\U0002fa1f]")
_LONG_VOWEL = "\N{KATAKANA-HIRAGANA PROLONGED SOUND MARK}"
_PARTICLES = "ニハトノヘ"  # stand alone between ideographs in older Japanese texts
_NUMERALS = "一二三四五六七八九十百千万数何幾両"  # before the katakana that counts months or places
_MAX_GROUPS = 8  # named in a title
_TWINS_OF_KANA = {ideograph: kana for kana, ideograph in KANA_TWINS.items()}


def find_ideograph_problems(texts: Texts, normalization: Normalization, *, fonts: bool = False) -> list[Finding]:
    """Find ideographs that look like others of the same texts, or like katakana.

    Args:
        texts: of all lines.
        normalization: of the run.
        fonts: the lines are rendered with fonts, which have each form that is typed.
    """
    counts = Counter("".join(text for rows in texts.values() for _, text in rows))
    if not any(character >= "\u2e80" for character in counts):
        return []
    alike = [] if fonts else [*_check_groups(texts, counts)]
    return [*_check_forms(texts, counts, normalization), *alike, *_check_kana(texts)]


def _check_forms(texts: Texts, counts: Counter[str], normalization: Normalization) -> Iterator[Finding]:
    """Find compatibility ideographs, and radicals in place of ideographs."""
    forms = Counter({c: n for c, n in counts.items() if _get_ideograph(c) != c})
    if not forms:
        return
    title = f"compatibility forms and radicals in place of ideographs: {list_characters(forms)}"
    lines = find_lines(texts, forms)
    if all(normalize(c, normalization) != c for c in forms):
        remedy = f"nothing: training replaces them ({normalization}, loader.normalization); other programs may not"
        yield Finding("ideograph_forms", "note", title, forms.total(), remedy, lines)
        return
    plain = "".join(dict.fromkeys(_get_ideograph(c) for c, _ in forms.most_common(_MAX_GROUPS)))
    remedy = f"write the ideographs ({plain}), or set +loader.normalization=NFKC"
    if left := sorted(c for c in forms if normalize(c, "NFKC") == c):
        remedy += f", which keeps {' '.join(left)}"
    yield Finding("ideograph_forms", "warning", title, forms.total(), remedy, lines)


def _get_ideograph(character: str) -> str:
    """Return the ideograph that a compatibility form or radical stands for; the character itself if it is none."""
    if not _FORMS.match(character):
        return character
    return RADICALS.get(character) or normalize(character, "NFKC")


def _check_groups(texts: Texts, counts: Counter[str]) -> Iterator[Finding]:
    """Find ideographs that texts have in several forms."""
    same = "write the form of one standard everywhere"
    kept = "nothing, if they are so on the pages; else write the form that is there"
    kinds: tuple[tuple[str, Severity, Sequence[str], str, str], ...] = (
        ("ideograph_lookalikes", "warning", SAME_SHAPE, "in forms that look alike in handwriting", same),
        (
            "ideograph_variants",
            "note",
            VARIANTS,
            "in forms of several standards, such as simplified and traditional",
            kept,
        ),
    )
    for key, severity, groups, kind, remedy in kinds:
        found = [of_group for group in groups if len(of_group := _count_group(group, counts)) > 1]
        if found:
            rare = [c for group in found for c, _ in group.most_common()[1:]]
            number = format_count(len(found), "ideograph occurs", "ideographs occur")
            title = f"{number} {kind}: {_name_groups(found)}"
            yield Finding(key, severity, title, sum(counts[c] for c in rare), remedy, find_lines(texts, rare))


def _count_group(group: str, counts: Counter[str]) -> Counter[str]:
    return Counter({c: counts[c] for c in group if counts[c]})


def _name_groups(groups: Iterable[Counter[str]]) -> str:
    ordered = sorted(groups, key=lambda group: -group.total())
    named = [", ".join(f"{c} {format_count(n, 'time')}" for c, n in group.most_common()) for group in ordered]
    more = f" and {len(named) - _MAX_GROUPS} more" if len(named) > _MAX_GROUPS else ""
    return "; ".join(named[:_MAX_GROUPS]) + more


def _check_kana(texts: Texts) -> Iterator[Finding]:
    """Find ideographs within katakana, and katakana between ideographs, that look like each other."""
    strays: Counter[str] = Counter()
    lines = []
    for split, rows in texts.items():
        for id, text in rows:
            places = [place for place in range(len(text)) if _is_stray(text, place)]
            strays.update(text[place] for place in places)
            if places:
                lines.append(AffectedLine(split, id, show_context(text, places[0])))
    if lines:
        title = f"katakana among ideographs that look alike, or the other way round: {list_characters(strays)}"
        twins = ", ".join(f"{c} for {_get_twin(c)}" for c, _ in strays.most_common(_MAX_GROUPS))
        remedy = f"check them: {twins}?"
        yield Finding("stray_kana", "warning", title, strays.total(), remedy, lines)


def _get_twin(character: str) -> str:
    return KANA_TWINS.get(character) or _TWINS_OF_KANA[character]


def _is_stray(text: str, place: int) -> bool:
    """Whether a character has a twin, and both of its neighbors are of the twin's kind."""
    character = text[place]
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if character in _TWINS_OF_KANA:
        return _is_katakana(before) and _is_katakana(after)
    if character == _LONG_VOWEL:
        return bool(before) and name_script(before) == "Han"
    if character not in KANA_TWINS or character in _PARTICLES or not before or not after:
        return False
    if character == "\N{KATAKANA LETTER KA}" and before in _NUMERALS:
        return False
    return name_script(before) == name_script(after) == "Han"


def _is_katakana(character: str) -> bool:
    return character == _LONG_VOWEL or (character != "" and name_script(character) == "Katakana")
