"""The page as people use it, in a real browser, on a real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

NOTICE = "Research use only. Not a medical device."
FILES = "[data-testid=files] >> nth=0"
VIEWS = ("/", "/screeners", "/screeners/{screener}", "/drift", "/dicom", "/access", "/findings/{finding}")
ARROW_STEPS = 12


@pytest.fixture(scope="module", autouse=True)
def judged(room: Any, browser: Any, scans: list[str]) -> None:
    """Six pictures and a broken file, sent through the page."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(room.address)
    page.wait_for_selector("text=Drop scans anywhere")
    broken = Path(scans[0]).with_name("Doe^John.png")
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    page.set_input_files(FILES, [*scans, str(broken)])
    page.wait_for_selector(".finding >> nth=6", timeout=30_000)
    assert page.locator(".finding-name b", has_text="Doe^Jane").count() == 6
    assert page.locator(".finding-name b", has_text="Doe^John").count() == 1
    context.close()


def first(room: Any) -> str:
    return f"{room.address}/findings/{room.findings()[0]['id']}"


def test_own_names_of_files_stay_in_the_browser(room, look):
    assert len(room.findings()) == 7
    assert "Doe" not in str(room.findings()) + str(room.get("/jobs"))
    page = look(room.address)
    page.wait_for_selector(".finding >> nth=6")
    assert page.locator("text=Doe").count() == 0


def test_the_worklist_begins_with_the_most_unusual_and_ends_with_what_could_not_be_judged(room, look):
    page = look(room.address)
    page.wait_for_selector(".finding >> nth=6")
    shown = page.locator(".finding").evaluate_all("rows => rows.map((row) => row.className)")
    assert "abnormal" in shown[0]
    assert "unreadable" in shown[-1]
    assert page.locator(".finding img.thumbnail").count() == 6


def test_filters_order_and_search_are_in_the_address(room, look):
    page = look(room.address)
    page.click("button:text-is('Unusual')")
    page.wait_for_url("**/?verdict=abnormal")
    page.wait_for_selector(".findings:not([aria-busy=true])")
    page.locator(".finding.normal").first.wait_for(state="detached")
    assert page.locator(".finding.abnormal").count() == page.locator(".finding").count() > 0
    page.select_option("[aria-label=Order]", "-created")
    page.wait_for_url("**/?verdict=abnormal&sort=-created")
    page.fill("input[type=search]", "no such label")
    page.wait_for_selector("text=Nothing matches")
    page.click("text=Show all findings")
    page.wait_for_selector(".finding >> nth=6")


def test_the_keyboard_goes_through_all_and_marks_them(room, look):
    page = look(room.address)
    page.wait_for_selector(".finding >> nth=6")
    page.click(".finding >> nth=0")
    page.wait_for_selector(".viewer[data-ready]")
    page.wait_for_selector("text=1 of 7")
    at = page.evaluate("location.pathname").rsplit("/", 1)[1]
    page.keyboard.press("a")
    page.wait_for_selector("button[aria-pressed=true]:has-text('Accept')")
    page.keyboard.press("b")
    page.wait_for_selector(".said :text('Really abnormal')")
    page.keyboard.press("n")
    page.wait_for_selector("dialog label:has-text('Really abnormal') input:checked")
    page.fill("dialog textarea", "behind the left ear")
    page.click("dialog button:text-is('Save')")
    page.wait_for_selector(".said :text('behind the left ear')")
    told = room.get(f"/findings/{at}")
    assert told["review"] == "accepted"
    assert told["feedback"] == ["abnormal"]
    page.keyboard.press("j")
    page.wait_for_selector("text=2 of 7")
    page.wait_for_selector(".reader[aria-busy=false]")
    page.keyboard.press("x")
    page.wait_for_selector("button[aria-pressed=true]:has-text('Reject')")
    page.keyboard.press("x")
    page.wait_for_selector("button[aria-pressed=false]:has-text('Reject')")
    page.keyboard.press("k")
    page.wait_for_selector("text=1 of 7")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open] .keys div >> nth=11")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    page.keyboard.press("u")
    page.wait_for_selector("h1:text-is('Worklist')")
    page.wait_for_selector(".finding >> nth=0 >> text=Accepted")


def test_the_heat_can_be_taken_away_and_asked_for_by_rarity(room, look):
    page = look(first(room))
    page.wait_for_selector(".viewer[data-ready]")
    canvas = page.locator(".viewer-canvas")
    with_heat = canvas.screenshot()
    page.keyboard.press("o")
    page.wait_for_selector("button[aria-pressed=false][aria-label^='Heat map']")
    without = canvas.screenshot()
    page.keyboard.press("o")
    page.wait_for_selector("button[aria-pressed=true][aria-label^='Heat map']")
    assert without != with_heat == canvas.screenshot()
    page.focus(".tool-slider.wide input")
    for _ in range(ARROW_STEPS):
        page.keyboard.press("ArrowRight")
    assert "1 in 200" not in page.inner_text(".tool-slider.wide")
    assert canvas.screenshot() != with_heat


def test_a_region_is_chosen_from_the_list_and_in_the_picture(room, look):
    page = look(first(room))
    page.wait_for_selector(".viewer[data-ready]")
    before = page.locator(".viewer-canvas").screenshot()
    page.click(".regions button >> nth=0")
    page.wait_for_selector(".regions button[aria-pressed=true]")
    assert page.locator(".viewer-canvas").screenshot() != before
    page.click(".regions button >> nth=0")
    box = page.locator(".viewer-canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # it was put in the middle
    page.wait_for_selector(".regions button[aria-pressed=true]")


def test_contrast_and_zoom_follow_the_pointer(room, look):
    page = look(first(room))
    page.wait_for_selector(".viewer[data-ready]")
    canvas = page.locator(".viewer-canvas")
    seen = [canvas.screenshot()]
    box = canvas.bounding_box()
    at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*at)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(50)
    seen.append(canvas.screenshot())
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.move(at[0] - 60, at[1] + 30, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.wait_for_selector("text=Reset contrast")
    seen.append(canvas.screenshot())
    page.click("text=Reset contrast")
    page.keyboard.press("0")
    page.mouse.move(5, 5)
    page.wait_for_timeout(50)
    assert canvas.screenshot() == seen[0]
    assert len(set(seen)) == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation_on_any_view(room, look, violations, scheme):
    page = look(room.address, color_scheme=scheme)
    for path in addresses(room):
        page.goto(path)
        page.wait_for_selector("h1")
        page.wait_for_timeout(150)
        assert violations(page) == [], path


def test_every_view_says_research_use_only_and_fits_320_pixels(room, look):
    page = look(room.address, viewport={"width": 320, "height": 640})
    for path in addresses(room):
        page.goto(path)
        page.wait_for_selector("h1")
        page.wait_for_timeout(100)
        assert page.locator(f"text={NOTICE}").first.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


def addresses(room: Any) -> list[str]:
    known = {"screener": room.get("/screeners")[0]["id"], "finding": room.findings()[0]["id"]}
    return [room.address + view.format(**known) for view in VIEWS]


def test_the_colours_are_chosen_and_kept(room, look):
    page = look(room.address, color_scheme="light")
    page.wait_for_selector("[aria-label='Colours: as the system']")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("[aria-label^='Colours']")
    page.click("[aria-label='Colours: light']")
    page.wait_for_selector("[aria-label='Colours: dark']")
    dark = page.evaluate(ground)
    page.reload()
    page.wait_for_selector("[aria-label='Colours: dark']")
    assert page.evaluate(ground) == dark != light


def test_what_is_dropped_is_judged(room, look, scans):
    page = look(room.address)
    page.wait_for_selector(".finding >> nth=6")
    content = Path(scans[0]).read_bytes()
    page.evaluate(
        """(bytes) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], "dropped.png"));
            const fire = (kind) => document.body.dispatchEvent(
                new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true }));
            fire("dragenter");
            fire("drop");
        }""",
        list(content),
    )
    page.wait_for_selector(".finding-name b:text-is('dropped.png')")


def test_an_address_that_is_none_says_so(room, look):
    page = look(f"{room.address}/no/such/place")
    page.wait_for_selector("text=There is nothing at this address")
    page.goto(f"{room.address}/findings/{'0' * 32}")
    page.wait_for_selector("[role=alert]")
    page.said[:] = [line for line in page.said if not re.search("404", line)]


@pytest.mark.slow
def test_of_a_volume_slices_and_regions_move_the_crosshair(room, look, volume):
    page = look(room.address)
    page.wait_for_selector(".finding >> nth=6")
    page.set_input_files(FILES, volume)
    page.click(".finding:has-text('head.nii.gz')", timeout=40_000)
    page.wait_for_selector(".viewer[data-ready]", timeout=40_000)
    page.wait_for_selector(".tool-slider.wide:has-text('1 in 200 or rarer'):has-text('p ≤ 0.005')")
    canvas = page.locator(".viewer-canvas")
    usual = canvas.screenshot()
    page.focus(".tool-slider.wide input")
    page.keyboard.press("End")
    page.wait_for_selector(".tool-slider.wide:has-text('50 in 100 or rarer')")
    page.wait_for_timeout(300)
    assert canvas.screenshot() != usual
    strip = page.locator(".strip [role=slider]")
    strip.focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(200)
    first_slice = int(strip.get_attribute("aria-valuenow"))
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    assert int(strip.get_attribute("aria-valuenow")) == first_slice + 1
    before = page.locator(".viewer-canvas").screenshot()
    page.keyboard.press("End")
    page.wait_for_timeout(300)
    assert page.locator(".viewer-canvas").screenshot() != before
    page.keyboard.press("Tab")
    page.keyboard.press("o")
    page.wait_for_selector("button[aria-pressed=false][aria-label^='Heat map']")
    page.wait_for_timeout(200)
    with_outlines = page.locator(".viewer-canvas").screenshot()
    page.keyboard.press("r")
    page.wait_for_selector("button[aria-pressed=false][aria-label^='Outlines']")
    page.wait_for_timeout(200)
    assert page.locator(".viewer-canvas").screenshot() != with_outlines
    [found] = [finding for finding in room.findings() if finding["kind"] == "volume"]
    seen = room.get(f"/audit?subject={found['id']}")["items"]
    assert {"finding.open", "finding.prefetch"} == {row["action"] for row in seen}


def test_a_threshold_is_looked_at_and_applied(room, look):
    page = look(room.address)
    page.wait_for_selector(".finding >> nth=6")
    [screener] = room.get("/screeners")
    judged = [finding for finding in room.findings() if finding["score"] is not None]
    page.goto(f"{room.address}/screeners/{screener['id']}")
    page.focus(".chart-threshold[role=slider]")
    page.keyboard.press("End")
    page.wait_for_selector(f".preview :text('{len(judged)} stored findings')")
    page.keyboard.press("Escape")
    page.wait_for_selector("text=Drag the threshold")
    page.focus(".chart-threshold[role=slider]")
    page.keyboard.press("Home")
    page.wait_for_selector(f".preview :text('newly'), .preview :text('and {len(judged)} would be')")
    page.click("text=Apply to this Screener")
    page.wait_for_selector(".toast:has-text('decided again')")
    assert all(finding["flagged"] for finding in room.findings() if finding["score"] is not None)


def test_a_token_is_made_and_then_asked_for_to_the_end(room, look):
    page = look(f"{room.address}/access")
    page.click("text=New token")
    page.fill("dialog input[type=text]", "reading desk")
    page.select_option("dialog select", "reader")
    page.click("dialog button:text-is('Make it')")
    page.wait_for_selector(".secret code")
    page.wait_for_timeout(300)  # it stays, though nobody may look at anything here without it any more
    token = page.inner_text(".secret code")
    page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector("h1:text-is('Atypia reading room')")
    page.fill("input[type=password]", "wrong")
    page.click("button:text-is('Sign in')")
    page.wait_for_selector("[role=alert]")
    page.fill("input[type=password]", token)
    page.click("button:text-is('Sign in')")
    page.wait_for_selector("text=This is for administrators")  # a reader manages nothing
    assert page.locator("nav a:text-is('Access')").count() == 0
    page.click("text=Sign out")
    page.wait_for_selector("input[type=password]")
    page.said[:] = [line for line in page.said if not re.search("40[13]", line)]
