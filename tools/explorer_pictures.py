"""Takes README's pictures of the explorer: `python tools/explorer_pictures.py`.

It needs `pip install -r requirements-browser.txt`, Chromium, and a `kafkalab serve` that runs on a
lab. It makes topics and groups there, with names that begin with tour-, and deletes the topics.

    python tools/explorer_pictures.py --at http://127.0.0.1:8765/
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import FloatRect, Page, sync_playwright

from kafkalab.config import SERVE_PORT

DOCS = Path(__file__).parents[1] / "docs"
CHROMIUM = "/usr/bin/chromium"
TOPIC, PARTITIONS = "tour-orders", 6

# Milliseconds until a group of a few members is stable, and its timeline shows that.
STANDING = 4000


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--at", default=f"http://127.0.0.1:{SERVE_PORT}/", help="the explorer")
    at = parser.parse_args().at
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with topic(browser, at):
            for take in (publishing, growing, consuming, on_a_phone):
                print(take(browser, at))
        browser.close()


@contextmanager
def topic(browser: Any, at: str) -> Iterator[None]:
    """A topic for the pictures; it is deleted at the end."""
    asking = browser.new_context().request
    path = f"{at}api/kafka/topics"
    made = asking.post(path, data={"name": TOPIC, "partitions": PARTITIONS})
    assert made.ok, made.text()
    try:
        yield
    finally:
        asking.delete(f"{path}/{TOPIC}")


def publishing(browser: Any, at: str) -> Path:
    """Take the picture of a key, both hashes, and the partition of the record."""
    page = visit(browser, at, f"topic={TOPIC}", width=1000)
    page.get_by_text("More: how many").click()
    page.get_by_label("How many").select_option("20x10")
    page.get_by_role("button", name="Publish").click()
    page.locator(".result", has_text="200 records").wait_for()
    page.get_by_label("How many").select_option("1")
    page.get_by_text("More: how many").click()
    page.get_by_role("button", name="Publish").click()
    page.locator(".result", has_text="at offset").wait_for()
    return part(page, "explorer_publish.png", ".topic-head", ".logs")


def growing(browser: Any, at: str) -> Path:
    """Take the picture of the keys that move when the topic grows."""
    page = visit(browser, at, f"topic={TOPIC}", width=1000)
    page.locator(".cell").first.wait_for()
    page.get_by_text("Grow the topic").first.click()
    page.get_by_label("Partitions in all").fill("8")
    page.locator(".grow tbody tr").nth(7).wait_for()
    page.evaluate("document.querySelector('.grow .table').style.maxHeight = '18rem'")
    return part(page, "explorer_grow.png", ".grow", ".grow")


def consuming(browser: Any, at: str) -> Path:
    """Take the picture of an eager group that had one, two, three and two members."""
    # A new group each time, as a server remembers what it has seen of a group.
    group = f"tour-{time.time():.0f}"
    page = visit(browser, at, f"topic={TOPIC}&group={group}&task=1.4", width=1280)
    page.get_by_text("More: how many").click()
    page.get_by_label("How many").select_option("20x10")
    page.get_by_label("How often").select_option("50")
    page.get_by_role("button", name="Publish").click()
    for _ in range(3):
        page.get_by_role("button", name="Add a consumer").click()
        page.wait_for_timeout(STANDING)
    page.get_by_role("button", name="Remove").nth(1).click()
    page.wait_for_timeout(STANDING)
    page.get_by_role("button", name="Stop").click()
    page.locator("svg.timeline").click(position={"x": 370, "y": 60})
    page.locator(".when", has_text="As it was at").wait_for()
    taken = part(page, "explorer_group.png", ".group", ".timeline-view > .table")
    for left in (1, 0):
        page.get_by_role("button", name="Remove").first.click()
        page.wait_for_function(
            "left => document.querySelectorAll('.members li').length === left", arg=left
        )
    return taken


def on_a_phone(browser: Any, at: str) -> Path:
    """Take the picture of a guided task, on a phone with dark colours."""
    page = visit(browser, at, "task=1.2&topic=" + TOPIC, width=390, scheme="dark")
    page.locator(".cell").first.wait_for()
    return part(page, "explorer_guide.png", ".guide header", ".hashes")


def visit(browser: Any, at: str, state: str, *, width: int, scheme: str = "light") -> Page:
    """Open the explorer at a state, and wait until it shows the data."""
    page: Page = browser.new_page(
        viewport={"width": width, "height": 1000}, color_scheme=scheme, reduced_motion="reduce"
    )
    page.goto(f"{at}#{state}")
    page.locator("body.ready").wait_for()
    page.locator('#status[data-state="live"]').wait_for()
    return page


def part(page: Page, name: str, first: str, last: str) -> Path:
    """Take a picture from the top of one element to the bottom of another, over the full width."""
    page.wait_for_timeout(500)
    page.evaluate("document.querySelector('.bar').style.position = 'static'")
    tops, feet, main = (box(page, each) for each in (first, last, "main"))
    scrolled = page.evaluate("scrollY")
    clip = {
        "x": main["x"],
        "y": tops["y"] + scrolled - 16,
        "width": main["width"],
        "height": feet["y"] + feet["height"] - tops["y"] + 32,
    }
    path = DOCS / name
    page.screenshot(path=path, full_page=True, clip=clip)
    return path


def box(page: Page, selector: str) -> FloatRect:
    """The place of an element on the screen."""
    found = page.locator(selector).bounding_box()
    assert found is not None, f"{selector} is shown"
    return found


if __name__ == "__main__":
    main()
