"""Texts in two directions: visual order as the Unicode Bidirectional Algorithm has it, and back."""

import random
import unicodedata

import pytest

from htr_lightning.charset import Charset, CharsetError, find_direction
from htr_lightning.directions.bidi import MARKS, find_base_direction, find_letter_direction, to_visual
from htr_lightning.directions.characters import mirror
from htr_lightning.directions.inverse import order_logically, to_logical

HEBREW, ARABIC, LATIN = "אבגדהוזחטיכלמנסעפצקרשת", "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "abcdefghijklmnopqrstuvwxyzé"
NUMBERS = ["7", "1890", "3.5", "12/7/1890", "10:30", "1,000", "50%", "$5", "1-2", "+3", "٣٤٥"]


def make_line(generator: random.Random, script: str) -> str:
    """Return words of a script, with numbers, words in brackets or quotes, and punctuation between them."""
    words = []
    for _ in range(generator.randint(1, 9)):
        letters = script if generator.random() < 0.75 else LATIN
        word = "".join(generator.choices(letters, k=generator.randint(1, 7)))
        kind = generator.random()
        word = generator.choice(NUMBERS) if kind < 0.15 else f"({word})" if kind < 0.25 else word
        words.append(word + generator.choice(["", "", "", ",", ".", "!", ":"]))
    return " ".join(words)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("script", [HEBREW, ARABIC])
def test_visual_order_is_that_of_a_reference(script: str, direction: str) -> None:
    reference = pytest.importorskip("bidi")
    first_of_pair = {i: min(chr(i), mirror(chr(i))) for i in range(256)}  # the reference leaves brackets as they are
    generator = random.Random(1)
    for _ in range(1500):
        text = make_line(generator, script)
        display = reference.get_display(text, base_dir=direction[0].upper())
        assert to_visual(text, direction).translate(first_of_pair) == display.translate(first_of_pair)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "direction", "visual"),
    [
        ("שלום", "rtl", "םולש"),
        ("abc שלום", "ltr", "abc םולש"),
        ("abc שלום", "rtl", "םולש abc"),
        ("בשנת 1890.", "rtl", ".1890 תנשב"),
        ("ראה (עמוד 12)", "rtl", "(12 דומע) האר"),
        ("ראה (page 12) שם", "rtl", "םש (page 12) האר"),
        ("he said (שלום)", "ltr", "he said (םולש)"),
        ("في ٣/٤", "rtl", "٣/٤ يف"),
        ("في 50%", "rtl", "%50 يف"),
        ("‏שלום‎!", "rtl", "!םולש"),
        ("שָׁלוֹם", "rtl", "םוֹלשָׁ"),  # points follow their letters
        ("«שלום»", "rtl", "«םולש»"),
        ('גרסת 4.10 "Warty Warthog"', "rtl", '"Warty Warthog" 4.10 תסרג'),  # quotation marks say which is first
        ("שורש APL (APLX לבד)", "rtl", "(דבל APLX) APL שרוש"),  # and so do brackets around two directions
        ('he said "שלום" (8.9) twice', "ltr", 'he said "(8.9) "םולש twice'),
    ],
)
def test_lines_by_hand(text: str, direction: str, visual: str) -> None:
    assert to_visual(text, direction) == visual  # type: ignore[arg-type]
    assert to_logical(visual, direction) == text.translate(dict.fromkeys(map(ord, MARKS)))  # type: ignore[arg-type]


@pytest.mark.parametrize("script", [HEBREW, ARABIC])
def test_back_and_forth(script: str) -> None:
    """Every reading looks like the line; where only one text looks like it, it is that text."""
    generator = random.Random(2)
    same = 0
    for _ in range(1500):
        text = make_line(generator, script)
        visual = to_visual(text, "rtl")
        back, places = order_logically(visual, "rtl")
        assert to_visual(back, "rtl") == visual
        assert sorted(places) == list(range(len(visual)))
        same += back == text
    assert same > 0.85 * 1500  # a number beside a Latin word may stand on either side of it
    for _ in range(1500):  # without numbers there is one text only
        text = " ".join("".join(generator.choices(generator.choice([script, LATIN]), k=4)) for _ in range(6))
        assert to_logical(to_visual(text, "rtl"), "rtl") == text


@pytest.mark.parametrize("direction", ["auto", "ltr"])
def test_latin_texts_stay_as_they_are(direction: str) -> None:
    for text in ("", " ", "12 (a) [b] – «c» 50%!", "où ça", "Ελληνικά, кириллица"):
        assert to_visual(text, direction) == to_logical(text, direction) == text  # type: ignore[arg-type]


def test_the_direction_of_most_letters_decides() -> None:
    assert find_base_direction("abc של") == "ltr" and find_base_direction("ab שלום") == "rtl"
    assert find_base_direction("12 34") == "ltr" and find_base_direction("abc", "rtl") == "rtl"
    assert find_letter_direction("12 34") is None and find_letter_direction("سلام 12") == "rtl"


def test_charsets_with_a_direction() -> None:
    texts = ["שלום (12)", "Hello (3)", "‏שלום!"]
    assert find_direction(texts) == "auto" and find_direction(texts, "rtl") == "rtl" and find_direction(["abc"]) is None
    charset = Charset.from_texts(texts, direction="auto")
    assert not set(charset.characters) & set(MARKS)
    for text in texts:
        normal = charset.normalize(text)
        assert charset.decode(charset.encode(text)) == normal
        assert [charset.characters[id - 1] for id in charset.encode(text)] == list(charset.to_visual(text))
    assert charset.decode_visual(charset.encode("שלום")) == "םולש"
    assert Charset.from_dict(charset.to_dict()) == charset != charset.with_direction(None)
    assert charset.extend(["ב"]).direction == "auto" and "direction" not in Charset("ab").to_dict()
    with pytest.raises(CharsetError, match=r"direction.*sideways"):
        Charset("ab", direction="sideways")  # type: ignore[arg-type]


def test_strange_characters() -> None:
    for text in ("\u0301", "\u05b8", "א\ud800", "(((", ")א(", "\u200d", "א\u0301\u0302 1", "[א(ב]ג)"):
        visual = to_visual(text, "rtl")
        assert sorted(unicodedata.normalize("NFD", visual)) and len(visual) == len(text)
        assert to_visual(to_logical(visual, "rtl"), "rtl") == visual


@pytest.mark.parametrize("text", ["\u0301", "\u05b8", "\u05b8אב", "\u064b كتب", "אב \u0301"])
def test_lone_combining_marks_do_no_harm(text: str) -> None:
    charset = Charset.from_texts([text, "abc"], direction="auto")
    back = charset.decode(charset.encode(text))  # a mark without a letter may be taken for one of the letter beside it
    assert charset.to_visual(back) == charset.to_visual(text) and sorted(back) == sorted(charset.normalize(text))
