"""The rows that a decoder asks for say what the n-gram says, however they came to be."""

from pathlib import Path

import numpy as np
import pytest

from htr_lightning.charset import Charset
from htr_lightning.lm.arpa import read_arpa
from htr_lightning.lm.kneser_ney import train_ngram
from htr_lightning.lm.ngram import BEGIN, END, UNKNOWN, NGram
from htr_lightning.lm.tables import ContextTables

TEXTS = ["le chat dort", "la chatte dort là", "où est le chat ?", "la nuit tous les chats sont gris"]
CHARSET = Charset.from_texts([*TEXTS, "bxyz"])


def check(model: NGram, tables: ContextTables, text: str) -> None:
    """Walk through a text, and compare the row of each context with the n-gram's definition."""
    node, history = tables.start, model.ids([BEGIN])
    for character in [*text, None]:
        row = tables.rows(np.array([node]))[0]
        for column, following in enumerate((END, *CHARSET.characters)):
            symbol = model.ids([following if following in model.symbols else UNKNOWN])[0]
            assert tables.log_probability[row, column] == pytest.approx(model.conditional(history, symbol), abs=1e-4)
        if character is not None:
            node = int(tables.following[row, CHARSET.encode(character)[0]])
            history = [*history, *model.ids([character])]


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_rows_are_those_of_the_model(order: int) -> None:
    model = train_ngram(TEXTS, order)
    tables = ContextTables(model, CHARSET)
    for text in ("le chat", "la nuit x chats", "zzz", "là où"):
        check(model, tables, text)


def test_rows_are_made_again_when_memory_is_short() -> None:
    model = train_ngram(TEXTS * 3 + ["".join(np.random.default_rng(0).choice(list("abcdelt "), 4000))], 5)
    tables = ContextTables(model, CHARSET, max_bytes=0)
    everything = np.arange(tables.num_contexts)
    for some in np.array_split(np.random.default_rng(1).permutation(everything), 12):
        assert (tables.rows(some) >= 0).all()
    assert tables.num_contexts > tables.max_rows
    check(model, tables, "la nuit")


def test_pruned_models_go_on_with_a_shorter_context(tmp_path: Path) -> None:
    # "abc" is listed, "bc" is not: after "abc" the context is "c".
    rows = ["<s>\t-0.1", "</s>", "a\t-0.2", "b\t-0.3", "c\t-0.4", "<unk>"]
    lines = ["\\data\\", "ngram 1=6", "ngram 2=1", "ngram 3=1", "ngram 4=1", "", "\\1-grams:"]
    lines += [f"-0.8\t{row}" for row in rows]
    lines += ["", "\\2-grams:", "-0.1\ta b\t-0.5", "", "\\3-grams:", "-0.2\ta b c\t-0.6"]
    lines += ["", "\\4-grams:", "-0.3\ta b c a", "", "\\end\\", ""]
    (tmp_path / "pruned.arpa").write_text("\n".join(lines))
    model = read_arpa(tmp_path / "pruned.arpa")
    check(model, ContextTables(model, CHARSET), "abcabcb")
