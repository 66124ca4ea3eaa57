import pytest
from hypothesis import given
from hypothesis import strategies as st

from htr_lightning.data.sources.iam_text import detokenize, join_tokens, unescape_entities


def rebuilt(*lines: str) -> list[str]:
    return detokenize([line.split("|") for line in lines])


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("tomorrow|.|Mr.|Foot|has", "tomorrow. Mr. Foot has"),
        ("So|(|280,000|men|)|,|left", "So (280,000 men), left"),
        ("it|'s|THAT|'S|we|'d|you|'ll|I|'m|they|'ve|you|'re", "it's THAT'S we'd you'll I'm they've you're"),
        ("settlers'|d'or|couldn't|week-end", "settlers' d'or couldn't week-end"),
        ("Mrs.|-|er|-|Hill|,|well-|kept", "Mrs. - er - Hill, well- kept"),
        ("fast|...|.|about|...|yes|,", "fast.... about... yes,"),
        ("alas|!|,|as|10|%|of|R&D|#|went|?", "alas!, as 10% of R&D # went?"),
        ("M Ps|at|0M P|.", "M Ps at 0M P."),
        ("called|\"|bulge|\"|,|'|The|Pearl|'|.", "called \"bulge\", 'The Pearl'."),
        ('"|Yes|,|"|he|said|.|"|No|.|"|"|Why|?|"', '"Yes," he said. "No." "Why?"'),
        ("I|mean|-|\"|\"|What|?|'|'|It|.|'", "I mean -\" \"What?' 'It.'"),
        ('night|:|"|We|want', 'night: "We want'),
        ("", ""),
    ],
)
def test_tokens_are_joined_as_one_writes(tokens, text):
    assert rebuilt(tokens) == [text]


def test_quotations_go_on_from_line_to_line():
    assert rebuilt('"|We|must', 'go|.|"|He|left', 'her|.|"|Now|,') == ['"We must', 'go." He left', 'her. "Now,']


def test_quotations_of_an_earlier_form_are_known_by_the_next_telling_mark():
    assert rebuilt("late|.|'|They", "went|.|'", "he|said") == ["late. 'They", "went.'", "he said"]
    assert rebuilt("late|.|'|They|went", "'|Now|!|'") == ["late.' They went", "'Now!'"]


def test_a_mark_too_many_is_the_known_imperfection():
    assert rebuilt('to|attract|"|head|offices|"|on|the|scale|"|to') == ['to attract "head offices" on the scale "to']


def test_tokens_with_spaces_between_them():
    assert join_tokens(["It", "'S", "late", ",", "0M P", "'", "s", "."]) == "It'S late , 0MP ' s ."
    assert join_tokens(["'s", "", "a"]) == "'s a"


def test_text_that_was_escaped_twice():
    assert unescape_entities("&quot;It&apos;s&#34; R&amp;D &lt;&gt; AT&T &copy; &") == '"It\'s" R&D <> AT&T &copy; &'


tokens = st.text(st.characters(blacklist_categories=["Cs", "Z", "C"]), min_size=1, max_size=4)
marks = st.sampled_from(['"', "'", ".", ",", "(", ")", "...", "'s", ":"])


@given(st.lists(st.lists(tokens | marks, max_size=8), max_size=5))
def test_nothing_but_spaces_is_lost_or_added(lines):
    result = detokenize(lines)
    assert [text.replace(" ", "") for text in result] == ["".join(line) for line in lines]
    assert all(text == text.strip() and "  " not in text for text in result)
    assert [join_tokens(line).replace(" ", "") for line in lines] == ["".join(line) for line in lines]
