"""The ink of a page: where somebody wrote, whatever the paper, without its rules and margins."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.levels import compute_histogram, is_light_on_dark

Mask = NDArray[np.uint8]
"""``(H, W)`` uint8, 1 where there is something."""
Gray = NDArray[np.uint8]

_STAIN_SHARE = 1 / 40  # of the page's shorter side: what is wider than that and darker than paper is no stroke
_LEAST_DARKNESS, _MOST_DARKNESS = 20, 90  # gray levels below the paper at which ink begins
_FAINT = 12  # levels; what is closer to paper is paper
_TABLE_SHARE = 1 / 60  # of the page's shorter side: strokes are narrower, and what a sheet lies on is wider
_TABLE_AREA, _TABLE_CONTRAST = 0.004, 40  # of the page; gray levels within a few px of the sheet's edge
_RULE_DARKNESS = 90  # rules are looked for in an image without anything darker than that below the paper
_RULE_CONTRAST = 10  # levels by which a rule is darker, on average, than what lies above and below
_RULE_REACH = 4  # px; so far above and below
_RULE_COVER = 0.72  # of its length along which a rule must be seen
_RULE_THICKNESS = 4  # px, at most
_RULE_SHARES = 0.25, 0.4  # of the page that a horizontal and a vertical rule must take up


@dataclass(frozen=True, slots=True)
class Rule:
    """A printed line of ruled or squared paper, a margin or the edge of a table.

    Attributes:
        curve: coefficients of y over x (of x over y for a vertical one), the highest power first.
        start: where it begins, in px.
        end: where it ends.
    """

    curve: NDArray[np.float64]
    start: int
    end: int


def find_ink(gray: Gray) -> Mask:
    """Return the ink of a page ``(H, W)``, whose lines should be 25 to 100 px apart; rules are taken out."""
    outside = find_surround(gray)
    if is_light_on_dark(compute_histogram(gray[outside == 0][None] if outside.any() else gray)):
        gray = np.bitwise_not(gray)
    darkness = np.bitwise_not(flattened(gray)) * (1 - outside)
    ink = (darkness > _threshold(darkness)).astype(np.uint8)
    faint = np.minimum(darkness, _RULE_DARKNESS)
    ink = without_rules(ink, find_rules(faint, _RULE_SHARES[0]))
    upright = np.ascontiguousarray(ink.T)
    upright = without_rules(upright, find_rules(np.ascontiguousarray(faint.T), _RULE_SHARES[1]))
    return np.ascontiguousarray(upright.T)


def find_surround(gray: Gray) -> Mask:
    """Return where a page ``(H, W)`` shows no sheet but what it lies on: dark, at the edge, sharply parted from it."""
    quarter = cv2.resize(gray, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    height, width = quarter.shape
    size = max(5, int(min(quarter.shape) * _TABLE_SHARE) | 1)
    small, large = np.ones((size, size), np.uint8), np.ones((3 * size, 3 * size), np.uint8)
    plain = cv2.morphologyEx(quarter, cv2.MORPH_CLOSE, small)  # without dark strokes ...
    plain = cv2.morphologyEx(plain, cv2.MORPH_OPEN, large)  # ... and without light ones
    level, _ = cv2.threshold(plain, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark = (plain <= level).astype(np.uint8)
    edge = cv2.morphologyEx(plain, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    number, labels, boxes, _ = cv2.connectedComponentsWithStats(dark)
    outside = np.zeros_like(dark)
    for label in range(1, number):
        x, y, across, down, area = boxes[label].tolist()
        if area < _TABLE_AREA * dark.size or not (x == 0 or y == 0 or x + across == width or y + down == height):
            continue
        piece = (labels == label).astype(np.uint8)
        border = cv2.dilate(piece, np.ones((3, 3), np.uint8)) > piece
        if border.any() and np.median(edge[border]) >= _TABLE_CONTRAST:
            outside |= piece
    if not outside.any() or outside.all():
        return np.zeros_like(gray)
    wider = cv2.dilate(outside, np.ones((2 * size + 1, 2 * size + 1), np.uint8))
    return np.asarray(cv2.resize(wider, gray.shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)


def flattened(gray: Gray) -> Gray:
    """Divide a page by its paper, so that shadows, folds and stains become 255.

    The paper is estimated at a quarter of the resolution, by a closing that fills in everything narrower than
    `_STAIN_SHARE` of the page.
    """
    quarter = cv2.resize(gray, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    size = max(9, int(min(quarter.shape) * _STAIN_SHARE) | 1)
    kernel = np.ones((size, size), np.uint8)
    coarse = cv2.blur(cv2.morphologyEx(cv2.medianBlur(quarter, 3), cv2.MORPH_CLOSE, kernel), (size, size))
    paper = cv2.resize(coarse, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.divide(gray, paper, scale=255), np.uint8)


def _threshold(darkness: Gray) -> float:
    """Return the level between paper and ink: a little below Otsu's of all that is not paper."""
    marks = darkness[darkness > _FAINT]
    if len(marks) < 100:
        return _MOST_DARKNESS
    level, _ = cv2.threshold(marks.reshape(-1, 1), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return float(np.clip(0.8 * level, _LEAST_DARKNESS, _MOST_DARKNESS))


def find_rules(darkness: Gray, share: float) -> list[Rule]:
    """Find nearly horizontal rules, also faint, dotted and written over.

    Over a sixteenth of the page's width, a rule is darker on average than what lies a few pixels above and below; a
    row of writing is not. Pieces on one line make up a rule if together they are long enough.

    Args:
        darkness: ``(H, W)``, 0 where there is paper.
        share: of the page's width that a rule must take up.
    """
    width = darkness.shape[1]
    length = max(24, width // 16)
    mean = cv2.blur(cv2.GaussianBlur(darkness.astype(np.float32), (1, 5), 0.8), (length, 1))
    around = np.pad(mean, ((_RULE_REACH, _RULE_REACH), (0, 0)))
    beside = np.maximum(around[: -2 * _RULE_REACH], around[2 * _RULE_REACH :])
    highest = mean >= cv2.dilate(mean, np.ones((3, 1), np.uint8)) - 1e-3
    found = ((mean - beside > _RULE_CONTRAST) & highest).astype(np.uint8)
    thick = cv2.dilate(found, np.ones((3, 1), np.uint8))
    long = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, length // 2), np.uint8))
    rules = _joined(_pieces(np.asarray(long, np.uint8)), width, share)
    return [rule for rule in rules if _drawn_through(darkness, rule) >= _RULE_COVER]


def _drawn_through(darkness: Gray, rule: Rule) -> float:
    """Return in what share of its columns a rule is darker than what is above and below: writing has gaps.

    Columns where somebody wrote across it say nothing.
    """
    height, width = darkness.shape
    xs = np.arange(max(0, rule.start), min(width, rule.end))
    ys = np.round(np.polyval(rule.curve, xs)).astype(int)

    def level(below: int) -> NDArray[np.int64]:
        return np.asarray(darkness[(ys + below).clip(0, height - 1), xs], np.int64)

    here = np.max([level(-1), level(0), level(1)], axis=0)
    beside = np.maximum(level(-_RULE_REACH - 1), level(_RULE_REACH + 1))
    plain = beside <= 0.7 * _RULE_DARKNESS
    return float((here - beside > _RULE_CONTRAST / 2)[plain].mean()) if plain.any() else 0.0


def _pieces(found: Mask) -> NDArray[np.float64]:
    """Return ``(n, 4)``: where each piece of a rule starts and ends, and its height and slope there; longest first."""
    number, labels, boxes, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    pieces = []
    for label in range(1, number):
        x, y, width, height, area = boxes[label].tolist()
        if height > 6 + 0.12 * width or area > 7 * width or width < 3:
            continue
        rows = labels[y : y + height, x : x + width] == label
        middles = (rows * np.arange(height)[:, None]).sum(0) / np.maximum(rows.sum(0), 1) + y
        slope, intercept = np.polyfit(x + np.arange(width), middles, 1)
        pieces.append((x, x + width, intercept, slope))
    return np.array(sorted(pieces, key=lambda piece: piece[0] - piece[1]), np.float64).reshape(-1, 4)


def _joined(pieces: NDArray[np.float64], width: int, share: float) -> list[Rule]:
    """Join pieces that lie on one line."""
    free = np.ones(len(pieces), bool)
    start, end, intercept, slope = pieces.T
    middle = (start + end) / 2
    height = intercept + slope * middle
    rules = []
    for seed in range(len(pieces)):
        if not free[seed]:
            continue
        own = np.zeros(len(pieces), bool)
        own[seed] = True
        line = np.array([slope[seed], intercept[seed]])
        while True:
            away = np.maximum(0, np.maximum(start[own].min() - end, start - end[own].max()))
            near = np.abs(np.polyval(line, middle) - height) <= 2.5 + 0.01 * away
            grown = own | (free & near & (away < width / 3))
            xs = np.linspace(start[grown], end[grown], 8)
            ys = intercept[grown] + slope[grown] * xs
            line = np.polyfit(xs.ravel(), ys.ravel(), 1)
            if (grown == own).all():
                break
            own = grown
        if (end[own] - start[own]).sum() >= share * width:
            free &= ~own
            curve = np.polyfit(xs.ravel(), ys.ravel(), 2 if own.sum() > 2 else 1)
            rules.append(Rule(curve, int(start[own].min()), int(end[own].max())))
    return rules


def without_rules(ink: Mask, rules: list[Rule]) -> Mask:
    """Take nearly horizontal rules out of the ink; strokes that cross them stay, for they are thicker there."""
    height, width = ink.shape
    ink = ink.copy()
    beyond, reach = width // 12, _RULE_THICKNESS + 2
    rows = np.arange(-reach, reach + 1)[:, None]
    for rule in rules:
        xs = np.arange(max(0, rule.start - beyond), min(width, rule.end + beyond))
        ys = np.round(np.polyval(rule.curve, xs)).astype(int) + rows  # (2 reach + 1, n)
        inside = (ys >= 0) & (ys < height)
        ys = ys.clip(0, height - 1)
        strip = ink[ys, xs[None]] * inside
        ink[ys, xs[None]] = np.where(_thin_runs(strip, reach), 0, ink[ys, xs[None]])
    return ink


def _thin_runs(strip: Mask, middle: int) -> NDArray[np.bool_]:
    """Return where vertical runs of ink that touch the two rows around the middle are as thin as a rule."""
    number = np.arange(len(strip))[:, None]
    runs = np.maximum.accumulate(np.where(strip == 0, number, -1), axis=0)  # last row of paper above
    ends = np.minimum.accumulate(np.where(strip == 0, number, len(strip))[::-1], axis=0)[::-1]
    touches = (runs < middle + 2) & (ends > middle - 2) & (ends - runs > 1)
    return np.asarray((strip > 0) & touches & (ends - runs - 1 <= _RULE_THICKNESS))
