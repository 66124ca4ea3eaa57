import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers.typesetting import typeset
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.image import crop as crop_module
from htr_lightning.image.crop import PageCrop, crop_line
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.turn import from_upright

Pixels = NDArray[np.uint8]
NONE = np.zeros((0, 2), np.float32)


def points(*pairs: tuple[float, float]) -> NDArray[np.float32]:
    return np.array(pairs, np.float32)


def box(left: float, top: float, right: float, bottom: float) -> NDArray[np.float32]:
    return points((left, top), (right, top), (right, bottom), (left, bottom))


def cropped(page: Pixels, polygon: NDArray[np.floating], baseline: NDArray[np.floating], **options: Any) -> Pixels:
    return crop_line(page, polygon, baseline, **options)[0]


@pytest.fixture
def noise() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (120, 300), np.uint8)


@pytest.fixture
def page_file(tmp_path: Path, noise: Pixels) -> ImageFile:
    Image.fromarray(noise).save(tmp_path / "page.png")
    return ImageFile(tmp_path / "page.png")


def test_a_box_is_cropped_pixel_for_pixel(noise: Pixels) -> None:
    np.testing.assert_array_equal(cropped(noise, box(10, 20, 99, 49), NONE), noise[20:50, 10:100])


def test_outside_of_the_outline_is_paper(noise: Pixels) -> None:
    page = np.full((100, 200, 3), (250, 240, 230), np.uint8)
    page[40:60, 50:60] = (10, 20, 200)  # ink of this line
    page[30:34] = 0  # the line above
    line = cropped(page, points((20, 50), (100, 28), (180, 50), (100, 70)), NONE)
    assert line.shape == (43, 161, 3)
    assert tuple(line[0, 0]) == (250, 240, 230), "paper in the corner"
    assert tuple(line[5, 80]) == (0, 0, 0), "the line above reaches into the outline"
    assert tuple(line[5, 20]) == (250, 240, 230), "and is painted over outside of it"
    assert (cropped(page, points((20, 50), (100, 28), (180, 50), (100, 70)), NONE, mask=False)[5] == 0).all()


def test_padding_grows_the_outline_and_stays_on_the_page(noise: Pixels) -> None:
    assert cropped(noise, box(10, 20, 99, 49), NONE, padding_px=5).shape == (40, 100)
    assert cropped(noise, box(0, 0, 99, 49), NONE, padding_px=5, mask=False).shape == (55, 105)


def bent(text: str, curve: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> tuple[Pixels, Pixels, Pixels]:
    """Return a typeset line, a page with the line written along a curve, and points of the curve, its baseline."""
    line = np.asarray(typeset(text, 40))
    across = np.linspace(50, 50 + line.shape[1], 4000)
    along = np.r_[0, np.cumsum(np.hypot(np.diff(across), np.diff(curve(across))))]
    across = np.interp(np.arange(line.shape[1]), along, across)  # a point of the curve for each column of the line
    base = np.stack([across, curve(across)], axis=1)
    normals = np.gradient(base, axis=0)[:, ::-1] * (-1, 1)
    y, x = np.mgrid[0:300, 0 : line.shape[1] + 100]
    column = np.abs(x[..., None] - base[:, 0]).argmin(axis=2)  # a first guess, then the foot of the perpendicular
    for _ in range(4):
        offset = np.stack([x, y], axis=-1) - base[column]
        tangent = np.stack([normals[column, 1], -normals[column, 0]], axis=-1)
        column = np.clip(column + np.rint((offset * tangent).sum(axis=-1)).astype(int), 0, len(base) - 1)
    depth = ((np.stack([x, y], axis=-1) - base[column]) * normals[column]).sum(axis=-1)
    places = column.astype(np.float32), (depth + 30).astype(np.float32)
    page = cv2.remap(line, *places, cv2.INTER_LINEAR, borderValue=255)
    return line, np.asarray(page, np.uint8), base[np.linspace(0, len(base) - 1, 12).astype(int)].astype(np.float32)


def similarity(one: Pixels, other: Pixels) -> float:
    """Best correlation of two lines of ink over shifts."""
    padded = cv2.copyMakeBorder(one, 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=255)
    return float(cv2.matchTemplate(padded, other, cv2.TM_CCOEFF_NORMED).max())


def around(baseline: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([baseline - (0, 30), (baseline + np.array([0, 9]))[::-1]]).astype(np.float32)


@pytest.mark.parametrize(
    "curve",
    [lambda x: 150 + 0 * x, lambda x: 120 + 0.12 * x, lambda x: 150 + 14 * np.sin(x / 110), lambda x: 190 - 0.15 * x],
    ids=["level", "slanting down", "wavy", "slanting up"],
)
def test_a_bent_line_comes_out_straight(curve: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> None:
    line, page, baseline = bent("straight again, from end to end", curve)
    outline = around(baseline)
    result = cropped(page, outline, baseline)
    assert abs(result.shape[0] - 40) <= 6 and similarity(result, line) > 0.85
    if np.ptp(baseline[:, 1]) > 5:
        assert similarity(cropped(page, outline, NONE), line) < 0.5, "without straightening it stays bent"


def test_a_baseline_that_runs_to_the_left_is_reversed() -> None:
    _, page, baseline = bent("to the right", lambda x: 120 + 0.12 * x)
    outline = around(baseline)
    np.testing.assert_array_equal(cropped(page, outline, baseline[::-1]), cropped(page, outline, baseline))


def test_a_line_written_downwards_is_laid_level() -> None:
    line = np.asarray(typeset("down the margin", 40))
    page = np.full((line.shape[1] + 40, 120), 255, np.uint8)
    page[20 : 20 + line.shape[1], 40:80] = np.rot90(line, -1)
    baseline = points((50, 20), (50, 19 + line.shape[1]))  # its base is towards the left
    result = cropped(page, box(40, 20, 79, 19 + line.shape[1]), baseline)
    assert similarity(result, line) > 0.9


def test_coordinates_of_another_resolution(page_file: ImageFile, noise: Pixels) -> None:
    line = PageCrop(page_file, box(5, 10, 50, 25), page_size=(150, 60))
    np.testing.assert_array_equal(line.read(), noise[20:51, 10:101])


def test_a_band_around_a_baseline_without_outline(page_file: ImageFile, noise: Pixels) -> None:
    band = PageCrop(page_file, NONE, points((20, 60), (120, 60)), band_px=40)
    np.testing.assert_array_equal(band.read(), noise[30:71, 20:121], "three quarters are above the baseline")
    at_the_edge = PageCrop(page_file, NONE, points((0, 60), (120, 60)), band_px=40)
    np.testing.assert_array_equal(at_the_edge.read(), noise[30:71, :121])
    scaled = PageCrop(page_file, NONE, points((10, 30), (60, 30)), band_px=20, page_size=(150, 60))
    np.testing.assert_array_equal(scaled.read(), band.read())


def test_a_triangle_is_an_outline(noise: Pixels) -> None:
    triangle, baseline = points((10, 40), (60, 20), (90, 40)), points((10, 38), (90, 38))
    line = crop_module.crop_layout_line(noise, triangle, baseline, None, band_px=10)[0]
    assert line.shape == (21, 81)
    one_point = crop_module.crop_layout_line(noise, triangle, baseline[:1], None, band_px=10)[0]
    np.testing.assert_array_equal(one_point, line)


def test_fractions_of_a_pixel_are_rounded(noise: Pixels) -> None:
    np.testing.assert_array_equal(cropped(noise, box(10.2, 20.2, 99.2, 49.2), NONE), noise[20:50, 10:100])
    np.testing.assert_array_equal(cropped(noise, box(9.8, 19.8, 98.8, 48.8), NONE), noise[20:50, 10:100])


def test_half_of_an_outline_on_the_page_is_enough(noise: Pixels) -> None:
    np.testing.assert_array_equal(cropped(noise, box(-50, 20, 50, 49), NONE), noise[20:50, :51])
    np.testing.assert_array_equal(cropped(noise, box(249, 20, 349, 49), NONE), noise[20:50, 249:])
    np.testing.assert_array_equal(cropped(noise, box(10, -40, 50, 40), NONE), noise[:41, 10:51])
    for outline in (box(-51, 20, 49, 49), box(10, 81, 50, 161), box(-20, 10, -10, 30)):
        with pytest.raises(DataError) as error:
            cropped(noise, outline, NONE)
        assert error.value.kind == "outside_page"
    with pytest.raises(DataError) as error:
        cropped(noise, box(10, 20, 50, 20), NONE, mask=False)
    assert error.value.kind == "too_thin"


@pytest.mark.parametrize("size", [(300.0, 121.0), (303.0, 120.0), (297.0, 120.0)])
def test_a_page_of_almost_the_same_aspect_ratio_is_accepted(size: tuple[float, float], noise: Pixels) -> None:
    page = np.repeat(noise[:, :, None], 3, axis=2)
    np.testing.assert_allclose(crop_module.compute_layout_scale(page.shape, size), (300 / size[0], 120 / size[1]))


@pytest.mark.parametrize("size", [(300.0, 200.0), (300.0, 60.0)])
def test_a_page_of_another_aspect_ratio_is_refused_in_color_too(size: tuple[float, float], noise: Pixels) -> None:
    with pytest.raises(DataError) as error:
        crop_module.compute_layout_scale((*noise.shape, 3), size)
    assert error.value.kind == "aspect_ratio"


def test_an_outline_off_the_page_can_be_ignored_if_there_is_a_baseline(page_file: ImageFile) -> None:
    outline, baseline = box(400, 10, 500, 40), points((10, 30), (90, 30))
    for line, can_ignore in (
        (PageCrop(page_file, outline, baseline), True),
        (PageCrop(page_file, outline, baseline[:1]), False),
        (PageCrop(page_file, outline), False),
        (PageCrop(page_file, box(10, 10, 90, 10.2), baseline), False),
    ):
        with pytest.raises(DataError) as error:
            line.read()
        assert ("dataset.outlines=baseline" in error.value.remedy) == can_ignore
        assert error.value.file == page_file.path and error.value.kind


@pytest.mark.parametrize("padding", [-1, 201])
def test_a_padding_out_of_range_is_refused(padding: float) -> None:
    for valid in (0, 200):
        crop_module.check_padding(valid)
    with pytest.raises(DataError) as error:
        crop_module.check_padding(padding)
    assert (error.value.key, error.value.value) == ("dataset.padding_px", padding)


@pytest.mark.parametrize("mask", [True, False])
def test_an_outline_around_a_corner_of_the_page_is_outside(mask: bool, noise: Pixels) -> None:
    angle = points((40, -30), (-40, -30), (-40, 30), (-30, -20))  # half of its box is on the page
    with pytest.raises(DataError) as error:
        cropped(noise, angle, NONE, mask=mask)
    assert error.value.kind == "outside_page"


def test_a_baseline_may_leave_its_outline_by_as_much_as_the_line_is_high(noise: Pixels) -> None:
    outline = box(10, 10, 90, 40)  # 30 px high: from -20 to 120, a baseline is near it
    cropped(noise, outline, points((-20, 30), (255, 30)))
    cropped(noise, outline, points((-155, 30), (120, 30)))
    for baseline in (points((-20, 30), (265, 30)), points((-165, 30), (120, 30)), points((10, 72), (90, 72))):
        with pytest.raises(DataError) as error:
            cropped(noise, outline, baseline)
        assert error.value.kind == "outside_page"
    flat = box(10, 30, 90, 30)  # has no height of its own
    assert cropped(noise, flat, points((10, 33), (90, 33)), padding_px=5).shape == (11, 91)
    assert cropped(noise, flat, points((10, 110), (90, 110)), padding_px=5).shape == (11, 91)
    with pytest.raises(DataError):
        cropped(noise, flat, points((10, 111), (90, 111)), padding_px=5)


def test_padding_and_mask_of_a_line_on_a_page(page_file: ImageFile, noise: Pixels) -> None:
    diamond = points((50, 40), (70, 60), (50, 80), (30, 60))
    unset = crop_module.crop_layout_line(noise, diamond, NONE, None, band_px=9)[0]
    np.testing.assert_array_equal(unset, cropped(noise, diamond, NONE, mask=True))
    for options in ({"padding_px": 4}, {"mask": False}):
        np.testing.assert_array_equal(
            PageCrop(page_file, diamond, **options).read(),  # type: ignore[arg-type]
            cropped(noise, diamond, NONE, **options),
        )


def test_paper_is_the_median_inside_the_outline() -> None:
    page = np.full((60, 100), 90, np.uint8)
    page[10:30, 10:90] = 200
    page[15:20, 20:60] = 0  # ink of a quarter of the line
    line = cropped(page, points((10, 10), (89, 10), (60, 29), (40, 29)), NONE)
    assert line[-1, 0] == line[-1, -1] == 200
    assert tuple(line[5, 8:52:43]) == (200, 200) and (line[5, 12:48] == 0).all()


def test_padding_is_part_of_what_is_kept(noise: Pixels) -> None:
    padded = cropped(noise, box(30, 40, 99, 59), NONE, padding_px=4)
    np.testing.assert_array_equal(padded, noise[36:64, 26:104])
    # Corners of a padded outline are those of a square brush.
    diamond = points((50, 40), (70, 60), (50, 80), (30, 60))
    kept = crop_module.rasterize_polygon(diamond, (120, 100), 2)
    assert kept.sum(axis=0).max() == 45 and kept.sum(axis=1).max() == 45 and kept[60, 28] and not kept[60, 27]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"polygon": box(400, 10, 500, 40)}, r"page\.png: its outline, from \(400, 10\) to"),
        ({"polygon": box(280, 10, 500, 40)}, "lies outside the page of 300 x 120 px"),
        ({"polygon": box(10, 10, 50, 40), "page_size": (300.0, 300.0)}, "300 x 300, but the image is 300 x 120 px"),
        ({"polygon": box(10, 10.2, 50, 10.3)}, "thinner than 2 pixels"),
        ({"polygon": NONE}, "neither an outline nor a baseline"),
        ({"polygon": box(10, 10, 90, 40), "baseline": points((10, 30), (1e7, 1e6))}, "its baseline leaves its outline"),
        ({"polygon": box(10, 10, 90, 40), "baseline": points((10, 30), (4e4, 4e3))}, "its baseline leaves its outline"),
        ({"polygon": NONE, "baseline": points((10, 30), (1e7, 30)), "band_px": 9}, "its baseline leaves the page"),
    ],
)
def test_lines_that_cannot_be_cropped(page_file: ImageFile, line: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        PageCrop(page_file, **line).read()  # type: ignore[arg-type]


def test_an_outline_a_little_over_the_edge_is_clipped(page_file: ImageFile, noise: Pixels) -> None:
    np.testing.assert_array_equal(
        PageCrop(page_file, box(-3, -4, 99, 49)).read(), noise[:50, :100], "slips of the mouse are common"
    )


def test_the_limit_of_pixels_is_that_of_the_page(page_file: ImageFile) -> None:
    with pytest.raises(DataError, match=r"page\.png: 300 x 120 px is more than preprocess.max_pixels=1000"):
        PageCrop(page_file, box(0, 0, 9, 9)).read(1000)


def test_a_page_is_decoded_once_for_its_lines(page_file: ImageFile, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Path] = []
    read = crop_module.read_page_image

    def counted(path: Path, size: tuple[float, float] | None, **more: int) -> Pixels:
        decoded.append(path)
        return read(path, size, **more)

    monkeypatch.setattr(crop_module, "read_page_image", counted)
    crop_module._load_page.cache_clear()
    for top in (10, 30, 50):
        PageCrop(page_file, box(0, top, 99, top + 19)).read()[:] = 0  # a copy: the page stays as it is
    page_file.path.write_bytes(b"damaged")
    for top in (10, 30, 50):
        with pytest.raises(DataError, match="not an image"):
            PageCrop(page_file, box(0, top, 99, top + 19)).read()
    assert decoded == 2 * [page_file.path]


def test_fingerprint_and_pickle(page_file: ImageFile) -> None:
    line = PageCrop(page_file, box(0, 0, 50, 20), points((0, 15), (50, 15)))
    again = pickle.loads(pickle.dumps(line))
    assert again.fingerprint == line.fingerprint
    np.testing.assert_array_equal(again.read(), line.read())
    others = [
        PageCrop(page_file, box(0, 0, 51, 20), line.baseline),
        PageCrop(page_file, line.polygon, points((0, 15), (50, 16))),
        PageCrop(page_file, line.polygon, line.baseline, padding_px=2),
        PageCrop(page_file, line.polygon, line.baseline, mask=False),
        PageCrop(page_file, line.polygon, line.baseline, page_size=(600, 240)),
        PageCrop(page_file, line.polygon, line.baseline, band_px=9),
        PageCrop(page_file, line.polygon, line.baseline, orientation=2),
        PageCrop(page_file, np.concatenate([line.polygon, line.baseline]), NONE),
    ]
    assert len({line.fingerprint, *(other.fingerprint for other in others)}) == 9
    assert line.fingerprint.startswith(page_file.fingerprint)


def test_a_layout_made_on_a_picture_as_it_is_stored_or_as_it_is_shown(tmp_path: Path, noise: Pixels) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees
    Image.fromarray(noise).save(tmp_path / "page.png", exif=exif)
    page, shown = ImageFile(tmp_path / "page.png"), np.rot90(noise, -1)
    as_shown = PageCrop(page, box(10, 20, 59, 49), page_size=(120, 300)).read()
    np.testing.assert_array_equal(as_shown, shown[20:50, 10:60])
    as_stored = PageCrop(page, box(10, 20, 59, 49), page_size=(300, 120)).read()
    np.testing.assert_array_equal(as_stored, noise[20:50, 10:60])
    with pytest.raises(DataError, match=r"page\.png: the EXIF orientation is 6.*save the image upright"):
        PageCrop(page, box(10, 20, 59, 49)).read()


coordinates = st.tuples(st.floats(-50, 350, width=32), st.floats(-50, 170, width=32))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(coordinates, min_size=3, max_size=12),
    st.lists(coordinates | st.tuples(st.floats(-1e7, 1e7, width=32), st.floats(-1e7, 1e7, width=32)), max_size=6),
    st.booleans(),
)
def test_whatever_is_drawn_gives_a_line_or_a_sentence(
    outline: list[tuple[float, float]], baseline: list[tuple[float, float]], mask: bool
) -> None:
    page = np.full((120, 300), 200, np.uint8)
    base = np.array(baseline, np.float32).reshape(-1, 2)
    try:
        line = cropped(page, points(*outline), crop_module._drop_repeated_points(base), mask=mask)
    except DataError as error:
        assert "draw it again" in str(error)
    else:
        assert line.dtype == np.uint8 and min(line.shape) >= 2 and (line == 200).mean() > 0.5


@pytest.mark.parametrize("bend", [0, 30], ids=["level", "bent"])
def test_points_of_a_line_are_mapped_to_its_page(bend: int) -> None:
    page = np.full((300, 400), 255, np.uint8)
    x = np.linspace(20, 370, 30)
    baseline = np.stack([x, 150 + bend * np.sin(x / 120)], axis=1)
    dots = baseline[4:-4:4] - (0, 12)
    for dot in dots:
        cv2.circle(page, tuple(round(16 * (v - 0.5)) for v in dot), 16 * 3, 0, -1, cv2.LINE_AA, 4)
    outline = np.concatenate([baseline - np.array([0, 40]), (baseline + np.array([0, 20]))[::-1]])
    line, to_page = crop_line(page, outline, baseline)
    _, _, _, middles = cv2.connectedComponentsWithStats((line < 128).astype(np.uint8))
    found = to_page(np.array(sorted(middles[1:].tolist())) + 0.5)
    np.testing.assert_allclose(found, dots, atol=0.8)


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("scale", [None, 0.5])
def test_turned_lines_come_out_upright(turns: int, scale: float | None, page_file: ImageFile, noise: Pixels) -> None:
    height, width = noise.shape[:2]
    outline, baseline = box(20, 30, 120, 70), points((22, 60), (118, 60))
    upright = PageCrop(page_file, outline, baseline).read()
    path = page_file.path.with_name("turned.png")
    Image.fromarray(np.ascontiguousarray(np.rot90(noise, -turns))).save(path)
    size = (height, width) if turns % 2 else (width, height)
    turned = [from_upright(shape, turns, *size).astype(np.float32) * (scale or 1) for shape in (outline, baseline)]
    page_size = None if scale is None else (size[0] * scale, size[1] * scale)
    crop = PageCrop(ImageFile(path), *turned, page_size, orientation=turns)
    np.testing.assert_array_equal(crop.read(), upright)
