"""What is in remote folders: which layouts and results belong to a scan, and what is passed over."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.remote import Bucket

from htr_lightning.errors import InputError
from htr_lightning.image.files import DataError
from htr_lightning.reading.records.file_states import describe_image
from htr_lightning.reading.storage.inventory import Inventory
from htr_lightning.reading.storage.places import Url, parse_place
from htr_lightning.reading.storage.stage import Stage

ROOT = Url("memory://bucket/scans")


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()
    assert not stage.folder.exists()


def test_addresses_and_paths() -> None:
    assert (
        isinstance(parse_place("s3://bucket/scans/"), Url) and parse_place("s3://bucket/scans/") == "s3://bucket/scans"
    )
    for text in ("scans", "C:/scans", "//server/scans", "a:b"):
        assert parse_place(text) == Path(text)
    assert Url("S3://b/a/p.png").scheme == "s3" and Url("s3://b/a/p.png").parent == "s3://b/a"


def test_local_paths_and_addresses_follow_from_each_other(stage: Stage) -> None:
    for url in ("s3://bucket/a b/p.png", "file:///data/p.png", "https://example.org/x/p.jpg"):
        path = stage.localize(Url(url))
        assert path.is_relative_to(stage.folder) and stage.find_url(path) == url
        assert stage.rename(f"{path}, page 2: damaged") == f"{url}, page 2: damaged"
    assert stage.localize(Path("scans")) == Path("scans") and stage.find_url(Path("scans")) is None
    error = stage.rename_error(DataError("empty", file=stage.localize(Url("s3://bucket/p.png")), kind="empty"))
    assert str(error) == "s3://bucket/p.png: empty" and error.kind == "empty"
    with pytest.raises(InputError, match="leave out the parts"):
        stage.localize(Url("s3://bucket/../../etc"))


def test_scans_are_found_as_on_a_disk(bucket: Bucket, stage: Stage) -> None:
    for name in (
        "b/p10.png",
        "b.tif",
        "a/.hidden/p.png",
        ".h.png",
        "a/p.heic",
        "a/P.JPG",
        "a/p.overlay.jpg",
        "a/p.txt",
    ):
        bucket.put(f"scans/{name}", b"?")
    bucket.fs.store["/bucket/scans/a//twice.png"] = bucket.fs.store["/bucket/scans/b.tif"]
    told: list[str] = []
    scans = Inventory(stage).find_scans(ROOT, told.append)
    assert [relative.as_posix() for _, relative in scans] == ["a/P.JPG", "b/p10.png", "b.tif"]
    assert {stage.find_url(path) for path, _ in scans} == {f"{ROOT}/{n}" for n in ("a/P.JPG", "b/p10.png", "b.tif")}
    assert len(told) == 2 and "no local file can have these names" in told[0] and ".heic is not read" in told[1]


def test_layouts_and_results_belong_to_a_scan(bucket: Bucket, stage: Stage) -> None:
    layouts = (
        "p.xml",
        "alto/P.xml",
        "page/p.xml",
        "p.alto.xml",
        "p_0001.xml",
        "p_12.page.xml",
        "pp.xml",
        "other/p.xml",
    )
    results = ("p_0001.txt", "p_0012_left.xml", ".p.pdf-pages/p_0001.pdf", "p.txt", "q_0001.txt")
    for name in (*layouts, *results):
        bucket.put(f"scans/{name}", b"?")
    inventory = Inventory(stage)
    inventory.add_folder(ROOT)
    root = stage.localize(ROOT)

    def strip(paths: list[str]) -> set[str]:
        return {Path(path).relative_to(root).as_posix() for path in paths}

    assert strip(inventory.find_layouts(root / "p.png")) == set(layouts[:4])
    assert strip(inventory.find_layouts(root / "p.tif")) == set(layouts[:6])
    assert strip(inventory.find_pages(root, "p")) == {*results[:3], "p_0001.xml"}
    assert not inventory.find_layouts(root / "x.png") and not inventory.find_pages(root, "x")


def test_states_are_those_of_the_listing(bucket: Bucket, stage: Stage, tmp_path: Path) -> None:
    bucket.put("scans/p.png", b"content")
    inventory = Inventory(stage)
    inventory.add_folder(ROOT)
    path = stage.localize(ROOT) / "p.png"
    size, modified_ns = inventory.files[str(path)]
    assert size == 7 and inventory.exists(path) and not inventory.exists(path.with_name("q.png"))
    assert inventory.is_same(path, (7, modified_ns, "")) and not inventory.is_same(path, (7, modified_ns + 1, ""))
    assert inventory.is_unedited(path, (7, 0, "")) and not inventory.is_unedited(path, (8, 0, ""))
    local = tmp_path / "p.png"
    local.write_bytes(b"content")
    known = describe_image(local)
    assert inventory.exists(local) and inventory.is_same(local, known) and inventory.is_unedited(local, known)
