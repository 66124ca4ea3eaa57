"""Findings about the characters of the texts."""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from htr_lightning.data.line import Split
from htr_lightning.directions.bidi import MARKS, remove_marks
from htr_lightning.doctor.finding import AffectedLine, Finding
from htr_lightning.doctor.lookalikes import (
    ALPHABETS,
    DASHES,
    LATIN_TWINS,
    find_alphabet,
    find_families,
    get_plain_form,
)
from htr_lightning.doctor.search import Texts, find_lines, list_characters, search
from htr_lightning.text import Normalization, describe_characters, format_count, is_unprintable, normalize

MIN_OCCURRENCES = 3
"""A character that train has less often is too rare to be learned."""
_GUEST_FRACTION = 0.01  # of the letters; an alphabet with fewer is a guest
_JOINERS = "\u200c\u200d"
_SOFT_HYPHEN = "\u00ad"

Counts = Mapping[Split, Counter[str]]


def count_characters(texts: Iterable[str], normalization: Normalization) -> Counter[str]:
    """Count the characters of texts after normalization."""
    return Counter("".join(normalize(remove_marks(text), normalization) for text in texts))


def find_unknown_characters(
    texts: Texts, counts: Counts, known: Iterable[str], normalization: Normalization
) -> list[Finding]:
    """Find the characters of val and test that a model never learns.

    Args:
        texts: of the usable lines.
        counts: of their characters after normalization.
        known: the characters of train, or of the charset of a pretrained model.
        normalization: of the run.
    """
    findings = []
    known = set(known)
    for split in counts:
        unknown = Counter({c: n for c, n in counts[split].items() if c not in known})
        if split == "train" or not unknown:
            continue
        normalized: Texts = {split: [(id, normalize(remove_marks(text), normalization)) for id, text in texts[split]]}
        title = f"{split} has characters that train lacks; each counts as an error: {list_characters(unknown)}"
        remedy = "check the lines for typing errors, or split the data differently"
        lines = find_lines(normalized, unknown)
        findings.append(Finding(f"unknown_characters_{split}", "warning", title, len(unknown), remedy, lines))
    return findings


def find_rare_characters(counts: Counts) -> list[Finding]:
    """Find the characters that are too rare in train to be learned."""
    rare = Counter({c: n for c, n in counts["train"].items() if n < MIN_OCCURRENCES and not is_unprintable(c)})
    if not rare:
        return []
    number = format_count(len(rare), "character occurs", "characters occur")
    title = f"{number} fewer than {MIN_OCCURRENCES} times in train: {' '.join(sorted(rare))}"
    return [Finding("rare_characters", "note", title, len(rare), "add lines that contain them, if they matter")]


def find_lookalikes(texts: Texts, *, fonts: bool = False) -> list[Finding]:
    """Find characters that look alike in handwriting, and stray letters of another alphabet.

    Args:
        texts: of all lines.
        fonts: the lines are rendered with fonts, which distinguish most of them: only a note.
    """
    counts = Counter("".join(text for rows in texts.values() for _, text in rows))
    alike = [*_check_families(texts, counts), *_check_ellipses(texts, counts), *_check_plain_forms(texts, counts)]
    if fonts:
        remedy = "nothing, if the model is used for these fonts only: handwriting does not distinguish them"
        alike = [replace(finding, severity="note", remedy=remedy) for finding in alike]
    return [*alike, *_check_strays(texts, counts), *_check_dashes(counts)]


def _check_families(texts: Texts, counts: Counter[str]) -> Iterator[Finding]:
    for family in find_families(counts):
        common = max(family, key=lambda c: counts[c])
        others = Counter({c: counts[c] for c in family if c != common})
        yield Finding(
            "lookalikes",
            "warning",
            f"{list_characters(others)}, and {describe_characters(common)} {counts[common]:,} times: "
            "they look alike in handwriting",
            others.total(),
            f"write {common} everywhere",
            find_lines(texts, others),
        )


def _check_ellipses(texts: Texts, counts: Counter[str]) -> Iterator[Finding]:
    if not counts["…"]:
        return
    with_dots = sum("..." in text for rows in texts.values() for _, text in rows)
    if with_dots:
        title = f"'…' (U+2026 HORIZONTAL ELLIPSIS) {counts['…']:,} times, and three full stops in {with_dots:,} lines"
        remedy = "write the same everywhere"
        yield Finding("ellipses", "warning", title, counts["…"], remedy, find_lines(texts, "…"))


def _check_plain_forms(texts: Texts, counts: Counter[str]) -> Iterator[Finding]:
    """Find ligatures, full-width and mathematical letters if the texts have the plain letters, too."""
    fancy = Counter(
        {c: n for c, n in counts.items() if (plain := get_plain_form(c)) and all(p in counts for p in plain)}
    )
    if fancy:
        title = f"{list_characters(fancy)}: ligatures and letter variants that look like plain letters"
        remedy = "write the plain letters, or set +loader.normalization=NFKC"
        yield Finding("letter_forms", "warning", title, fancy.total(), remedy, find_lines(texts, fancy))


def _check_dashes(counts: Counter[str]) -> Iterator[Finding]:
    present = Counter({c: counts[c] for c in DASHES if counts[c]})
    if len(present) > 1:
        title = f"dashes of different lengths: {list_characters(present)}"
        remedy = "keep them only if the handwriting distinguishes them"
        yield Finding("dashes", "note", title, present.total(), remedy)


def _check_strays(texts: Texts, counts: Counter[str]) -> Iterator[Finding]:
    """Find letters of one alphabet in the words of another."""
    letters = Counter({name: sum(n for c, n in counts.items() if find_alphabet(c) == name) for name in ALPHABETS})
    if sum(1 for n in letters.values() if n) < 2:
        return
    main = letters.most_common(1)[0][0]
    foreign = {c for c in counts if find_alphabet(c) not in ("", main)}
    guests = {name for name, n in letters.items() if n < _GUEST_FRACTION * letters.total()}
    strays: Counter[str] = Counter()
    lines = []
    for split, id, text in search(texts, foreign):
        words = [match[0] for match in re.finditer(r"[^\W\d_]+", text) if _is_stray(match[0], guests)]
        of_line = Counter(c for word in words for c in word if c in foreign)
        if of_line:
            strays += of_line
            lines.append(AffectedLine(split, id, f"{list_characters(of_line)} in «{words[0]}»"))
    if lines:
        title = f"stray letters of another alphabet: {list_characters(strays)}"
        remedy = f"write the {main.capitalize()} letters that they look like"
        yield Finding("stray_letters", "warning", title, strays.total(), remedy, lines)


def _is_stray(word: str, guests: set[str]) -> bool:
    """Whether a word mixes alphabets, or has only letters of a guest that look Latin; one Greek letter is a symbol."""
    if len(word) == 1 and find_alphabet(word) == "GREEK" and word.islower():
        return False
    alphabets = {find_alphabet(c) for c in word} - {""}
    return len(alphabets) > 1 or (alphabets <= guests and all(c in LATIN_TWINS for c in word))


def find_unprintable_characters(texts: Texts) -> list[Finding]:
    """Find invisible and control characters, replacement characters, and characters for private use."""
    counts = Counter("".join(text for rows in texts.values() for _, text in rows))
    wrong = Counter({c: n for c, n in counts.items() if is_unprintable(c) and c not in _JOINERS + MARKS})
    lines = find_lines(texts, wrong)
    for split, id, text in search(texts, [c for c in _JOINERS if c in counts]):
        useless = Counter(c for before, c in itertools.pairwise(f" {text}") if c in _JOINERS and not _joins(before))
        if useless:
            wrong += useless
            lines.append(AffectedLine(split, id, list_characters(useless)))
    findings = []
    marks = Counter({c: counts[c] for c in MARKS if counts[c]})
    if marks:
        title = f"invisible marks of direction: {list_characters(marks)}"
        remedy = "nothing: training removes them, since no handwriting shows them; other programs may not"
        findings.append(Finding("direction_marks", "note", title, marks.total(), remedy, find_lines(texts, marks)))
    if wrong:
        title = f"invisible, control or replacement characters: {list_characters(wrong)}"
        remedy = "remove them from the texts; U+FFFD replaces a character that an encoding error lost: type it again"
        if _SOFT_HYPHEN in wrong:
            remedy += "; where a hyphen is on the paper, as at the end of a line, write '-' instead of U+00AD"
        findings.append(Finding("invisible_characters", "warning", title, wrong.total(), remedy, lines))
    private = Counter({c: n for c, n in counts.items() if unicodedata.category(c) == "Co"})
    if private:
        title = f"private-use characters, which depend on a font: {list_characters(private)}"
        remedy = "correct for medieval characters (MUFI); otherwise write the intended characters"
        lines = find_lines(texts, private)
        findings.append(Finding("private_use", "note", title, private.total(), remedy, lines))
    return findings


def _joins(before: str) -> bool:
    """Whether a joiner has an effect after a character: in Arabic, Indic and other joining scripts."""
    return before.isprintable() and not before.isspace() and not find_alphabet(before) and not before.isascii()


def find_uncomposed_texts(texts: Texts, normalization: Normalization) -> list[Finding]:
    """Find texts that are not in Unicode form NFC, in which accented letters are single characters."""
    lines = [
        AffectedLine(split, id)
        for split, rows in texts.items()
        for id, text in rows
        if not unicodedata.is_normalized("NFC", text)
    ]
    if not lines:
        return []
    title = f"{format_count(len(lines), 'text is', 'texts are')} not in the Unicode form NFC"
    if normalization == "none":
        remedy = "convert them to NFC, or set loader.normalization=NFC: some letters have two spellings now"
        return [Finding("not_nfc", "warning", title, len(lines), remedy, lines)]
    remedy = f"nothing: training normalizes them to {normalization} (loader.normalization); other programs may not"
    return [Finding("not_nfc", "note", title, len(lines), remedy, lines)]
