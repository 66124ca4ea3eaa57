"""The whole story in a real browser, by keys alone."""

import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers.drawn_pages import Drawn
from helpers.projects import draw_page

from htr_lightning.correction.page import CONFIRMED, ProjectPage
from htr_lightning.correction.workspace import Workspace
from htr_lightning.web.server import serve_in_thread

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PAGES, LINES = 3, 8
TIMEOUT_MS = 120_000  # of waiting for the model, on a machine that does other work too
POLL_MS = 50

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (Debian: apt-get install chromium)")


@dataclass
class Story:
    """A project that is served, and what its pages show."""

    workspace: Workspace
    url: str
    drawn: list[Drawn]

    @property
    def base(self) -> str:
        return self.url.split("/?")[0]

    @property
    def keys(self) -> list[str]:
        return list(self.workspace.project.pages)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    options = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield launched
        launched.close()


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    folder = tmp_path / "scans"
    drawn = [draw_page(folder, f"page {number}.png", lines=LINES, seed=number) for number in range(1, PAGES + 1)]
    (folder / "torn.png").write_bytes(b"no image")
    workspace = Workspace(folder, "zoo:latin", finder="classical", device="cpu", learning=["trainer.max_steps=2"])
    workspace.start()
    try:
        with serve_in_thread(workspace) as address:
            yield Story(workspace, address.url, drawn)
    finally:
        workspace.close()


@pytest.fixture
def context(browser: Any, story: Story) -> Iterator[Any]:
    """A browser that has opened the address; an error of a script fails the test."""
    made = browser.new_context(viewport={"width": 1360, "height": 860}, reduced_motion="reduce", accept_downloads=True)
    made.set_default_timeout(TIMEOUT_MS)
    errors: list[str] = []
    made.on("weberror", lambda error: errors.append(str(error.error)))
    made.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    page = made.new_page()
    page.goto(story.url)
    assert "token" not in page.url
    yield made
    made.close()
    assert not errors


def wait(page: Any, expression: str, arg: Any = None) -> None:
    """Wait until an expression is true; Playwright's own way to do so evaluates strings, which the page forbids."""
    for _ in range(TIMEOUT_MS // POLL_MS):
        if page.evaluate(expression, arg):
            return
        page.wait_for_timeout(POLL_MS)
    raise AssertionError(f"never true: {expression}")


def tab_to(page: Any, selector: str) -> None:
    """Press Tab until an element has the focus, which must be seen wherever it is."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never reaches {selector}")


def open_lines(page: Any, story: Story, number: int = 0) -> None:
    """Open a page of the project, and wait for its lines."""
    page.goto(f"{story.base}/page/{story.keys[number]}")
    page.wait_for_selector(".line.active textarea:focus")
    wait(page, "document.querySelectorAll('.line[data-state=\"\"]').length === 0")


def get_text(page: Any) -> str:
    return str(page.evaluate("document.activeElement.value"))


def wait_until_saved(story: Story, page: Any, count: int) -> None:
    wait(page, "count => fetch('/api/status?since=0').then(r => r.json()).then(s => s.confirmed === count)", arg=count)


def test_the_whole_story_by_keys(story: Story, context: Any, tmp_path: Path) -> None:
    page = context.pages[0]
    tab_to(page, "#pages a")
    page.keyboard.press("Enter")
    page.wait_for_selector(".line.active textarea:focus")
    count = 0
    for drawn in story.drawn[:2]:
        name = f"page {1 + count // LINES}.png"
        wait(page, "name => document.getElementById('page-name').textContent === name", arg=name)
        page.wait_for_selector(".line.active[data-state=read] textarea:focus")
        assert page.evaluate("document.querySelectorAll('.line').length") == LINES
        for number, text in enumerate(drawn.texts, 1):
            label = page.evaluate("document.activeElement.getAttribute('aria-label')")
            assert label.startswith(f"line {number} of {LINES}, page ")
            page.keyboard.press("Control+a")
            page.keyboard.type(text)
            page.keyboard.press("Enter")
            count += 1
    wait_until_saved(story, page, 16)
    texts = [text for _, _, text in story.workspace.project.confirmed_lines()]
    assert texts == [text for drawn in story.drawn[:2] for text in drawn.texts]

    page.wait_for_selector(".line.active[data-state=read] textarea:focus")
    tab_to(page, "nav a[href='/learn']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#start:enabled")
    tab_to(page, "#start")
    page.keyboard.press("Enter")
    page.wait_for_selector("#take", state="visible")
    assert "that it did not learn from" in page.inner_text("#state")
    assert page.evaluate("document.querySelectorAll('#scores tr').length") == 2
    page.wait_for_selector("#take:focus")
    page.keyboard.press("Enter")
    wait(page, "document.getElementById('models').textContent.includes('0001')")
    wait(page, "fetch('/api/status?since=0').then(r => r.json()).then(s => s.model === '0001' && !s.left)")
    project = story.workspace.project
    third = project.pages[story.keys[2]]
    assert {third.readings[line].model for line in third.line_ids} == {"0001"}
    assert [text for _, _, text in project.confirmed_lines()] == texts

    tab_to(page, "nav a[href='/export']")
    page.keyboard.press("Enter")
    page.wait_for_selector("a[href='/download/txt']")
    tab_to(page, "a[href='/download/txt']")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    download.value.save_as(tmp_path / "texts.zip")
    with zipfile.ZipFile(tmp_path / "texts.zip") as archive:
        assert archive.read("page 1.txt").decode().split("\n")[:LINES] == story.drawn[0].texts


def test_a_reload_in_the_middle_keeps_what_was_typed(story: Story, context: Any) -> None:
    page = context.pages[0]
    open_lines(page, story)
    page.keyboard.press("Control+a")
    page.keyboard.type("à moitié")
    page.reload()
    page.wait_for_selector(".line.active textarea:focus")
    assert page.evaluate("document.querySelector('.line textarea').value") == "à moitié"
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(".line[data-state=corrected]")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Control+z")
    page.wait_for_selector(".line.active[data-state=read]")


def test_keys_of_a_line(story: Story, context: Any) -> None:
    page = context.pages[0]
    open_lines(page, story)
    before = get_text(page)
    page.keyboard.type("xyz")
    page.keyboard.press("Escape")
    assert get_text(page) == before
    page.keyboard.press("End")
    page.keyboard.type(" abc")
    page.keyboard.press("Control+z")
    assert get_text(page) == before
    page.keyboard.press("Control+Shift+Z")
    assert get_text(page) == f"{before} abc"
    page.keyboard.press("Control+z")
    wait(page, "document.querySelectorAll('#palette button').length > 8")
    first = page.evaluate("document.querySelector('#palette button').firstChild.textContent")
    page.keyboard.press("Alt+1")
    assert get_text(page) == before + first
    page.keyboard.press("Control+z")
    page.keyboard.press("Enter")
    page.wait_for_selector(".line:nth-child(1)[data-state=confirmed]")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Control+z")
    page.wait_for_selector(".line:nth-child(1)[data-state=read]")
    page.keyboard.insert_text("ꝑ")
    page.keyboard.press("Enter")
    page.wait_for_selector(".line:nth-child(1) .note.warn")
    note = page.inner_text(".line:nth-child(1) .note")
    assert "“ꝑ”" in note and "Learn" in note  # a character that the model lacks
    for key, selector in (
        ("F1", "#help[open]"),
        ("F2", "#palette:not([hidden])"),
        ("F4", "#layout-tools:not([hidden])"),
    ):
        page.keyboard.press(key)
        page.wait_for_selector(selector)
        page.keyboard.press(key)
        page.wait_for_selector(selector, state="detached" if key == "F1" else "hidden")
        assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"


def test_alternatives_of_a_doubtful_word(story: Story, context: Any) -> None:
    from htr_lightning.correction.page import DoubtfulWord, Reading

    page = context.pages[0]
    open_lines(page, story)
    key, line = story.keys[0], story.workspace.project.pages[story.keys[0]].line_ids[1]
    word = DoubtfulWord(3, "roi", 0.4, (10.0, 20.0, 50.0, 60.0), ("roy", "moi"))
    story.workspace.project.store_readings(key, {line: Reading("le roi dit", 0.3, 0.1, "zoo:latin", (word,))})
    wait(page, "document.querySelectorAll('.line textarea')[1].value === 'le roi dit'")
    assert page.evaluate("document.activeElement === document.querySelector('.line textarea')")
    page.keyboard.press("Control+Enter")
    wait(page, "document.activeElement.value === 'le roi dit'")
    assert page.inner_text(".line:nth-child(2) mark") == "roi"
    page.keyboard.press("Alt+ArrowDown")
    page.wait_for_selector("#choices:not([hidden])")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert get_text(page) == "le roy dit"
    page.keyboard.press("Enter")
    page.wait_for_selector(".line:nth-child(2)[data-state=confirmed]")
    assert story.workspace.project.pages[key].show_text(line) == "le roy dit"


def test_two_windows_do_not_overwrite_each_other_unseen(story: Story, context: Any) -> None:
    one, other = context.pages[0], context.new_page()
    open_lines(one, story)
    open_lines(other, story)
    other.keyboard.press("Control+a")
    other.keyboard.type("typed in the other window")
    one.keyboard.press("Control+a")
    one.keyboard.type("confirmed first")
    one.keyboard.press("Enter")
    one.wait_for_selector(".line:nth-child(1)[data-state=confirmed]")
    other.wait_for_selector(".line:nth-child(1)[data-state=confirmed]")
    assert get_text(other) == "typed in the other window"
    other.keyboard.press("Enter")
    other.wait_for_selector(".line:nth-child(1)[data-state=confirmed]")
    page = story.workspace.project.pages[story.keys[0]]
    wait(
        other,
        "() => fetch(location.pathname.replace('/page', '/api/page')).then(r => r.json())"
        ".then(page => page.lines[0].text === 'typed in the other window')",
    )
    assert ("confirmed", "confirmed first") in page.texts[page.line_ids[0]].history
    wait(one, "document.querySelector('.line textarea').value === 'typed in the other window'")


def test_a_conflict_is_shown_and_decided(story: Story, context: Any) -> None:
    page = context.pages[0]
    open_lines(page, story)
    key, line = story.keys[0], story.workspace.project.pages[story.keys[0]].line_ids[0]
    page.route("**/api/status*", lambda route: route.abort())  # this window learns nothing of the other one
    story.workspace.project.set_text(key, line, "theirs", CONFIRMED)
    page.keyboard.press("Control+a")
    page.keyboard.type("mine")
    page.keyboard.press("Enter")
    page.wait_for_selector(".line:nth-child(1) .note button")
    assert "theirs" in page.inner_text(".line:nth-child(1) .note")
    assert story.workspace.project.pages[key].show_text(line) == "theirs"
    page.locator(".line:nth-child(1) .note button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".line:nth-child(1) .note button", state="detached")
    wait(
        page,
        "() => fetch(location.pathname.replace('/page', '/api/page')).then(r => r.json())"
        ".then(page => page.lines[0].text === 'mine')",
    )


def test_what_the_server_did_not_take_is_kept_and_sent_again(story: Story, context: Any) -> None:
    page = context.pages[0]
    open_lines(page, story)
    page.route(
        "**/api/line",
        lambda route: route.fulfill(status=507, json={"problem": "the disk is full", "kind": "unwritable"}),
    )
    page.keyboard.press("Control+a")
    page.keyboard.type("not lost")
    page.keyboard.press("Enter")
    page.wait_for_selector("#alert:not([hidden])")
    assert "the disk is full" in page.inner_text("#alert")
    assert page.get_attribute(".line:nth-child(1)", "data-state") == "read"
    page.unroute("**/api/line")
    tab_to(page, "#alert button")
    page.keyboard.press("Enter")
    page.wait_for_selector(".line:nth-child(1)[data-state=confirmed]")
    page.wait_for_selector("#alert", state="hidden")


def wait_for_edits(page: ProjectPage, number: int) -> None:
    """Wait until the page has so many edits; the test has a limit of its own."""
    while len(page.edits) != number:
        time.sleep(0.02)


def test_a_page_that_was_asked_for_before_an_edit_does_not_undo_it(story: Story, context: Any) -> None:
    page = context.pages[0]
    open_lines(page, story)
    project = story.workspace.project
    held: list[tuple[Any, Any]] = []

    def hold_first(route: Any) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.route("**/api/page/*", hold_first)
    project.set_text(story.keys[0], project.pages[story.keys[0]].line_ids[2], "elsewhere", CONFIRMED)
    while not held:
        page.wait_for_timeout(20)
    page.keyboard.press("Alt+m")
    wait(page, f"document.querySelectorAll('.line').length === {LINES - 1}")
    with page.expect_response("**/api/page/*"):  # the page is asked for again
        held[0][0].fulfill(response=held[0][1])
    page.wait_for_timeout(200)
    assert page.locator(".line").count() == LINES - 1
    page.wait_for_selector(".line:nth-child(1).active textarea:focus")


def test_a_page_that_was_asked_for_before_the_next_was_opened_does_not_take_its_place(
    story: Story, context: Any
) -> None:
    page = context.pages[0]
    open_lines(page, story)
    project = story.workspace.project
    held: list[tuple[Any, Any]] = []
    page.route(f"**/api/page/{story.keys[0]}", lambda route: held.append((route, route.fetch())))
    project.set_text(story.keys[0], project.pages[story.keys[0]].line_ids[2], "elsewhere", CONFIRMED)
    while not held:
        page.wait_for_timeout(20)
    page.keyboard.press("Alt+PageDown")
    wait(page, "document.getElementById('page-name').textContent === 'page 2.png'")
    page.wait_for_selector(".line.active textarea:focus")
    for route, response in held:
        with page.expect_response(f"**/api/page/{story.keys[0]}"):
            route.fulfill(response=response)
    page.wait_for_timeout(200)
    assert page.inner_text("#page-name") == "page 2.png"
    page.wait_for_selector(".line.active textarea:focus")


def test_the_layout_is_mended_by_keys(story: Story, context: Any) -> None:
    page = context.pages[0]
    open_lines(page, story)
    project_page = story.workspace.project.pages[story.keys[0]]
    before = project_page.line_ids
    page.keyboard.press("Alt+m")
    wait(page, f"document.querySelectorAll('.line').length === {LINES - 1}")
    page.wait_for_selector(".line:nth-child(1).active[data-state=corrected] textarea:focus")
    page.keyboard.press("Home")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Alt+s")
    wait(page, f"document.querySelectorAll('.line').length === {LINES}")
    page.keyboard.press("Alt+Shift+d")
    wait(page, f"document.querySelectorAll('.line').length === {LINES - 1}")
    page.keyboard.press("Alt+n")
    page.wait_for_selector("#draw-hint:not([hidden])")
    page.keyboard.press("Space")
    for _ in range(12):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    wait(page, f"document.querySelectorAll('.line').length === {LINES}")
    page.wait_for_selector(".line.active textarea:focus")
    wait_for_edits(project_page, 4)
    page.keyboard.press("Alt+Shift+ArrowDown")
    wait_for_edits(project_page, 5)
    wait(page, "document.querySelector('#undo-layout').disabled === false")
    wait(page, "[...document.querySelectorAll('.line')].findIndex(x => x.matches('.active')) > 0")
    for number in range(4, -1, -1):
        page.keyboard.press("Alt+Shift+z")
        wait_for_edits(project_page, number)
    wait(page, "document.querySelector('#undo-layout').disabled")
    assert page.evaluate("[...document.querySelectorAll('.line')].map(line => line.dataset.id)") == before
    assert project_page.line_ids == before


def test_an_image_that_cannot_be_read_is_shown_as_such(story: Story, context: Any) -> None:
    page = context.pages[0]
    wait(page, "[...document.querySelectorAll('#pages .count')].some(x => x.textContent === 'cannot be used')")
    page.goto(f"{story.base}/page/{story.keys[-1]}")
    page.wait_for_selector("#page-notice:not([hidden])")
    assert "torn.png" in page.inner_text("#page-notice")


def test_useful_lines_and_find_and_replace(story: Story, context: Any) -> None:
    page = context.pages[0]
    wait(page, "fetch('/api/status?since=0').then(r => r.json()).then(s => s.lines && !s.left)")
    page.goto(f"{story.base}/useful")
    page.wait_for_selector(".line.active textarea:focus")
    assert page.evaluate("document.querySelectorAll('.line').length") == 16
    page.keyboard.press("Control+a")
    page.keyboard.type("moissons moissons")
    page.keyboard.press("Enter")
    page.wait_for_selector(".line:nth-child(1)[data-state=confirmed]")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Alt+w")
    page.wait_for_selector("#results li")
    assert page.input_value("#text") == "moissons"
    tab_to(page, "#replacement")
    page.keyboard.type("vendanges")
    tab_to(page, "#replace")
    page.keyboard.press("Enter")
    wait(page, "document.getElementById('summary').textContent.includes('changed')")
    texts = [text for _, _, text in story.workspace.project.confirmed_lines()]
    assert texts == ["vendanges vendanges"]
    page.keyboard.press("Enter")
    wait(page, "document.getElementById('summary').textContent.includes('as before')")
    assert [text for _, _, text in story.workspace.project.confirmed_lines()] == ["moissons moissons"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_view(story: Story, context: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page = context.pages[0]
    page.emulate_media(color_scheme=scheme)
    open_lines(page, story)
    for path in ("/", f"/page/{story.keys[0]}", "/useful", "/find?text=le", "/learn", "/export", "/page/none"):
        page.goto(story.base + path)
        page.wait_for_load_state("networkidle") if path == "/page/none" else page.wait_for_timeout(400)
        if path.startswith("/page/") and path != "/page/none":
            page.keyboard.press("F2")
            page.keyboard.press("F4")
        check_with_axe(page, source, path)
    page.keyboard.press("F1")
    check_with_axe(page, source, "help")


def check_with_axe(page: Any, source: str, path: str) -> None:
    page.evaluate(source)
    result = page.evaluate("axe.run({resultTypes: ['violations']})")
    serious = [
        (path, violation["id"], [node["html"][:150] for node in violation["nodes"][:3]])
        for violation in result["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert not serious


def test_at_200_percent_nothing_is_lost_and_targets_are_large_enough(story: Story, context: Any) -> None:
    page = context.pages[0]
    page.set_viewport_size({"width": 640, "height": 400})  # as a window of 1280 x 800 at 200 %
    for path in ("/", f"/page/{story.keys[0]}", "/useful", "/find", "/learn", "/export"):
        page.goto(story.base + path)
        page.wait_for_timeout(400)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        small = page.evaluate(
            "[...document.querySelectorAll('button, select, textarea, nav a, .pages a, input:not([type=checkbox])')]"
            ".filter(x => x.offsetParent && (x.offsetHeight < 24 || x.offsetWidth < 24)).map(x => x.outerHTML)"
        )
        assert not small
    open_lines(page, story)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    box = page.locator(".line.active textarea").bounding_box()
    image = page.locator(".page-side").bounding_box()
    assert box["y"] >= image["y"] + image["height"] - 1
    assert box["y"] + box["height"] <= 401


def test_nothing_is_asked_of_another_server(story: Story, context: Any) -> None:
    page = context.pages[0]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_lines(page, story)
    for path in ("/", "/useful", "/find", "/learn", "/export"):
        page.goto(story.base + path)
        page.wait_for_timeout(300)
    assert asked and all(url.startswith((story.base, "data:")) for url in asked)
