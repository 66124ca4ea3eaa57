"""Measure how fast the correction page is with 200 pages and 5,000 lines, and how much memory it takes; see README.md.

    python experiments/correct/measure.py

Needs HTR_DATA, the extra web, playwright, and Chromium. Writes result.json. Beside each wait, it tells the seconds of
the processor, which do not depend on what else runs on the machine, and the load average.
"""

import argparse
import contextlib
import http.cookiejar
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from project import LINES, MODEL, PAGES, copy_pages, fill_project, write_layouts

IMAGES = Path(os.environ.get("HTR_DATA", "data")) / "copiste" / "pages" / "val"
UNREAD = 8  # pages that the server reads in the background while lines are confirmed
CONFIRMED_PAGES = 4  # by Enter, in the browser
TYPED = "mot "

# When Enter is pressed, until the next field has the focus and the window was painted. Playwright's own clock counts
# the way to the browser and back as well.
WATCH = """() => {
  window.waits = [];
  let pressed = 0;
  addEventListener("keydown", (event) => { if (event.key === "Enter") pressed = event.timeStamp; }, true);
  addEventListener("focusin", (event) => {
    if (!pressed || event.target.tagName !== "TEXTAREA") return;
    const start = pressed;
    pressed = 0;
    requestAnimationFrame(() => setTimeout(() => window.waits.push(performance.now() - start)));
  }, true);
}"""


@contextlib.contextmanager
def start_server(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str, float]]:
    """Run the command ``correct``; yield its process, the address that it prints, and when it was started."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "htr_lightning", "correct", str(folder), "--model", MODEL, "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip(), began
        finally:
            process.terminate()


class Client:
    """Asks the server as the browser does."""

    def __init__(self, address: str) -> None:
        self.base = address.split("/?")[0]
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        self.first = self._opener.open(address).read()

    def get(self, path: str) -> Any:
        """Return the content of an address."""
        return self._opener.open(self.base + path).read()

    def wait_for(self, path: str, is_ready: Any) -> Any:
        """Ask again and again until an answer is ready."""
        while not is_ready(answer := json.loads(self.get(path))):
            time.sleep(0.02)
        return answer


def measure_opening(folder: Path) -> dict[str, float]:
    """Return the seconds from the command to the list of pages, and to the first page with its lines and pictures."""
    with start_server(folder) as (process, address, began):
        client = Client(address)
        listed, listed_cpu = time.perf_counter() - began, read_cpu(process.pid)
        key = client.first.decode().split('href="/page/')[1].split('"')[0].split("#")[0]
        client.get(f"/page/{key}")
        page = client.wait_for(f"/api/page/{key}", lambda answer: answer["is_found"])
        assert len(page["lines"]) == LINES
        with_lines, with_lines_cpu = time.perf_counter() - began, read_cpu(process.pid)
        client.get(f"/picture/{key}.jpg")
        client.get(f"/picture/{key}/{page['lines'][0]['id']}.jpg")
        with_pictures = time.perf_counter() - began
    seconds = {
        "list_s": listed,
        "list_cpu_s": listed_cpu,
        "lines_s": with_lines,
        "lines_cpu_s": with_lines_cpu,
        "pictures_s": with_pictures,
        "load_average": os.getloadavg()[0],
    }
    return {key: round(value, 2) for key, value in seconds.items()}


def read_cpu(pid: int) -> float:
    """Return the seconds of the processor that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_work(folder: Path) -> dict[str, Any]:
    """Confirm pages by keys in Chromium while others are read; return waits, and memory of the server."""
    from playwright.sync_api import sync_playwright

    with start_server(folder) as (process, address, _), sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        page = browser.new_page(viewport={"width": 1360, "height": 850})
        page.set_default_timeout(600_000)
        page.goto(address)
        page.click("#pages a")
        page.wait_for_selector(".line.active textarea:focus")
        page.evaluate(WATCH)
        metrics = page.context.new_cdp_session(page)
        metrics.send("Performance.enable", {"timeDomain": "threadTicks"})
        before = read_tasks(metrics)
        for _ in range(CONFIRMED_PAGES * LINES):
            count = page.evaluate("window.waits.length")
            page.keyboard.type(TYPED, delay=15)
            page.keyboard.press("Enter")
            while page.evaluate("window.waits.length") == count:
                page.wait_for_timeout(5)
        waits = page.evaluate("window.waits")
        tasks_ms = 1000 * (read_tasks(metrics) - before) / len(waits)
        memory = read_memory(process.pid)
        while json.loads(page.evaluate("fetch('/api/status').then(r => r.text())"))["left"]:
            page.wait_for_timeout(500)
        memory |= {f"{key}_when_read": value for key, value in read_memory(process.pid).items()}
        browser.close()
    inside = [wait for number, wait in enumerate(waits, 1) if number % LINES]
    across = [wait for number, wait in enumerate(waits, 1) if not number % LINES]
    return {
        "enter_ms": describe(inside),
        "enter_to_the_next_page_ms": describe(across),
        "processor_ms_per_line": round(tasks_ms, 1),
        "load_average": round(os.getloadavg()[0], 1),
        "memory_mb": memory,
    }


def read_tasks(metrics: Any) -> float:
    """Return the seconds of the processor that the main thread of the window has taken, for all that it does."""
    values = {metric["name"]: metric["value"] for metric in metrics.send("Performance.getMetrics")["metrics"]}
    return float(values["TaskDuration"])


def describe(waits: list[float]) -> dict[str, float]:
    """Return how long the waits were, in ms."""
    return {
        "number": len(waits),
        "median": round(statistics.median(waits), 1),
        "95 %": round(sorted(waits)[int(0.95 * (len(waits) - 1))], 1),
        "maximum": round(max(waits), 1),
    }


def read_memory(pid: int) -> dict[str, int]:
    """Return the memory that a process has taken at most, and takes now, in MB."""
    rows = dict(row.split(":", 1) for row in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: int(rows[key].split()[0]) // 1024 for name, key in (("peak", "VmHWM"), ("now", "VmRSS"))}


def main() -> None:
    """Make the projects, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["opening", "work"], help="what to measure")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("result.json"))
    options = parser.parse_args()
    result = json.loads(options.out.read_text()) if options.out.is_file() else {}
    result |= {"pages": PAGES, "lines": PAGES * LINES}
    images = sorted(IMAGES.glob("*.jpg"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "read"
        fill_project(folder, copy_pages(images, folder), UNREAD)
        if "opening" in options.parts:
            openings = [measure_opening(folder) for _ in range(options.repetitions)]
            result["opening"] = {key: sorted(one[key] for one in openings) for key in openings[0]}
            folder = Path(temporary) / "new"
            write_layouts(folder, copy_pages(images, folder))
            result["first opening, ALTO files beside the images"] = measure_opening(folder)
        if "work" in options.parts:
            result |= measure_work(Path(temporary) / "read")
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
