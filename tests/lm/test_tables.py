"""The cached rows agree with the definition of the n-gram."""

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
    """Compare the row of each context in a text with the definition of the n-gram."""
    node, history = tables.start, model.encode([BEGIN])
    for character in [*text, None]:
        row = tables.find_rows(np.array([node]))[0]
        for column, next_symbol in enumerate((END, *CHARSET.characters)):
            symbol = model.encode([next_symbol if next_symbol in model.symbols else UNKNOWN])[0]
            assert tables.log_probability[row, column] == pytest.approx(
                model.conditional_log_probability(history, symbol), abs=1e-4
            )
        if character is not None:
            node = int(tables.next_node[row, CHARSET.encode(character)[0]])
            history = [*history, *model.encode([character])]


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_rows_are_those_of_the_model(order: int) -> None:
    model = train_ngram(TEXTS, order)
    tables = ContextTables(model, CHARSET)
    for text in ("le chat", "la nuit x chats", "zzz", "là où"):
        check(model, tables, text)


def test_rows_are_computed_again_after_the_cache_was_emptied() -> None:
    model = train_ngram(TEXTS * 3 + ["".join(np.random.default_rng(0).choice(list("abcdelt "), 4000))], 5)
    tables = ContextTables(model, CHARSET, max_bytes=0)
    everything = np.arange(tables.num_contexts)
    for some in np.array_split(np.random.default_rng(1).permutation(everything), 12):
        assert (tables.find_rows(some) >= 0).all()
    assert tables.num_contexts > tables.max_rows
    check(model, tables, "la nuit")


def test_pruned_models_back_off_to_a_shorter_context(tmp_path: Path) -> None:
    # "abc" is listed, "bc" is not: after "abc" the context is "c".
    rows = ["<s>\t-0.1", "</s>", "a\t-0.2", "b\t-0.3", "c\t-0.4", "<unk>"]
    lines = ["\\data\\", "ngram 1=6", "ngram 2=1", "ngram 3=1", "ngram 4=1", "", "\\1-grams:"]
    lines += [f"-0.8\t{row}" for row in rows]
    lines += ["", "\\2-grams:", "-0.1\ta b\t-0.5", "", "\\3-grams:", "-0.2\ta b c\t-0.6"]
    lines += ["", "\\4-grams:", "-0.3\ta b c a", "", "\\end\\", ""]
    (tmp_path / "pruned.arpa").write_text("\n".join(lines))
    model = read_arpa(tmp_path / "pruned.arpa")
    check(model, ContextTables(model, CHARSET), "abcabcb")
