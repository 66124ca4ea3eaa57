"""Findings about the characters of the texts."""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from htr_lightning.data.line import Split
from htr_lightning.doctor.finding import Finding, Named
from htr_lightning.doctor.lookalikes import ALPHABETS, DASHES, TWIN_OF, alphabet, families_in, plain_form
from htr_lightning.text import Normalization, describe_characters, format_count, is_unprintable, normalize

RARE = 3
"""A character that train has less often cannot be learnt from it."""
_NAMED = 10  # how many characters a title names
_FEW = 0.01  # an alphabet with a smaller share of the letters is a guest
_CONTEXT = 12  # characters shown on either side of the one in question

Texts = Mapping[Split, list[tuple[str, str]]]
"""Id and text of the lines of each split."""
Counts = Mapping[Split, Counter[str]]


def count_characters(texts: Iterable[str], normalization: Normalization) -> Counter[str]:
    """Count the characters of some texts, once normalized."""
    return Counter("".join(normalize(text, normalization) for text in texts))


def outside_train(texts: Texts, counts: Counts, known: Iterable[str], normalization: Normalization) -> list[Finding]:
    """Find the characters of val and test that a recognizer never learns to write.

    Args:
        texts: of the usable lines.
        counts: of their characters, normalized.
        known: the characters of train, or of the charset that is carried over.
        normalization: of the run.
    """
    findings = []
    known = set(known)
    for split in counts:
        unknown = Counter({c: n for c, n in counts[split].items() if c not in known})
        if split == "train" or not unknown:
            continue
        lines = _lines_with(
            {split: [(id, normalize(text, normalization)) for id, text in texts[split]]}, unknown
        )  # fmt: skip
        findings.append(
            Finding(
                f"unknown_characters_{split}",
                "warning",
                f"{split} has characters that train lacks; each counts as an error: {_listed(unknown)}",
                len(unknown),
                "check the lines for typing errors, or divide the data again",
                lines,
            )
        )
    return findings


def rare_in_train(counts: Counts) -> list[Finding]:
    """Find the characters that train has too seldom to be learnt."""
    rare = Counter({c: n for c, n in counts["train"].items() if n < RARE and not is_unprintable(c)})
    if not rare:
        return []
    number = format_count(len(rare), "character stands", "characters stand")
    title = f"{number} fewer than {RARE} times in train: {' '.join(sorted(rare))}"
    return [Finding("rare_characters", "note", title, len(rare), "more lines that have them, if they matter")]


def lookalikes(texts: Texts, *, fonts: bool = False) -> list[Finding]:
    """Find characters that no hand tells apart, and letters that strayed in from another alphabet.

    Args:
        texts: of all lines.
        fonts: the lines are written with fonts, which do tell most of them apart: only worth a note.
    """
    counts = Counter("".join(text for rows in texts.values() for _, text in rows))
    alike = [*_families(texts, counts), *_ellipses(texts, counts), *_plain_forms(texts, counts)]
    if fonts:
        remedy = "nothing, as long as only these fonts are to be read: hands make no such difference"
        alike = [replace(finding, severity="note", remedy=remedy) for finding in alike]
    return [*alike, *_strays(texts, counts), *_dashes(counts)]


def _families(texts: Texts, counts: Counter[str]) -> Iterator[Finding]:
    for family in families_in(counts):
        common = max(family, key=lambda c: counts[c])
        others = Counter({c: counts[c] for c in family if c != common})
        yield Finding(
            "lookalikes",
            "warning",
            f"{_listed(others)}, look like {describe_characters(common)}, {counts[common]:,} times: "
            "no hand tells them apart",
            others.total(),
            f"write {common} everywhere",
            _lines_with(texts, others),
        )


def _ellipses(texts: Texts, counts: Counter[str]) -> Iterator[Finding]:
    if not counts["…"]:
        return
    three = [Named(split, id) for split, rows in texts.items() for id, text in rows if "..." in text]
    if three:
        title = f"'…' (U+2026 HORIZONTAL ELLIPSIS) {counts['…']:,} times, and three full stops in {len(three):,} lines"
        remedy = "write one or the other everywhere"
        yield Finding("ellipses", "warning", title, counts["…"], remedy, _lines_with(texts, "…"))


def _plain_forms(texts: Texts, counts: Counter[str]) -> Iterator[Finding]:
    """Ligatures, full-width and mathematical letters where the plain letters stand too."""
    fancy = Counter({c: n for c, n in counts.items() if (plain := plain_form(c)) and all(p in counts for p in plain)})
    if fancy:
        title = f"{_listed(fancy)}: ligatures and letter forms that are written like plain letters"
        remedy = "write the plain letters, or set +loader.normalization=NFKC"
        yield Finding("letter_forms", "warning", title, fancy.total(), remedy, _lines_with(texts, fancy))


def _dashes(counts: Counter[str]) -> Iterator[Finding]:
    present = Counter({c: counts[c] for c in DASHES if counts[c]})
    if len(present) > 1:
        title = f"dashes of several lengths: {_listed(present)}"
        remedy = "keep them only if the hands make the difference"
        yield Finding("dashes", "note", title, present.total(), remedy)


def _strays(texts: Texts, counts: Counter[str]) -> Iterator[Finding]:
    """Letters of one alphabet in the words of another."""
    letters = Counter({name: sum(n for c, n in counts.items() if alphabet(c) == name) for name in ALPHABETS})
    if sum(1 for n in letters.values() if n) < 2:
        return
    main = letters.most_common(1)[0][0]
    foreign = {c for c in counts if alphabet(c) not in ("", main)}
    guests = {name for name, n in letters.items() if n < _FEW * letters.total()}
    found: Counter[str] = Counter()
    lines = []
    for split, id, text in _searched(texts, foreign):
        strays = [match for match in re.finditer(r"[^\W\d_]+", text) if _is_stray(match[0], guests)]
        own = Counter(c for match in strays for c in match[0] if c in foreign)
        if own:
            found += own
            lines.append(Named(split, id, f"{_listed(own)} in «{strays[0][0]}»"))
    if lines:
        title = f"letters that strayed in from another alphabet: {_listed(found)}"
        remedy = f"write the {main.capitalize()} letters that they look like"
        yield Finding("stray_letters", "warning", title, found.total(), remedy, lines)


def _is_stray(word: str, guests: set[str]) -> bool:
    """Whether a word mixes alphabets, or is of a guest's but for its look; a lone Greek letter is a symbol."""
    if len(word) == 1 and alphabet(word) == "GREEK" and word.islower():
        return False
    alphabets = {alphabet(c) for c in word} - {""}
    return len(alphabets) > 1 or (alphabets <= guests and all(c in TWIN_OF for c in word))


def out_of_place(texts: Texts) -> list[Finding]:
    """Find what has no look: invisible and control characters, and those that a conversion lost."""
    counts = Counter("".join(text for rows in texts.values() for _, text in rows))
    wrong = Counter({c: n for c, n in counts.items() if is_unprintable(c) and c not in _JOINERS})
    lines = _lines_with(texts, wrong)
    for split, id, text in _searched(texts, [c for c in _JOINERS if c in counts]):
        useless = Counter(c for before, c in itertools.pairwise(f" {text}") if c in _JOINERS and not _joins(before))
        if useless:
            wrong += useless
            lines.append(Named(split, id, _listed(useless)))
    findings = []
    if wrong:
        title = f"invisible, control or lost characters: {_listed(wrong)}"
        remedy = "take them out of the texts; U+FFFD stands for a letter that was lost, to be written again"
        findings.append(Finding("invisible_characters", "warning", title, wrong.total(), remedy, lines))
    private = Counter({c: n for c, n in counts.items() if unicodedata.category(c) == "Co"})
    if private:
        title = f"characters for private use, which mean something in one font only: {_listed(private)}"
        remedy = "right for medieval letters (MUFI); otherwise write what was meant"
        lines = _lines_with(texts, private)
        findings.append(Finding("private_use", "note", title, private.total(), remedy, lines))
    return findings


_JOINERS = "\u200c\u200d"


def _joins(before: str) -> bool:
    """Whether a joiner has something to do after a letter: in Arabic, Indic and other joining scripts."""
    return before.isprintable() and not before.isspace() and not alphabet(before) and not before.isascii()


def not_composed(texts: Texts, normalization: Normalization) -> list[Finding]:
    """Find texts in which letters with accents are not written the usual way (NFC)."""
    lines = [
        Named(split, id)
        for split, rows in texts.items()
        for id, text in rows
        if not unicodedata.is_normalized("NFC", text)
    ]
    if not lines:
        return []
    title = f"{format_count(len(lines), 'text is', 'texts are')} not in the Unicode form NFC"
    if normalization == "none":
        remedy = "write them in NFC, or leave loader.normalization at NFC: one letter has two spellings now"
        return [Finding("not_nfc", "warning", title, len(lines), remedy, lines)]
    remedy = f"nothing: every run brings them to {normalization} (loader.normalization); other programs may not"
    return [Finding("not_nfc", "note", title, len(lines), remedy, lines)]


def _searched(texts: Texts, characters: Iterable[str]) -> Iterator[tuple[Split, str, str]]:
    """Yield split, id and text of the lines that have one of some characters."""
    search = _search_for(characters)
    for split, rows in texts.items():
        for id, text in rows:
            if search(text):
                yield split, id, text


def _lines_with(texts: Texts, characters: Iterable[str]) -> list[Named]:
    """Name the lines that have one of some characters, each with the place of the first."""
    search = _search_for(characters)
    return [
        Named(split, id, _place(text, match.start()))
        for split, rows in texts.items()
        for id, text in rows
        if (match := search(text))
    ]


def _search_for(characters: Iterable[str]) -> Callable[[str], re.Match[str] | None]:
    inside = "".join(map(re.escape, characters))
    return re.compile(f"[{inside}]" if inside else r"(?!)").search


def _place(text: str, at: int) -> str:
    start, end = max(0, at - _CONTEXT), at + 1 + _CONTEXT
    shown = f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
    return f"U+{ord(text[at]):04X} in «{shown}»"


def _listed(counts: Counter[str]) -> str:
    """Write the most frequent of some characters with their names and counts."""
    named = [f"{describe_characters(c)} {format_count(n, 'time')}" for c, n in counts.most_common(_NAMED)]
    return ", ".join(named) + (f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else "")
