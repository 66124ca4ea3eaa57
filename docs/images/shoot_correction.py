"""Takes the pictures of the correction page: four invented pages in an open handwriting font, read, corrected, learned.

python docs/images/shoot_correction.py docs/images --learn trainer.max_steps=60
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from htr_lightning.correction.page import CONFIRMED
from htr_lightning.correction.workspace import Workspace
from htr_lightning.data.sources.fonts import find_fonts
from htr_lightning.data.sources.paper import apply_ink, draw_paper
from htr_lightning.data.sources.rendering import Style, render_line
from htr_lightning.web.server import serve_in_thread

WIDTH, HEIGHT, PITCH, FONT = 1500, 1250, 84, "caveat"
SENTENCES = (
    "Nous avons quitté la maison avant le jour, avec du pain, deux lampes et le vieux chien.",
    "La route était longue, mais personne ne voulait dormir; à midi, le vent tourna.",
    "Mon frère disait que la pluie viendrait, et il avait raison.",
    "Le soir, nous étions dans une grange, et il chantait pour les enfants.",
    "Demain, si le temps le permet, nous serons chez toi; garde-nous un peu de soupe.",
    "Reçu du sieur Lenôtre la somme de trente livres pour la façon d'une table de noyer.",
    "Le moulin est arrêté depuis la Saint-Martin, faute d'eau, et l'on porte le blé au bourg.",
    "Dites à ma sœur que la lettre du notaire est arrivée hier, et qu'il faut la lire ensemble.",
)


def draw_page(number: int) -> tuple[Image.Image, list[str]]:
    """Return a page, gray, and its lines."""
    generator = np.random.default_rng(number)
    words = " ".join(SENTENCES[(i + 2 * number) % len(SENTENCES)] for i in range(len(SENTENCES))).split()
    lines = [" ".join(words[start : start + 7]) for start in range(0, 7 * 12, 7)]
    (face,) = find_fonts([FONT])[FONT].faces[:1]
    style = Style(PITCH, 6, 0.01, 0.1, 0.015, 0.02, ink_width_px=0.6)
    ink = np.zeros((HEIGHT, WIDTH), np.float32)
    for row, text in enumerate(lines):
        line = 1 - render_line(text, face, style, generator).image / 255
        top, left = 90 + row * (PITCH + 6), 110 + int(generator.normal(0, 6))
        width = min(line.shape[1], WIDTH - left)
        ink[top : top + PITCH, left : left + width] += line[:, :width]
    paper = draw_paper((HEIGHT, WIDTH), HEIGHT / 2, 0.3, 0.0, generator)
    return Image.fromarray(apply_ink(paper, ink.clip(0, 1), 0.3, 0.3, generator)), lines


def shoot(page: Page, path: Path) -> None:
    """Save what the window shows."""
    page.wait_for_timeout(1500)
    page.screenshot(path=path, type="jpeg", quality=72)


def confirm(workspace: Workspace, texts: list[list[str]]) -> None:
    """Confirm the lines of the first three pages that were found as they were drawn."""
    for page, lines in list(zip(workspace.project.pages.values(), texts, strict=True))[:3]:
        if len(page.line_ids) == len(lines):
            for line, text in zip(page.line_ids, lines, strict=True):
                workspace.project.set_text(page.key, line, text, CONFIRMED)


def shoot_all(workspace: Workspace, url: str, texts: list[list[str]], out: Path) -> None:
    """Go through all views."""
    base = url.split("/?")[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 850})
        page.set_default_timeout(3_600_000)
        page.goto(url)
        while workspace.background.get_status()["left"]:
            time.sleep(1)
        page.click("#pages a")
        page.wait_for_selector(".line.active textarea:focus")
        for key in ("Enter", "Enter", "Control+Enter", "Alt+ArrowDown"):
            page.keyboard.press(key)
            page.wait_for_timeout(400)
        shoot(page, out / "correct-lines.jpg")
        for key in ("Escape", "F2", "F4"):
            page.keyboard.press(key)
        shoot(page, out / "correct-layout.jpg")
        page.goto(f"{base}/useful")
        shoot(page, out / "correct-useful.jpg")
        page.goto(f"{base}/find?text=et&words=1")
        shoot(page, out / "correct-find.jpg")
        confirm(workspace, texts)
        page.goto(f"{base}/")
        shoot(page, out / "correct-pages.jpg")
        page.goto(f"{base}/export")
        shoot(page, out / "correct-export.jpg")
        page.goto(f"{base}/learn")
        page.click("#start:enabled")
        page.wait_for_selector("#take", state="visible")
        shoot(page, out / "correct-learn.jpg")
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--learn", nargs="+", default=[], metavar="KEY=VALUE", help="see the command correct")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "Letters"
        folder.mkdir()
        texts = []
        for number in range(1, 5):
            image, lines = draw_page(number)
            image.save(folder / f"letter {number}.jpg", quality=85)
            texts.append(lines)
        workspace = Workspace(folder, "zoo:latin", device="cpu", learning=options.learn)
        workspace.start()
        try:
            with serve_in_thread(workspace) as address:
                shoot_all(workspace, address.url, texts, options.out)
        finally:
            workspace.close()
