"""Lexicons report every unknown word once; a beam search with a lexicon agrees with enumerating all texts."""

import itertools
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.frames import random_logits
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.cli import evaluate, predict
from htr_lightning.config.compose import conf_dir
from htr_lightning.config.validate import validate
from htr_lightning.decode.beam import BeamSearch
from htr_lightning.decode.confidence import log_softmax
from htr_lightning.decode.decoder import build_beam_decoder
from htr_lightning.decode.lexicon import ROOT, UNKNOWN, Lexicon, LexiconError, read_lexicon, split_words
from htr_lightning.lm.kneser_ney import train_ngram
from htr_lightning.lm.tables import ContextTables

SMALL = Charset("abA ")
ALLOWED = {"ab", "Ab", "a", "A", "bab"}  # what SMALL can write of "ab", "a" and "bab", also capitalized
MODEL = train_ngram(["ab ab", "bab a", "bb a", "Ab"], 3)
EVERYTHING = {"max_classes": 4, "min_probability": 0.0, "blank_skip_threshold": 1.0}

LARGE = Charset("abcABCéÉ̂' -12")
texts = st.text("".join(LARGE.characters), max_size=8)


def count_unknown_words(lexicon: Lexicon, ids: Sequence[int]) -> int:
    """Return the number of words of a text that are not in a lexicon."""
    node, unknown = np.array([[ROOT]]), 0
    for id in ids:
        after, is_unknown = lexicon.advance(node, np.array([[id]]))
        node, unknown = after[:, :, 0], unknown + int(is_unknown.sum())
    return unknown + int(~lexicon.is_final[node[0, 0]])


@settings(max_examples=200, deadline=None)
@given(words=st.lists(st.text("abcé̂", min_size=1, max_size=4), min_size=1, max_size=6), text=texts)
def test_every_word_outside_the_lexicon_is_reported_once(words: list[str], text: str) -> None:
    lexicon = Lexicon([*words, "a"], LARGE)
    composed = [LARGE.normalize(word) for word in [*words, "a"]]
    spellings = {s for w in composed for s in (w, w[0].upper() + w[1:], w.upper())}
    expected = re.findall("[^' 0-9-]+", text)
    assert split_words(text) == expected
    ids = [LARGE.characters.index(c) + 1 for c in text]  # not normalized: a recognizer may predict e and ̂ separately
    assert count_unknown_words(lexicon, ids) == sum(word not in spellings for word in expected)
    for word in spellings:
        if not LARGE.find_unknown(word):
            assert count_unknown_words(lexicon, LARGE.encode(f"{word}-1{word}")) == 0


def test_nodes_are_those_of_a_trie() -> None:
    lexicon = Lexicon(["ab", "abc", "abd", "b"], Charset("abcd"))
    assert len(lexicon.is_final) == 2 + len(["a", "ab", "abc", "abd", "b"])
    assert lexicon.is_final.sum() == 2 + 4 and lexicon.num_words == 4


def test_words_consist_of_letters_and_marks() -> None:
    words = ["l", "été", "x̄y", "aujourd", "hui", "peut", "être", "ª"]
    assert split_words("l'été, 12x̄y aujourd’hui—peut-être\n№ ª²") == words


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("été", 0),
        ("Été", 0),
        ("ÉTÉ", 0),
        ("ÉtÉ", 1),
        ("éTé", 1),
        ("Été-ÉTÉ été", 0),
        ("ét", 1),
        ("étés", 1),
        ("Paris", 0),
        ("PARIS", 0),
        ("paris", 1),
        ("été12 paris", 1),
        ("", 0),
        (" -- 12", 0),
    ],
)
def test_words_may_be_capitalized_or_in_capitals(text: str, unknown: int) -> None:
    charset = Charset("abcdeéiprstABEÉTPRISparis -12".translate({ord(c): None for c in "paris"}) + "paris")
    lexicon = Lexicon(["été de Paris 1900"], charset)
    assert count_unknown_words(lexicon, charset.encode(text)) == unknown


def score_all_texts(log_probs: NDArray[np.float32], lm_weight: float, cost: float | None) -> list[tuple[float, str]]:
    """Return all allowed texts of a line with their scores, best first, by enumerating all paths."""
    log_probs_of_texts: dict[str, float] = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        text = SMALL.decode(c for c, _ in itertools.groupby(path) if c)
        probability = sum(float(log_probs[t, c]) for t, c in enumerate(path))
        log_probs_of_texts[text] = float(np.logaddexp(log_probs_of_texts.get(text, -np.inf), probability))
    scored = []
    for text, value in log_probs_of_texts.items():
        unknown = sum(word not in ALLOWED for word in text.split())
        if cost is not None or not unknown:
            scored.append((value + lm_weight * MODEL.log_probability(text) - (cost or 0) * unknown, text))
    return sorted(scored, reverse=True)


@pytest.mark.parametrize(("lm_weight", "cost"), [(0.0, None), (0.0, 1.5), (0.7, None), (0.7, 0.5), (0.0, 0.0)])
def test_a_wide_beam_agrees_with_enumerating_all_texts(lm_weight: float, cost: float | None) -> None:
    logits = random_logits(5, 8, 4, 5) * 2
    search = BeamSearch(
        beam_width=400,
        lm=ContextTables(MODEL, SMALL),
        lm_weight=lm_weight,
        lexicon=Lexicon(["ab a bab"], SMALL),
        unknown_word_cost=cost,
        **EVERYTHING,
    )
    n_best = search.decode_n_best(logits, np.full(8, 4), n_best=6)
    for line, hypotheses in zip(log_softmax(logits), n_best, strict=True):
        for (score, text), hypothesis in zip(score_all_texts(line, lm_weight, cost)[:6], hypotheses, strict=True):
            assert SMALL.decode(hypothesis.ids) == text
            assert hypothesis.score == pytest.approx(score, abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), sharpness=st.sampled_from([1.0, 4.0, 20.0]), width=st.integers(4, 20))
def test_only_words_of_the_lexicon_are_predicted(seed: int, sharpness: float, width: int) -> None:
    logits = random_logits(seed, 4, 12, 5) * np.float32(sharpness)
    search = BeamSearch(beam_width=width, lexicon=Lexicon(["ab a bab"], SMALL))
    for ids in search.decode(logits, np.array([12, 5, 1, 9])):
        assert set(SMALL.decode(ids).split()) <= ALLOWED


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_lexicon_of_all_words_and_a_cost_of_zero_change_nothing(seed: int) -> None:
    logits = random_logits(seed, 4, 4, 5) * 3
    lengths = np.array([4, 2, 3, 4])
    everything = ["".join(letters) for n in range(1, 5) for letters in itertools.product("abA", repeat=n)]
    plain = BeamSearch().decode(logits, lengths)
    assert BeamSearch(lexicon=Lexicon(everything, SMALL)).decode(logits, lengths) == plain
    assert BeamSearch(lexicon=Lexicon(["ab"], SMALL), unknown_word_cost=0.0).decode(logits, lengths) == plain


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), width=st.integers(4, 8))
def test_a_narrow_beam_reserves_no_place_for_words_if_unknown_ones_cost_nothing(seed: int, width: int) -> None:
    logits = random_logits(seed, 4, 12, 5) * 2
    lengths = np.array([12, 9, 12, 5])
    plain = BeamSearch(beam_width=width)
    free = BeamSearch(beam_width=width, lexicon=Lexicon(["bab"], SMALL), unknown_word_cost=0.0)
    beams = [search.decode_n_best(logits, lengths, n_best=width) for search in (plain, free)]
    assert beams[0] == beams[1]


def test_a_beam_too_narrow_for_complete_words_still_predicts_a_text() -> None:
    logits = np.full((1, 2, 5), -20.0, np.float32)
    logits[0, 0, SMALL.encode("b")[0]] = logits[0, 1, 0] = 5.0
    lexicon = Lexicon(["bab"], SMALL)
    assert BeamSearch(beam_width=1, lexicon=lexicon).decode(logits, np.array([2])) == [SMALL.encode("b")]
    assert BeamSearch(beam_width=9, lexicon=lexicon).decode(logits, np.array([2])) == [[]]


def test_a_text_file_and_a_manifest_give_the_same_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "words.txt").write_text("bab\nab Ab-βγ\n\n", encoding="utf-8")
    (tmp_path / "lines.tsv").write_text("image\ttext\na.png\tab bab\nb.png\tbab, Ab: βγ\n", encoding="utf-8")
    lexicons = []
    for name in ("words.txt", "lines.tsv"):
        caplog.clear()
        lexicons.append(read_lexicon(tmp_path / name, SMALL))
        assert lexicons[-1].num_words == 3 and lexicons[-1].skipped_words == ["βγ"]
        assert f"{name}: skipped 1 of 4 words with characters that the recognizer lacks, such as " in caplog.text
        assert caplog.text.endswith("'β' (U+03B2 GREEK SMALL LETTER BETA) in 'βγ'\n")
    assert (lexicons[0].is_final == lexicons[1].is_final).all()


def test_words_that_the_charset_can_only_spell_in_capitals_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    capitals = Charset("AB ")
    lexicon = Lexicon(["ab"], capitals)
    assert not lexicon.skipped_words
    assert count_unknown_words(lexicon, capitals.encode("AB AB")) == 0
    assert count_unknown_words(lexicon, [1]) == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.txt", None, r"none\.txt: there is no such file; check the path"),
        ("none.tsv", None, r"none\.tsv: there is no such file"),
        ("latin1.txt", "été".encode("latin-1"), r"latin1\.txt: row 1 is not UTF-8"),
        ("empty.txt", b"", r"empty\.txt: has no words; give a text file of words"),
        ("digits.txt", b"12, 13", r"digits\.txt: has no words"),
        ("long.txt", b"ab " + b"a" * 5_000_000, r"long\.txt: .* has 5,000,000 letters, too many for a word"),
        ("other.tsv", b"image\twords\na.png\tab\n", r"other\.tsv: there is no column 'text'"),
        (
            "greek.txt",
            "βγ γ".encode(),
            r"greek\.txt: the recognizer cannot predict any of its 2 words: it lacks "
            r"'β' \(U\+03B2 GREEK SMALL LETTER BETA\) of 'βγ'; give words of the script",
        ),
    ],
)
def test_lexicons_that_cannot_be_used(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LexiconError, match=words) as error:
        build_beam_decoder(SMALL, lexicon=str(tmp_path / name))
    kinds = {"empty": "empty", "digits": "empty", "long": "too_long", "greek": "unknown_characters"}
    kind = kinds.get(name.partition(".")[0])
    assert Path(error.value.file or "") == tmp_path / name and kind in (None, error.value.kind)


def test_a_word_of_a_thousand_letters_is_the_longest() -> None:
    assert Lexicon(["a" * 1000], SMALL).num_words == 1
    with pytest.raises(LexiconError):
        Lexicon(["a" * 1001], SMALL)


def test_the_lexicon_of_words_in_several_lengths_is_a_trie() -> None:
    lexicon = Lexicon(["ab", "a b a", "bab"], Charset("ab"))
    # Nodes by level: a and b, then ab and ba, then bab; only "ba" is no word.
    node = {"": ROOT}
    for text in ("a", "b", "ab", "ba", "bab"):
        after, is_unknown = lexicon.advance(np.array([[node[text[:-1]]]]), np.array([[" ab".index(text[-1])]]))
        node[text] = int(after[0, 0, 0])
        assert not is_unknown.any()
    assert len(set(node.values())) == 6 and UNKNOWN not in node.values()
    assert {text for text in node if lexicon.is_final[node[text]]} == {"", "a", "b", "ab", "bab"}
    assert lexicon.is_final[[ROOT, UNKNOWN]].all() and len(lexicon.is_final) == 7
    after, is_unknown = lexicon.advance(np.array([[node["bab"], UNKNOWN]]), np.array([[1]]))
    assert after.tolist() == [[[UNKNOWN], [UNKNOWN]]] and is_unknown.tolist() == [[[True], [False]]]


def test_a_negative_cost_is_refused() -> None:
    with pytest.raises(ValueError, match=r"decoder\.unknown_word_cost=-1\.0: negative; give 0 or more"):
        BeamSearch(unknown_word_cost=-1.0)


def test_a_lexicon_in_the_configuration(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "words.txt").write_text("ab\nbab\n")
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        overrides = ["decoder=beam", f"decoder.lexicon={tmp_path / 'words.txt'}", "+decoder.unknown_word_cost=3.0"]
        cfg = compose("config", overrides=["dataset=lines", f"dataset.root={tmp_path}", *overrides])
    validate(cfg)
    logits = np.full((1, 2, 5), -9.0, np.float32)
    logits[0, 0, SMALL.encode("b")[0]] = logits[0, 1, 0] = 9.0
    assert instantiate(cfg.decoder, _convert_="all")(SMALL)(logits, np.array([2])) == [SMALL.encode("b")]
    with caplog.at_level(logging.INFO):
        assert build_beam_decoder(SMALL, lexicon=cfg.decoder.lexicon)(logits, np.array([2])) == [[]]
    assert not caplog.text


def test_predict_and_evaluate_with_a_lexicon(
    write_lines: Callable[[Sequence[str], str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = write_lines(["la table est dans la nuit", "il est dans la nuit"], "val")
    (tmp_path / "words.txt").write_text("il lit\nla tablette dans une nuit\n")
    allowed = set((tmp_path / "words.txt").read_text().split())
    lexicon = ["--lexicon", str(tmp_path / "words.txt")]
    predict.main(["zoo:latin", str(lines / "val"), *lexicon])
    shown = capsys.readouterr().out
    assert {word.lower() for word in split_words(shown)} <= allowed
    assert shown.count("dans la nuit") == 2
    predict.main(["zoo:latin", str(lines / "val"), *lexicon, "--unknown-word-cost", "0"])
    free = capsys.readouterr().out
    predict.main(["zoo:latin", str(lines / "val"), "--beam-width", "16"])
    assert capsys.readouterr().out == free != shown
    with pytest.raises(SystemExit, match=r"none\.txt: there is no such file"):
        evaluate.main(["zoo:latin", "--data", str(lines / "val.tsv"), "--lexicon", str(tmp_path / "none.txt")])
