"""Lines that cannot be used."""

import logging

import pytest

from htr_lightning.data.unusable import MAX_LISTED, refuse_or_skip
from htr_lightning.image.files import DataError

REASONS = [f"{number}.png: is empty" for number in range(MAX_LISTED + 2)]


def test_too_many_are_refused_with_the_limit_that_would_skip_them_all() -> None:
    with pytest.raises(DataError) as caught:
        refuse_or_skip("cannot be used", REASONS, 12, num_skipped=1)
    first, *listed, more, advice = str(caught.value).splitlines()
    assert first == "12 lines cannot be used:"
    assert [row.strip() for row in listed] == REASONS[:MAX_LISTED]
    assert more.strip().startswith("and 2 more; `python")
    assert advice == "Fix them, or skip them with loader.max_skipped=13 (now 12)"


def test_one_line_is_singular_and_few_are_skipped_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        refuse_or_skip("cannot be used", REASONS[:1], 1)
    assert caplog.messages == ["1 line cannot be used:\n  0.png: is empty\nSkipped (loader.max_skipped=1)"]


def test_nothing_is_said_without_such_lines(caplog: pytest.LogCaptureFixture) -> None:
    refuse_or_skip("cannot be used", [], 0, num_skipped=5)
    assert not caplog.messages
