"""Exports."""

import io
import zipfile
from pathlib import Path

import pytest
from helpers.correction_server import make_client, open_workspace

from htr_lightning.correction.errors import ProjectError
from htr_lightning.correction.export import FORMATS, export
from htr_lightning.correction.page import CONFIRMED
from htr_lightning.data.sources.lines import Lines
from htr_lightning.image.pdf import count_pdf_pages


def test_every_format_can_be_downloaded(tmp_path: Path) -> None:
    with open_workspace(tmp_path / "scans") as workspace:
        keys = list(workspace.project.pages)
        workspace.project.set_text(keys[0], "r1_l1", "le nom du roi", CONFIRMED)
        client = make_client(workspace)
        for form in FORMATS:
            response = client.get(f"/download/{form}")
            assert response.status_code == 200 and len(response.content) > 100
            assert "attachment" in response.headers["content-disposition"]
            if form in ("alto", "page", "txt", "hocr"):
                with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
                    assert len(archive.namelist()) == 2
                    assert "le nom du roi" in archive.read(archive.namelist()[0]).decode()
        assert client.get("/download/nothing").status_code == 400
        assert count_pdf_pages(export(workspace, "pdf")) == 2


def test_confirmed_lines_become_a_dataset(tmp_path: Path) -> None:
    with open_workspace(tmp_path / "scans") as workspace:
        keys = list(workspace.project.pages)
        with pytest.raises(ProjectError) as caught:
            export(workspace, "lines")
        assert caught.value.kind == "nothing"
        workspace.project.set_text(keys[0], "r1_l1", "le nom du roi", CONFIRMED)
        workspace.project.set_text(keys[1], "r1_l2", "un autre", CONFIRMED)
        with zipfile.ZipFile(export(workspace, "lines")) as archive:
            archive.extractall(tmp_path / "lines")
    lines = Lines(str(tmp_path / "lines")).lines("train")
    assert [line.text for line in lines] == ["le nom du roi", "un autre"]
    assert [line.group for line in lines] == ["page 1.png", "page 2.png"]
    assert lines[0].image.read().shape[1] > 300
