"""The direction of a text, for the fields that it is typed into."""

import unicodedata


def get_direction(text: str) -> str:
    """Return ``rtl`` or ``ltr``: the direction of most letters of a text; ``auto`` if it has no letters."""
    classes = [unicodedata.bidirectional(character) for character in text]
    to_left, to_right = sum(c in ("R", "AL") for c in classes), classes.count("L")
    if not to_left and not to_right:
        return "auto"
    return "rtl" if to_left > to_right else "ltr"
