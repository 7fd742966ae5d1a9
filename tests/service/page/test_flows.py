"""What people do with the page beyond the worklist: much at once, by keyboard alone, and what goes wrong."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atypia.errors import CorruptArtefact
from atypia.service.access import tokens
from atypia.service.store import events, models, screeners
from tests.service.page.conftest import WIDE

FILES = "[data-testid=files] >> nth=0"
FOLDER = "[data-testid=folder] >> nth=0"
MANY = 300
"""More than the page asks for at once."""
PAGE_BY_PAGE = 50
SHIFTED = 120
"""So many of the last findings are of another scanner, as p-values tell."""


@pytest.fixture(scope="module")
def room(open_room: Callable[..., Any], screener_file: Path, described: dict[str, Any]) -> Any:
    """A server with a Screener that is quick."""
    return open_room(screener_file, described)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: Any, head_png: Callable[..., bytes]) -> list[str]:
    """Files of heads with a lesion."""
    folder = tmp_path_factory.mktemp("heads")
    for number in range(4):
        (folder / f"head-{number}.png").write_bytes(head_png(seed=50 + number, lesion=0.9, size=64))
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def kept(browser: Any) -> Iterator[Any]:
    """What the pages share, as those of one user."""
    context = browser.new_context(**WIDE)
    yield context
    context.close()


@pytest.fixture(scope="module", autouse=True)
def judged(room: Any, kept: Any, scans: list[str]) -> None:
    """One picture of a lesion, sent by the keyboard alone, and its finding many times over."""
    page, choosers = kept.new_page(), []
    page.on("filechooser", lambda chooser: choosers.append(chooser))  # from the start: later may be too late
    page.goto(room.address)
    page.wait_for_selector("text=Drop scans anywhere")
    while page.evaluate("document.activeElement.innerText?.trim()") != "Judge scans":
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches(':focus-visible')")
    page.keyboard.press("Enter")
    for _ in range(1000):
        if choosers:
            break
        page.wait_for_timeout(10)
    choosers[0].set_files(scans[0])
    page.wait_for_selector(".finding", timeout=30_000)
    page.close()
    _copy(room, MANY)


def _copy(room: Any, count: int) -> None:
    """Write findings as if so many scans had come: as calibration promised, and at the end shifted ones."""
    rng = np.random.default_rng(0)
    with room.store.write() as session:
        [one] = session.query(models.Finding).all()
        kept = {key.name: getattr(one, key.name) for key in models.Finding.__table__.columns}
        for index in range(1, count):
            p_value = float(rng.uniform(0.3, 1) if index < count - SHIFTED else rng.uniform(0.001, 0.02))
            changed = {"id": models.new_id(), "index": index, "p_value": p_value, "files": []}
            told = {**kept, **changed, "label": f"copy {index}", "created": models.now()}
            session.add(models.Finding(**told))
        one.p_value = 0.0005


def test_a_list_of_many_is_gone_through_to_its_end_and_keeps_its_place(room, look):
    page = look(room.address)
    page.wait_for_selector(f".finding >> nth={PAGE_BY_PAGE - 1}")
    for _ in range(PAGE_BY_PAGE):
        page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector(f".reader-place:text-is('{PAGE_BY_PAGE} of {MANY}')")
    page.keyboard.press("j")
    page.wait_for_selector(f".reader-place:text-is('{PAGE_BY_PAGE + 1} of {MANY}')")
    at = page.evaluate("location.pathname").rsplit("/", 1)[1]
    page.keyboard.press("u")
    page.wait_for_selector(f".finding a[href$='{at}']:focus")
    while page.locator(".further").count():
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(20)
    assert page.locator(".finding").count() == MANY
    with page.expect_response(re.compile("cursor=")):
        _tell(room, "screener")  # all is loaded anew, and none of the rows goes away
    page.wait_for_selector(".findings[aria-busy=false]")
    assert page.locator(".finding").count() == MANY


def _tell(room: Any, kind: str) -> None:
    with room.store.write() as session:
        events.emit(session, kind, "0" * 32)


def test_marking_and_going_on_is_one_key(room, look):
    page = look(room.address)
    page.wait_for_selector(".finding")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector(f".reader-place:text-is('1 of {MANY}')")
    page.wait_for_selector(".reader[aria-busy=false]")
    at = page.evaluate("location.pathname").rsplit("/", 1)[1]
    page.keyboard.press("X")
    page.wait_for_selector(f".reader-place:text-is('2 of {MANY}')")
    page.wait_for_selector(".toast:has-text('Rejected')")
    assert room.get(f"/findings/{at}")["review"] == "rejected"


def test_cards_hold_long_names(room, look):
    page = look(room.address, viewport={"width": 340, "height": 700})
    page.wait_for_selector(".finding")
    page.evaluate("localStorage.setItem('atypia.layout', 'grid')")
    page.reload()
    page.wait_for_selector(".findings.grid .finding >> nth=3")
    page.locator(".finding-name b").first.evaluate("name => name.textContent = 'TCGA_'.repeat(20)")
    card, name = (page.locator(f".finding {part}").first.bounding_box() for part in ("a", "b"))
    assert name["x"] + name["width"] <= card["x"] + card["width"]


def test_a_change_of_scanner_is_told_with_what_is_wrong(room, look, violations):
    page = look(f"{room.address}/drift")
    page.wait_for_selector(".answer.alarm:has-text('Recalibration is due')")
    page.wait_for_selector(".alarm-line")
    assert page.locator(".drift-alarm").count() >= 1
    assert violations(page) == []
    page.click(".alarm-line a >> nth=0")
    page.wait_for_selector(".reader-head h1")


def test_a_result_that_was_given_up_is_sent_again(room, look):
    with room.store.write() as session:
        for name in ("sr", "seg"):
            row = models.Delivery(peer="archive", file=f"dicom/volume-0001-{name}.dcm", state="dead")
            row.error, row.ended = "The peer does not answer at port 104.", models.now()
            session.add(row)
    page = look(f"{room.address}/dicom")
    page.wait_for_selector("tr:has-text('Report (SR)'):has-text('does not answer')")
    page.click("tr:has-text('Report (SR)') >> text=Send again")
    page.wait_for_selector(".toast:has-text('sent again')")
    page.locator("tr:has-text('Report (SR)')").wait_for(state="detached")
    page.click("button:text-is('Waiting')")
    page.wait_for_selector("tr:has-text('Report (SR)')")
    with room.store.write() as session:  # as the courier does when the peer took it
        row = session.query(models.Delivery).filter_by(state="pending").one()
        row.state, row.error = "sent", None
    _tell(room, "delivery")
    page.wait_for_selector("text=Nothing waits to be sent")
    page.click("button:text-is('Sent')")
    page.wait_for_selector("tr:has-text('Report (SR)')")


def test_a_study_is_forgotten_with_all_that_was_found_of_it(room, look):
    with room.store.write() as session:
        session.add(models.Study(key="0" * 64, state="complete", instances=30, last=models.now()))
    page = look(f"{room.address}/dicom")
    page.click("tr:has-text('30 instances') >> text=Forget all of it")
    page.wait_for_selector("dialog:has-text('cannot be brought back')")
    page.click("dialog .danger")
    page.wait_for_selector(".toast:has-text('The study was forgotten')")
    page.wait_for_selector("text=No study has come yet")
    assert room.get("/studies")["items"] == []


def test_a_folder_is_judged_without_what_is_no_scan(room, look, scans, tmp_path):
    inner = tmp_path / "study" / "day 1" / "axial"
    inner.mkdir(parents=True)
    shutil.copy(scans[1], inner / "head.png")
    (inner / "fake.png").write_text("no picture")
    (inner / "notes.txt").write_text("no scan")
    (inner.parent / "empty.png").touch()
    (inner / ".hidden.png").write_text("seen by nobody")
    page = look(f"{room.address}/?sort=-created")
    page.set_input_files(FOLDER, tmp_path / "study")
    page.wait_for_selector(".toast:has-text('notes.txt'):has-text('empty.png (empty)')")
    page.wait_for_selector(".toast:has-text('no scan: fake.png')")
    page.wait_for_selector(".finding:has-text('head.png'):has-text('study/day 1/axial')", timeout=30_000)
    page.said[:] = [line for line in page.said if "415" not in line]


def test_a_job_that_failed_is_judged_again_and_deleted_with_all_that_was_found_of_it(room, look):
    finding = room.get("/findings?sort=-created&limit=1")["items"][0]
    with room.store.write() as session:
        session.delete(session.get(models.Finding, finding["id"]))
        job = session.get(models.Job, finding["job"])
        job.state, job.error = "failed", "There was too little memory."
    page = look(f"{room.address}/?sort=-created")
    page.click(".work.failed:has-text('too little memory') >> text=Judge again")
    page.locator(".work.failed").wait_for(state="detached")
    page.wait_for_selector(".finding-name b:has-text('head.png')")
    finding = room.get("/findings?sort=-created&limit=1")["items"][0]
    assert finding["job"] == job.id
    page.click(f".finding a[href$='{finding['id']}']")
    page.click("summary:text-is('Details')")
    page.click("text=All of its job")
    page.click("button:text-is('delete it')")
    page.click("dialog .danger")
    page.wait_for_selector(".toast:has-text('The job was deleted')")
    page.wait_for_selector(".count:has-text(' findings')")
    assert finding["id"] not in str(room.get("/findings?sort=-created&limit=5"))


def test_what_the_server_cannot_take_now_is_sent_again_by_itself(room, look, scans):
    page = look(f"{room.address}/?sort=-created")
    page.wait_for_selector(".finding")
    answers = [(429, "1"), (507, None), (503, None)]
    keys: list[str] = []

    def answer(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if not answers:
            return route.continue_()
        status, after = answers.pop(0)
        headers = {"Retry-After": after} if after else {}
        return route.fulfill(status=status, headers=headers, json={"title": "Not now", "status": status})

    page.route("**/api/v1/jobs", answer)
    page.set_input_files(FILES, [scans[2]])
    page.wait_for_selector(".work:has-text('a little patience'):has-text('again in 1 second')")
    page.wait_for_selector(".work:has-text('no room left on its disk')")
    page.click("text=Try now")
    page.wait_for_selector(".work:has-text('is busy')")
    page.click("text=Try now")
    name = Path(scans[2]).name
    page.wait_for_selector(f".finding-name b:text-is('{name}')", timeout=30_000)
    assert len(keys) == 4
    assert len(set(keys)) == 1  # so no job was made twice
    page.said[:] = [line for line in page.said if not re.search("429|507|503", line)]


def test_a_server_that_went_away_is_told_and_waited_for(room, look, scans):
    page = look(f"{room.address}/?sort=-created")
    page.wait_for_selector(".finding")
    page.route("**/api/v1/jobs", lambda route: route.abort("connectionrefused"), times=1)
    page.set_input_files(FILES, [scans[3]])
    page.wait_for_selector(".work:has-text('does not answer')")
    page.click("text=Try now")
    page.wait_for_selector(f".finding-name b:text-is('{Path(scans[3]).name}')", timeout=30_000)
    too_large = {"title": "Too large", "status": 413}
    page.route("**/api/v1/jobs", lambda route: route.fulfill(status=413, json=too_large))
    page.set_input_files(FILES, [scans[3]])
    page.wait_for_selector(".work.failed:has-text('Too large')")
    assert page.locator("text=Try again").count() == 0
    page.said[:] = [line for line in page.said if not re.search("CONNECTION_REFUSED|413", line)]


def test_a_threshold_moved_beside_a_finding_decides_it_again_for_all_who_look(room, look):
    [screener] = room.get("/screeners")
    highest = room.get(f"/screeners/{screener['id']}/healthy")["scores"][-1]
    with room.store.write() as session:
        finding = session.query(models.Finding).order_by(models.Finding.p_value).first().id
        session.get(models.Finding, finding).score = (highest + screener["threshold"]) / 2
    page, other = (look(f"{room.address}/findings/{finding}") for _ in range(2))
    for shown in (page, other):
        shown.wait_for_selector(".verdict.abnormal")
    page.focus(".chart-threshold[role=slider]")
    page.keyboard.press("End")
    page.wait_for_selector(".preview :text('no longer')")
    page.click("text=Apply to this Screener")
    page.wait_for_selector(".toast:has-text('decided again')")
    for shown in (page, other):
        shown.wait_for_selector(".verdict.normal")
        shown.wait_for_selector(".verdict-decision:has-text('below the threshold')")
    assert room.get(f"/findings/{finding}")["screener"] != screener["id"]


def test_a_screener_is_added_made_the_default_retired_and_deleted(
    room, look, screener_file, described, tmp_path, monkeypatch
):
    def describe(file: Path, _seconds: float) -> dict[str, Any]:  # quicker than in a process of its own
        if file.stat().st_size < 100:
            raise CorruptArtefact("no zip")
        return dict(described)

    monkeypatch.setattr(screeners, "describe", describe)
    page = look(f"{room.address}/screeners")
    page.wait_for_selector(".card")
    no_screener = tmp_path / "no.atypia"
    no_screener.write_text("no Screener")
    page.set_input_files("input[accept='.atypia']", no_screener)
    page.wait_for_selector(".toast:has-text('Not a Screener')")
    added = Path(shutil.copy(screener_file, tmp_path / "ward 3.atypia"))
    with added.open("ab") as file:
        file.write(b"\0")  # another file
    page.set_input_files("input[accept='.atypia']", added)
    page.wait_for_selector(".toast:has-text('ward 3 is ready')")
    page.click(".card:has-text('ward 3')")
    page.click("text=Make it the default")
    page.wait_for_selector(".tag:text-is('default')")
    page.wait_for_selector("text=The default one cannot be retired or deleted")
    page.goto(f"{room.address}/screeners")
    page.click(".card:has-text('quick')")
    page.click("text=Delete it")
    page.click("dialog .danger")
    page.wait_for_selector(".toast:has-text('The Screener is needed')")
    page.click("text=Make it the default")
    page.wait_for_selector(".tag:text-is('default')")
    page.goto(f"{room.address}/screeners")
    page.click(".card:has-text('ward 3')")
    page.click("text=Retire it")
    page.wait_for_selector(".tag:text-is('retired')")
    page.click("text=Delete it")
    page.click("dialog .danger")
    page.wait_for_selector(".toast:has-text('was deleted')")
    page.locator(".card:has-text('ward 3')").wait_for(state="detached")
    page.said[:] = [line for line in page.said if not re.search("409|422|404", line)]


def test_where_signatures_are_demanded_the_page_asks_for_them_and_applies_no_threshold(
    room, look, screener_file, tmp_path
):
    page = look(f"{room.address}/screeners")
    about = {**room.get("/about"), "requires_signature": True}
    page.route("**/api/v1/about", lambda route: route.fulfill(json=about))
    sent: list[bytes] = []

    def refuse(route: Any) -> None:
        if route.request.method == "GET":
            return route.continue_()
        sent.append(route.request.post_data_buffer)
        return route.fulfill(status=403, json={"title": "Not signed", "status": 403, "detail": "No."})

    page.route("**/api/v1/screeners", refuse)
    page.reload()
    page.click("text=Add a Screener")
    assert page.is_disabled("dialog button:text-is('Add it')")
    (tmp_path / "a.minisig").write_text("a signature")
    page.set_input_files("dialog input[accept='.atypia']", screener_file)
    page.set_input_files("dialog input[accept='.minisig']", tmp_path / "a.minisig")
    page.click("dialog button:text-is('Add it')")
    page.wait_for_selector(".toast:has-text('Not signed')")
    assert b'name="signature"; filename="a.minisig"' in sent[0]
    page.click(".card >> nth=0")
    page.focus(".chart-threshold[role=slider]")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".preview:has-text('signed Screeners alone')")
    assert page.locator("text=Apply to this Screener").count() == 0
    page.said[:] = [line for line in page.said if "403" not in line]


def test_each_role_sees_what_it_may_do(room, look, violations):
    with room.store.write() as session:
        secrets = {role: tokens.add(session, f"Dr {role}", role, None)[1] for role in ("viewer", "admin")}
    page = look(room.address, color_scheme="dark")
    page.wait_for_selector("input[type=password]:focus")
    assert violations(page) == []
    page.keyboard.type(secrets["viewer"])
    page.keyboard.press("Enter")
    page.wait_for_selector(".who:has-text('Dr viewer')")
    page.wait_for_selector(".finding")
    assert page.locator("text=Judge scans").count() == 0
    page.click(".finding >> nth=0")
    page.wait_for_selector(".viewer[data-ready]")
    assert page.locator("text=Accept").count() == 0
    page.keyboard.press("a")
    page.wait_for_selector(".toast:has-text('may look, but not mark')")
    page.goto(f"{room.address}/access")
    page.wait_for_selector("text=You are here as a viewer")
    page.click("text=Sign out")
    page.wait_for_selector("input[type=password]:focus")
    page.keyboard.type(secrets["admin"])
    page.keyboard.press("Enter")
    page.click("tr:has-text('Dr viewer') >> text=Revoke")
    assert violations(page) == []
    page.click("dialog .danger")
    page.wait_for_selector("tr:has-text('Dr viewer'):has-text('revoked')")
    page.wait_for_selector("tr:has-text('Dr viewer'):has-text('finding.open')")
    page.said[:] = [line for line in page.said if not re.search("401", line)]
