"""The HTML report in a real browser: it draws, fits and can be read, and nothing observed in it can act."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import report_records as records
from hostile import HOSTILE, acted, watch
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Page

from runbook_lib.notebook import Shown
from runbook_lib.report import log_tables, markdown, text

Show = Callable[..., Page]
pytestmark = pytest.mark.browser

WORST_CONTRAST = (Path(__file__).parent / "worst_contrast.js").read_text(encoding="utf-8")


def _without_policy(page: str) -> str:
    page, count = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    assert count == 1
    return page


def one_line(words: str) -> str:
    return " ".join(words.split())


def _assert_inert(page: Page) -> None:
    # `goto` waited for the load event, which comes after the onerror of every planted image.
    assert acted(page, page.seen) == []  # type: ignore[attr-defined]
    assert [url for url in page.requests if not url.startswith("blob:")] == [page.url]  # type: ignore[attr-defined]
    planted = "img:not(.still), base, iframe, object, embed, form, meta[http-equiv=refresh]"
    assert page.locator(planted).count() == 0
    addresses = page.eval_on_selector_all("a", "links => links.map(link => link.getAttribute('href'))")
    assert [a for a in addresses if re.match(r"(?i)\s*([a-z]+:|//)", a or "")] == []


@pytest.fixture(scope="module")
def failing(show: Show) -> Page:
    return show(records.failing())


@pytest.fixture(scope="module")
def hostile(show: Show) -> Page:
    return show(records.hostile())


def test_all_charts_are_drawn_without_any_request(failing: Page) -> None:
    assert failing.get_attribute("html", "data-charts") == "ready"
    assert failing.locator(".js-plotly-plot .main-svg").count() >= 5
    assert failing.locator("figure .still:visible").count() == 0
    assert failing.locator("details[open] summary", has_text="The numbers").count() == 0
    _assert_inert(failing)


def test_hostile_text_is_inert(hostile: Page) -> None:
    assert hostile.locator(".js-plotly-plot").count() == 7
    _assert_inert(hostile)
    assert "{{ 7*7 }}" in hostile.inner_text("#verdict")


WAYS = {"logs": "#logs", "agent replies": "#sessions", "test names": "#tests", "plan fields": "#impact",
        "the image's name": ".card"}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_hostile_string_is_shown_as_the_text_that_it_is(hostile: Page, way: str) -> None:
    shown = one_line(hostile.locator(WAYS[way]).text_content() or "")
    assert len(HOSTILE) >= 40
    assert [line for line in HOSTILE if one_line(text.clean(line)) not in shown] == []


def test_hostile_text_is_inert_and_whole_in_the_markdown_too(chromium: Browser) -> None:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    rendered = parser.render(markdown.render(records.hostile()))
    page: Any = chromium.new_page()
    seen = watch(page)
    page.goto("about:blank")
    page.set_content(rendered)
    page.wait_for_load_state("networkidle")
    assert acted(page, seen) == []
    assert page.locator("a, img, svg, form, iframe, style, script, input, pre").count() == 0
    shown = one_line(page.inner_text("body"))
    assert [line for line in HOSTILE if shown.count(one_line(text.clean(line))) < 4] == []
    page.set_content(HOSTILE[0] + HOSTILE[10])  # what acts is seen
    page.wait_for_function("window.pwned")
    page.close()


def test_hostile_text_is_inert_even_without_the_policy(show: Show) -> None:
    _assert_inert(show(records.hostile(), change=_without_policy))


def test_the_policy_stops_what_escaping_might_miss(show: Show) -> None:
    planted = "<main><script>window.pwned=1</script><img src=x onerror=window.pwned=2>"
    page = show(records.empty(), change=lambda text: text.replace("<main>", planted))
    assert page.locator("main img").count() == 1
    assert page.evaluate("window.pwned") is None


def test_without_scripts_every_chart_is_a_still_with_its_numbers_below(show: Show) -> None:
    page = show(records.good(), scripts=False)
    assert page.locator("[data-figure]:visible").count() == 0
    stills = page.locator("figure .still:visible")
    assert stills.count() == 7
    assert [still.evaluate("still => still.naturalWidth") for still in stills.all()] == [1238] * 7
    assert page.locator("[data-filter] input").count() == 0
    page.locator("figure:has([data-figure=waterfall]) summary").click()
    assert "agent_completed" in page.inner_text("figure:has([data-figure=waterfall]) table")


def test_a_printer_gets_the_stills(failing: Page) -> None:
    failing.emulate_media(media="print")
    assert failing.locator("figure .still:visible").count() == 7
    assert failing.locator(".js-plotly-plot:visible, nav:visible, #notebooks:visible").count() == 0
    failing.emulate_media(media="screen")


def test_the_logs_lines_can_be_filtered_without_a_network(failing: Page) -> None:
    lines = failing.locator("[data-filter]")
    lines.locator("summary").click()
    assert lines.locator("tbody tr:visible").count() == 42
    lines.locator("input").fill("POOL is")
    assert lines.locator("tbody tr:visible").all_inner_texts()[0].split("\t")[-1] == "pool is empty"
    assert lines.locator("output").inner_text() == "1 of 42"
    lines.locator("input").fill("")
    assert lines.locator("tbody tr:visible").count() == 42
    _assert_inert(failing)


def test_hostile_log_lines_are_shown_as_the_text_that_they_are(hostile: Page) -> None:
    lines = hostile.locator("[data-filter]")
    lines.evaluate("place => { place.open = true; }")
    shown = lines.locator("tbody tr td:last-child").all_inner_texts()
    for line in ("</script><script>window.pwned=1</script>", "red link gnp", "\ufffd\ufffd broken text"):
        assert line in shown
    assert any(line.endswith("… and 1,046,579 characters more") for line in shown)
    assert not set("\x1b\u202e") & set("".join(shown))
    _assert_inert(hostile)


def test_hostile_log_lines_are_text_in_a_notebooks_cell_too(chromium: Browser) -> None:
    logs = records.hostile().run_logs
    tables = (log_tables.novelty(logs), log_tables.log_lines(records.hostile().entries))
    shown = Shown(sentence=HOSTILE[0], parts=tables)
    page: Any = chromium.new_page()
    page.requests = []
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto("about:blank")
    page.set_content(shown._repr_mimebundle_()["text/html"])
    assert page.evaluate("window.pwned") is None
    assert page.requests == []
    assert page.locator("img, base, iframe, a, script, form").count() == 0
    assert page.inner_text("body").count("</script><script>window.pwned=1</script>") >= 3


def test_the_verdict_is_on_the_first_screen(failing: Page) -> None:
    failing.set_viewport_size({"width": 1280, "height": 800})
    failing.evaluate("scrollTo(0, 0)")
    box = failing.locator(".card").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 800


@pytest.mark.parametrize("name", ["failing", "hostile"])
def test_a_phone_needs_no_sideways_scrolling(name: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(name)
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrast_is_at_least_4_5(failing: Page, scheme: Literal["light", "dark"]) -> None:
    failing.set_viewport_size({"width": 1280, "height": 800})
    failing.emulate_media(color_scheme=scheme)
    worst = failing.evaluate(WORST_CONTRAST)
    assert worst["texts"] > 200
    assert worst["ratio"] >= 4.5, worst
