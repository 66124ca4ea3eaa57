"""PDF documents: read by one thread at a time, and no more is believed of them than they can hold."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from htr_lightning.image.files import DataError
from htr_lightning.image.pdf import count_pdf_pages, render_pdf_page, use_pdfium
from htr_lightning.image.scan import list_scans

THREADS = """
import sys, threading
from pathlib import Path
from htr_lightning.image.pdf import count_pdf_pages, render_pdf_page

paths = [Path(path) for path in sys.argv[1:]]

def read(first):
    for i in range(30):
        path = paths[(first + i) % len(paths)]
        assert render_pdf_page(path, i % count_pdf_pages(path), 100_000).shape[2] == 3

threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
"""


def write_pdf(path: Path, num_pages: int = 2, size: tuple[int, int] = (60, 80)) -> Path:
    pages = [Image.new("RGB", size, (200, 100, 10 * i)) for i in range(num_pages)]
    pages[0].save(path, save_all=True, append_images=pages[1:], resolution=72)
    return path


def write_bare_pdf(path: Path, count: int = 1, box: str = "0 0 60 80") -> Path:
    """Write a document of one page that states a number of pages."""
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count %d >>" % count,
        b"<< /Type /Page /Parent 2 0 R /MediaBox [%s] >>" % box.encode(),
    )
    content, offsets = b"%PDF-1.4\n", []
    for number, value in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj %s endobj\n" % (number, value)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(content)
    path.write_bytes(content + b"xref\n0 4\n0000000000 65535 f \n" + table + trailer)
    return path


def test_colors_and_resolution(tmp_path: Path) -> None:
    pixels = render_pdf_page(write_pdf(tmp_path / "a.pdf"), 1, 10**7)
    np.testing.assert_allclose(pixels.shape, (80 * 300 / 72, 60 * 300 / 72, 3), atol=1)
    assert pixels.flags.c_contiguous and pixels.flags.writeable
    np.testing.assert_allclose(pixels[160, 120], (200, 100, 10), atol=3)


def test_a_second_thread_waits(tmp_path: Path) -> None:
    path, counts = write_pdf(tmp_path / "a.pdf"), []
    waiting = threading.Thread(target=lambda: counts.append(count_pdf_pages(path)))
    with use_pdfium():
        waiting.start()
        waiting.join(0.3)
        assert not counts
        assert count_pdf_pages(path) == 2  # the thread that has it may use it again
    waiting.join()
    assert counts == [2]


def test_documents_are_read_by_several_threads(tmp_path: Path) -> None:
    paths = [str(write_pdf(tmp_path / f"{i}.pdf")) for i in range(3)]
    done = subprocess.run([sys.executable, "-c", THREADS, *paths], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_a_document_that_states_a_million_pages_is_refused(tmp_path: Path) -> None:
    assert len(list_scans(write_bare_pdf(tmp_path / "one.pdf"))) == 1
    with pytest.raises(DataError, match="states 1,000,000 pages") as error:
        list_scans(write_bare_pdf(tmp_path / "many.pdf", 1_000_000))
    assert error.value.kind == "damaged"


def test_a_page_as_long_as_a_road_is_refused(tmp_path: Path) -> None:
    path = write_bare_pdf(tmp_path / "long.pdf", box="0 0 0.001 100000000")
    with pytest.raises(DataError, match=r"long\.pdf, page 1: ") as error:
        render_pdf_page(path, 0, 1_000_000)
    assert error.value.kind == "too_large"
