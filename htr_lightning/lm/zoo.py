"""The language models that ship with this package, one for each language."""

from collections.abc import Iterable
from pathlib import Path

from htr_lightning.lm.ngram import LanguageModelError

AUTO = "auto"
"""Name for the language models of a recognizer's languages, of which each line takes the most probable."""
LANGUAGE_MODEL_CARD = Path(__file__).parent.parent / "zoo" / "lm.md"
_PREFIX, _STEM, _SUFFIX = "zoo:", "lm-", ".arpa.gz"


def list_language_models() -> dict[str, Path]:
    """Return the language models that ship: ``lm-fr`` -> file."""
    folder = Path(__file__).parent.parent / "zoo"
    return {path.name.removesuffix(_SUFFIX): path for path in sorted(folder.glob(f"{_STEM}*{_SUFFIX}"))}


def find_language_models(name: str, languages: Iterable[str] = ()) -> list[Path]:
    """Return the files of the language models that a name means.

    Args:
        name: an ARPA file, ``zoo:lm-fr``, or ``auto``.
        languages: of the recognizer, for ``auto``: ISO 639-1 codes.

    Raises:
        LanguageModelError: no such model ships, or ``auto`` finds none for the languages.
    """
    shipped = list_language_models()
    if name == AUTO:
        languages = list(languages)
        found = [shipped[f"{_STEM}{language}"] for language in languages if f"{_STEM}{language}" in shipped]
        if not found:
            known = f"the languages of the recognizer are {', '.join(languages)}"
            raise LanguageModelError(
                f"no language model fits: {known if languages else 'the recognizer does not say its languages'}",
                key="decoder.lm",
                value=name,
                remedy=f"name one: {', '.join(f'{_PREFIX}{name}' for name in shipped)}, or an ARPA file",
                kind="no_language",
            )
        return found
    if not name.startswith(_PREFIX):
        return [Path(name)]
    if name.removeprefix(_PREFIX) not in shipped:
        remedy = f"choose from {', '.join(f'{_PREFIX}{name}' for name in shipped)}"
        raise LanguageModelError(
            "there is no such language model", key="decoder.lm", value=name, remedy=remedy, kind="missing"
        )
    return [shipped[name.removeprefix(_PREFIX)]]
