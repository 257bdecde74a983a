"""The dashboard in a real Chromium, against the real API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from core.access import Grant, Role
from core.clock import NS_PER_S, SystemClock
from core.quantities import CATALOGUE
from core.sinks import CircuitState, SinkReport
from devices.registry.access_records import AuditFilter
from tests.servers.missing import skipped_when_unavailable
from tests.servers.waiting import wait_until
from tests.support.dashboard import (
    CONTRASTS,
    HOSTILE,
    ROUND_MS,
    Open,
    Pilot,
    hurry,
    readers,
    running_chromium,
    running_pilot,
)

pytestmark = pytest.mark.browser

TUNIS = ZoneInfo("Africa/Tunis")
SPACE = "[\u202f\u00a0 ]"


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    with skipped_when_unavailable(pytestconfig):
        running = running_chromium()
        started = running.__enter__()
    yield started
    running.__exit__(None, None, None)


@pytest.fixture
def pilot(tmp_path: Path) -> Iterator[Pilot]:
    with running_pilot(tmp_path) as running:
        yield running


@pytest.fixture
def reader(browser: Browser, pilot: Pilot) -> Iterator[Open]:
    with readers(browser, pilot) as make:
        yield make


def device_panel(page: Page) -> None:
    expect(page.locator("#device-title")).to_have_text("Salle de réunion")


def test_values_appear_with_their_units_and_ages(reader: Open) -> None:
    one = reader()
    one.open(device="elg-env-001")
    row = one.page.locator("tr[data-device=elg-env-001]")
    expect(row.locator(".chip").nth(0)).to_have_text(re.compile(f"Air temperature 21.4{SPACE}°C"))
    expect(row.locator(".chip").nth(1)).to_have_text(re.compile(f"45.5{SPACE}%"))
    expect(row.locator(".age")).to_have_text(re.compile(rf"\d+{SPACE}(s|min)$"))
    expect(row.locator(".place")).to_have_text("Elgazala · A-101")
    values = one.page.locator(".values tbody tr")
    expect(values).to_have_count(3)
    expect(values.nth(2)).to_contain_text(re.compile(f"Air pressure.*1,013.3{SPACE}hPa"))
    expect(values.nth(0)).to_contain_text("simulated")


def test_each_site_shows_the_account_of_its_messages(reader: Open) -> None:
    one = reader()
    one.open()
    elgazala = one.page.locator("[data-site=elgazala]")
    expect(elgazala.locator(".equation")).to_have_text(
        "1,200 received = 1,190 stored + 4 duplicate + 5 dead-lettered + 1 pending"
    )
    expect(elgazala.locator(".verdict.balanced")).to_have_text("Every message is accounted for")
    expect(one.page.locator("[data-site=diamniadio] .term.received b")).to_have_text("50")
    expect(one.page.locator("[data-site=unassigned]")).to_have_count(0)


def test_messages_that_never_came_stand_beside_the_account(reader: Open, pilot: Pilot) -> None:
    pilot.account("diamniadio", stored=20, missing=1234)
    one = reader()
    one.open()
    site = one.page.locator("[data-site=diamniadio]")
    expect(site.locator(".missing")).to_have_text("1,234 messages never received")
    expect(site.locator(".verdict.balanced")).to_be_visible()
    expect(one.page.locator("[data-site=elgazala] .missing")).to_have_text(
        "None missing by the devices' counters"
    )
    one.page.get_by_role("button", name="Français").click()
    expect(site.locator(".missing")).to_have_text(
        re.compile(f"^1{SPACE}234 messages jamais reçus$")
    )


def test_an_account_that_does_not_add_up_is_said(reader: Open, pilot: Pilot) -> None:
    pilot.account("unassigned", dead_lettered=7)
    one = reader()

    def spoil(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        body = answer.json()
        for row in body["rows"]:
            if row["site"] == "elgazala":
                row["stored"] -= 2
                row["balanced"] = False
        route.fulfill(response=answer, json=body)  # type: ignore[attr-defined]

    one.page.route("**/v1/completeness*", spoil)
    one.open()
    verdict = one.page.locator("[data-site=elgazala] .verdict.broken")
    expect(verdict).to_have_text("2 messages do not add up")
    expect(one.page.locator("[data-site=unassigned] h3")).to_have_text("Without a site")
    one.page.unroute_all(behavior="wait")


def test_the_language_is_the_browsers_and_a_choice_is_remembered(reader: Open) -> None:
    one = reader(locale="fr-SN")
    one.open(device="elg-env-001")
    page = one.page
    title = page.locator("#devices-title")
    expect(title).to_have_text("Appareils")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator(".values tbody tr").nth(0)).to_contain_text(
        re.compile(f"Température de l'air.*21,4{SPACE}°C")
    )
    page.get_by_role("button", name="English").click()
    expect(title).to_have_text("Devices")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator(".values tbody tr").nth(0)).to_contain_text("Air temperature")
    expect(page.locator("#device-quantity option").nth(1)).to_have_text("Relative humidity")
    page.reload()
    expect(title).to_have_text("Devices")


def test_a_browser_of_another_language_is_spoken_to_in_french(reader: Open) -> None:
    one = reader(locale="de-DE")
    one.page.goto(one.pilot.url)
    expect(one.page.locator("#gate-title")).to_have_text("Ouvrir le tableau de bord")


def test_times_are_in_the_sites_zone_wherever_the_browser_is(reader: Open, pilot: Pilot) -> None:
    one = reader(timezone_id="Asia/Tokyo")
    one.open(device="elg-env-001")
    page = one.page
    measured = datetime.fromtimestamp((pilot.now_ns - 20 * NS_PER_S) // NS_PER_S, tz=TUNIS)
    expect(page.locator(".values tbody tr").nth(0)).to_contain_text(f"{measured:%H:%M:%S}")

    def shows_local_time(site: str, zone: ZoneInfo) -> bool:
        shown = page.locator(f"[data-site={site}] time").inner_text()
        local = datetime.now(tz=UTC).astimezone(zone)
        seconds = local.hour * 3600 + local.minute * 60 + local.second
        hours, minutes, rest = (int(part) for part in shown.split(":"))
        return abs(seconds - (hours * 3600 + minutes * 60 + rest)) <= 3

    for site, zone in (("elgazala", TUNIS), ("diamniadio", ZoneInfo("Africa/Dakar"))):
        wait_until(
            lambda site=site, zone=zone: shows_local_time(site, zone),  # type: ignore[misc]
            what=f"{site} shows its local time",
        )
    expect(page.locator("[data-site=elgazala] .zone")).to_have_text("Africa/Tunis · UTC+1")
    expect(page.locator("figcaption")).to_contain_text("times in Africa/Tunis (UTC+1)")
    midnights = page.locator(".plot .midnight text")
    expect(midnights).to_have_count(1)
    local = datetime.fromtimestamp(pilot.now_ns // NS_PER_S, tz=TUNIS)
    expect(midnights).to_have_text(re.compile(f"^{local.day} "))


def test_a_gap_is_a_gap_in_the_line(reader: Open) -> None:
    one = reader()
    one.open(device="elg-env-001", quantity="air_temperature", range="24h")
    expect(one.page.locator(".plot .line")).to_have_count(2)
    expect(one.page.locator(".plot .gap")).to_have_count(1)
    expect(one.page.locator(".plot svg")).to_have_attribute("aria-label", re.compile("1 gaps"))
    expect(one.page.locator("figcaption")).to_contain_text("1 gap")
    expect(one.page.locator(".plot .unit")).to_have_text("°C")


def test_another_range_and_quantity_can_be_chosen_and_stand_in_the_address(reader: Open) -> None:
    one = reader()
    one.open(device="elg-door-001")
    page = one.page
    page.locator("#device-range").get_by_text("1 h").click()
    expect(page.locator("figcaption")).to_contain_text("every value as it was measured")
    expect(page.locator(".plot .value text")).to_have_text(["no", "yes"])
    page.locator("tr[data-device=elg-env-001]").click()
    device_panel(page)
    page.locator("#device-quantity").select_option("relative_humidity")
    expect(page.locator(".plot .lone")).to_have_count(1)
    page.locator("#device-range").get_by_text("7 d").click()
    expect(page.locator("figcaption")).to_contain_text("mean of every 30")
    for choice in ("device=elg-env-001", "quantity=relative_humidity", "range=7d"):
        assert choice in page.url
    page.reload()
    device_panel(page)
    expect(page.locator("#device-quantity")).to_have_value("relative_humidity")


def test_the_chart_is_read_out_by_pointer_and_by_keyboard(reader: Open) -> None:
    one = reader()
    one.open(device="elg-env-001", range="24h")
    page = one.page
    expect(page.locator(".plot .line").first).to_be_attached()
    page.locator(".plot").hover()
    expect(page.locator(".reading")).to_contain_text("°C")
    page.mouse.move(0, 0)
    expect(page.locator(".reading")).to_be_hidden()
    scrub = page.get_by_label("Read the chart point by point")
    scrub.focus()
    last = scrub.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowLeft")
    assert last is not None
    expect(scrub).not_to_have_attribute("aria-valuetext", last)
    expect(page.locator(".reading")).to_be_visible()


def test_the_key_leaves_the_address_at_once_and_stays_in_the_tab(reader: Open) -> None:
    one = reader()
    one.open(range="1h")
    page = one.page
    expect(page.locator("#board")).to_be_visible()
    assert "key" not in page.url
    stored = page.evaluate("[sessionStorage['passerelle.key'], JSON.stringify(localStorage)]")
    assert stored[0] == one.pilot.key
    assert one.pilot.key not in stored[1]
    page.get_by_role("button", name="Forget the key").click()
    expect(page.get_by_label("API key")).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0


def test_what_was_shown_to_one_key_is_not_shown_to_the_next(reader: Open, pilot: Pilot) -> None:
    one = reader(faultless=False)
    one.open()
    page = one.page
    expect(page.locator("tr[data-device=dmn-env-001]")).to_have_count(1)
    pilot.registry.keys.revoke(pilot.registry.keys.list()[0].id)
    expect(page.locator("#gate")).to_be_visible(timeout=ROUND_MS)
    page.route("**/v1/**", lambda route: route.abort())  # what is there now came before
    narrow, _ = pilot.registry.keys.create("one site", grants=[Grant(Role.VIEWER, "elgazala")])
    page.get_by_label("API key").fill(narrow)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#board")).to_be_visible()
    expect(page.locator("tr[data-device]")).to_have_count(0)
    page.unroute("**/v1/**")
    expect(page.locator("tr[data-device=elg-env-001]")).to_have_count(1, timeout=ROUND_MS)
    expect(page.locator("tr[data-device=dmn-env-001]")).to_have_count(0)


@pytest.mark.parametrize("wrong", ["psl_wrong_wrong", "clé", "'; DROP TABLE keys"])
def test_a_bad_key_is_asked_for_again(reader: Open, wrong: str) -> None:
    one = reader(faultless=False)
    page = one.page
    page.goto(one.pilot.url)
    field = page.get_by_label("API key")
    expect(field).to_be_focused()
    field.fill(wrong)
    page.keyboard.press("Enter")
    expect(page.locator("#gate-error")).to_have_text("This key is not known, or it was revoked.")
    expect(page.locator("#board")).to_be_hidden()
    field.fill(one.pilot.key)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("[data-site=elgazala] h3")).to_have_text("Elgazala")
    expect(page.locator("#gate")).to_be_hidden()


def test_a_key_that_is_revoked_meanwhile_is_asked_for_again(reader: Open, pilot: Pilot) -> None:
    one = reader(faultless=False)
    one.open()
    expect(one.page.locator("tr[data-device]")).to_have_count(3)
    pilot.registry.keys.revoke(pilot.registry.keys.list()[0].id)
    expect(one.page.locator("#gate-error")).to_have_text(re.compile("revoked"), timeout=ROUND_MS)
    expect(one.page.locator("#board")).to_be_hidden()


def test_names_are_text_and_never_markup(reader: Open, pilot: Pilot) -> None:
    pilot.worker(store=HOSTILE)
    one = reader(faultless=False)
    one.open(device="dmn-env-001")
    page = one.page
    expect(page.locator("#device-title")).to_have_text(HOSTILE)
    expect(page.locator("tr[data-device=dmn-env-001] .name")).to_have_text(HOSTILE)
    expect(page.locator(".device .place")).to_contain_text("Diamniadio · <b>B</b> · &amp;")
    expect(page.locator(".health .workers .reason")).to_contain_text(HOSTILE)
    expect(page).to_have_title("Passerelle")
    assert page.locator("img").count() == 0
    refused = page.evaluate(
        "() => { try { document.body.innerHTML = '<p>'; } catch (error) { return error.name; } }"
    )
    assert refused == "TypeError"


def test_further_sinks_are_shown_with_what_waits_and_what_they_missed(
    reader: Open, pilot: Pilot
) -> None:
    now_ns = SystemClock().now_ns()
    store = SinkReport(name="store", state=CircuitState.CLOSED, since_ns=now_ns)
    away = SinkReport(
        name="archive",
        state=CircuitState.OPEN,
        reason="no space left",
        since_ns=now_ns - 120 * NS_PER_S,
        lag_messages=1,
        lag_bytes=2048,
        lag_s=60.0,
    )
    gaps = SinkReport(
        name="park",
        state=CircuitState.CLOSED,
        since_ns=now_ns,
        missed_messages=7,
        missed_points=7,
        missed_since_ns=now_ns,
        missed_until_ns=now_ns,
    )
    pilot.worker(sinks=[store])
    one = reader()
    one.open()
    expect(one.page.locator(".health .workers li")).to_have_count(1)
    expect(one.page.locator(".health .sinks")).to_be_hidden()
    pilot.worker(sinks=[store, away, gaps])
    lines = one.page.locator(".health .sinks li")
    expect(lines).to_have_count(3, timeout=ROUND_MS)
    expect(lines.nth(0)).to_contain_text("worker-1 → store")
    expect(lines.nth(1)).to_have_class("down")
    expect(lines.nth(1)).to_contain_text("waits for the next attempt")
    expect(lines.nth(1)).to_contain_text("1 message waiting")
    expect(lines.nth(1).locator(".reason")).to_have_text("no space left")
    expect(lines.nth(2)).to_contain_text("7 messages missed")
    french = reader(locale="fr-FR")
    french.open()
    expect(french.page.locator(".health .sinks li").nth(1)).to_contain_text(
        "attend le prochain essai"
    )
    expect(french.page.get_by_text("Destinations")).to_be_visible()


def test_the_list_is_filtered_by_site_and_by_what_is_searched(reader: Open) -> None:
    one = reader()
    one.open()
    page = one.page
    rows = page.locator("tr[data-device]")
    expect(rows).to_have_count(3)
    expect(page.locator(".devices .count")).to_have_text("3 devices")
    page.locator("#devices-site").select_option("elgazala")
    expect(rows).to_have_count(2)
    page.get_by_role("searchbox").fill("hall")
    expect(rows).to_have_count(1)
    expect(page.locator(".devices .count")).to_have_text("1 device")
    page.get_by_role("searchbox").fill("nothing is called that")
    expect(page.locator(".devices .empty")).to_have_text("No device matches.")


def test_only_devices_in_sight_are_asked_about(reader: Open, pilot: Pilot) -> None:
    for number in range(40):
        pilot.device(f"many-{number:03}", name=f"Capteur {number}")
    one = reader()
    asked: set[str] = set()
    one.page.on("request", lambda request: asked.add(request.url))
    one.open()
    page = one.page
    expect(page.locator("tr[data-device]")).to_have_count(30)
    expect(page.locator("tr[data-device=elg-env-001] .chip")).to_have_count(3)
    assert not any("many-026/latest" in url for url in asked)
    more = page.get_by_role("button", name="Show more")
    more.scroll_into_view_if_needed()
    expect(page.locator("tr[data-device=many-026] .age")).to_have_text("no value yet")
    more.click()
    expect(page.locator("tr[data-device]")).to_have_count(43)
    expect(more).to_be_hidden()


def test_dead_letters_are_counted_by_reason(reader: Open) -> None:
    one = reader()
    one.open()
    letters = one.page.locator(".letters")
    expect(letters.locator(".count")).to_have_text("4 open")
    expect(letters.locator("tbody tr").nth(0)).to_have_text(
        re.compile(r"Cut short or malformed malformed\s*300")
    )
    expect(letters.locator("tbody tr")).to_have_count(2)


def test_who_may_only_look_on_sees_everything_but_dead_letters_and_is_refused_nothing(
    reader: Open, pilot: Pilot
) -> None:
    viewer = (Grant(role=Role.VIEWER, site="elgazala"),)
    pilot.key, _ = pilot.registry.keys.create("a display", grants=viewer)
    one = reader()
    one.open()
    expect(one.page.locator(".site")).to_have_count(1)
    expect(one.page.locator("tr[data-device]").first).to_be_visible()
    expect(one.page.locator(".device svg").first).to_be_visible()
    expect(one.page.locator(".letters")).to_be_hidden()
    expect(one.page.locator(".trouble:visible")).to_have_count(0)
    assert pilot.registry.audit.list(AuditFilter()) == []


def test_a_part_that_is_down_is_named_with_its_reason(reader: Open, pilot: Pilot) -> None:
    one = reader(faultless=False)
    one.open()
    expect(one.page.locator("#pill.up")).to_have_text("Everything works")
    pilot.worker(store="the disk is full")
    hurry(one.page)
    expect(one.page.locator("#pill.down")).to_have_text("Down: Ingest", timeout=ROUND_MS)
    expect(one.page.locator(".parts li.down .reason")).to_contain_text("the disk is full")


def test_a_worker_whose_dead_letters_fill_up_is_to_be_looked_at(reader: Open, pilot: Pilot) -> None:
    one = reader()
    one.open()
    pilot.worker(note="its dead letters hold 600 bytes, 60% of dead_letters.max_bytes")
    hurry(one.page)
    worker = one.page.locator(".workers li.noted")
    expect(worker.locator(".state")).to_have_text("look at it", timeout=ROUND_MS)
    expect(worker.locator(".reason")).to_contain_text("60% of dead_letters.max_bytes")
    expect(one.page.locator("#pill.up")).to_have_text("Everything works")


def test_new_values_come_by_themselves_and_nothing_is_rebuilt(reader: Open, pilot: Pilot) -> None:
    one = reader()
    one.open(device="elg-env-001")
    page = one.page
    value = page.locator("tr[data-device=elg-env-001] .chip b").nth(0)
    expect(value).to_have_text(re.compile("21.4"))
    page.evaluate("for (const row of document.querySelectorAll('tr[data-device]')) row.kept = true")
    pilot.value("elg-env-001", -NS_PER_S, {"air_temperature": 24.9})
    expect(value).to_have_text(re.compile("24.9"), timeout=ROUND_MS)
    rows = page.evaluate(
        "[...document.querySelectorAll('tr[data-device]')].map((row) => row.kept === true)"
    )
    assert all(rows)


def test_an_api_out_of_reach_is_said_and_its_return_too(reader: Open, pilot: Pilot) -> None:
    one = reader(faultless=False)
    one.open(device="elg-env-001")
    page = one.page
    device_panel(page)
    pilot.stop()
    hurry(page)
    notice = page.locator("#connection")
    expect(notice).to_have_text(re.compile("cannot be reached"), timeout=ROUND_MS)
    expect(page.locator("#pill.unreachable")).to_be_visible()
    device_panel(page)
    pilot.start_again()
    hurry(page)
    expect(notice).to_have_text(re.compile("answers again"), timeout=ROUND_MS)
    expect(page.locator("#pill.unreachable")).to_have_count(0)
    expect(notice).to_be_hidden(timeout=ROUND_MS)


def test_a_store_that_is_down_is_said_where_it_matters(reader: Open) -> None:
    one = reader(faultless=False)
    one.page.route(
        "**/v1/readings*",
        lambda route: route.fulfill(
            status=503,
            json={"type": "urn:passerelle:problem:store_unavailable", "detail": "store asleep"},
        ),
    )
    one.open(device="elg-env-001")
    trouble = one.page.locator(".device > .trouble")
    expect(trouble).to_have_text("Not up to date: store asleep")
    expect(one.page.locator(".devices .trouble")).to_be_hidden()
    expect(one.page.locator("#connection")).to_be_hidden()
    one.page.unroute_all(behavior="wait")
    hurry(one.page)
    expect(trouble).to_be_hidden(timeout=ROUND_MS)


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("locale", ["fr-TN", "en-GB"])
def test_nothing_runs_over_the_edge(reader: Open, width: int, locale: str) -> None:
    one = reader(locale=locale, viewport={"width": width, "height": 800})
    one.open(device="dmn-env-001")
    expect(one.page.locator(".plot svg")).to_be_visible()
    assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_on_a_phone_a_chosen_device_comes_into_view(reader: Open) -> None:
    one = reader(viewport={"width": 390, "height": 844}, has_touch=True)
    one.open()
    one.page.locator("tr[data-device=elg-env-001]").tap()
    expect(one.page.locator("#device-title")).to_be_in_viewport()
    expect(one.page.locator("#device-title")).to_have_text("Salle de réunion")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(reader: Open, scheme: str) -> None:
    one = reader(color_scheme=scheme)
    one.open(device="elg-env-001")
    expect(one.page.locator(".plot .line").first).to_be_attached()
    expect(one.page.locator(".letters tbody tr").first).to_be_visible()
    assert one.page.evaluate(CONTRASTS) == []


def test_every_control_has_a_name_and_every_region_too(reader: Open) -> None:
    one = reader()
    one.open(device="elg-env-001")
    page = one.page
    expect(page.locator(".plot svg")).to_be_visible()
    for role in ("banner", "main", "search", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    for name in ("Devices", "Health", "Dead letters", "Sites", "Salle de réunion"):
        region = page.get_by_role("region", name=name, exact=True)
        expect(region.first).to_be_attached()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input, select, button, [tabindex='0']")]
            .filter((node) => !(node.labels?.length || node.getAttribute("aria-label")
                || node.getAttribute("aria-labelledby") || node.textContent.trim()))
            .map((node) => node.outerHTML)"""
    )
    assert nameless == []


def test_marks_of_a_time_axis_stand_at_round_local_times(reader: Open) -> None:
    """Also over the night when Paris sets its clocks back: 25 hours, each mark at its hour."""
    one = reader()
    one.page.goto(one.pilot.url)
    marks = one.page.evaluate(
        """async () => {
            const { timeMarks } = await import("/dashboard/script/axes.js");
            const from = Date.parse("2026-10-24T22:00:00Z");
            const marks = timeMarks(from, from + 25 * 3600e3, "Europe/Paris", 9);
            return marks.map(({ ms, midnight }) => [new Date(ms).toISOString(), midnight]);
        }"""
    )
    local = [datetime.fromisoformat(text).astimezone(ZoneInfo("Europe/Paris")) for text, _ in marks]
    assert [moment.hour for moment in local] == [0, 3, 6, 9, 12, 15, 18, 21, 0]
    assert [midnight for _, midnight in marks] == [True, *[False] * 7, True]


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [(20, 23, [20, 21, 22, 23]), (0.11, 0.29, [0.1, 0.15, 0.2, 0.25, 0.3]), (5, 5, None)],
)
def test_marks_of_a_value_axis_are_round_numbers_around_the_values(
    reader: Open, low: float, high: float, marks: list[float] | None
) -> None:
    one = reader()
    one.page.goto(one.pilot.url)
    axis = one.page.evaluate(
        """async ([low, high]) => {
            const { valueAxis } = await import("/dashboard/script/axes.js");
            return valueAxis(low, high, 5);
        }""",
        [low, high],
    )
    assert axis["low"] <= low
    assert axis["high"] >= high
    assert axis["low"] < axis["high"]
    assert marks is None or axis["marks"] == pytest.approx(marks)


def test_every_unit_of_the_catalogue_is_written_for_people(reader: Open) -> None:
    one = reader()
    one.page.goto(one.pilot.url)
    units = sorted({quantity.unit for quantity in CATALOGUE.values()})
    written = one.page.evaluate(
        """async (units) => {
            const { unitText } = await import("/dashboard/script/numbers.js");
            const { loadLanguages } = await import("/dashboard/script/language.js");
            await loadLanguages();
            return units.map(unitText);
        }""",
        units,
    )
    shown = dict(zip(units, written, strict=True))
    assert [unit for unit, text in shown.items() if re.search(r"[\[\]{}.]|Cel|\d", text)] == []
    assert (shown["Cel"], shown["ug/m3"], shown["{people}"]) == ("°C", "µg/m³", "people")


def test_points_apart_by_more_than_is_usual_are_cut(reader: Open) -> None:
    one = reader()
    one.page.goto(one.pilot.url)
    pieces, gaps = one.page.evaluate(
        """async () => {
            const { cut } = await import("/dashboard/script/series.js");
            const points = [0, 60, 121, 600, 660, 2000].map((s) => ({ ms: s * 1000 }));
            const made = cut(points, { interval_s: 60 }, { from: 0, to: 2050e3 }, 2.5);
            return [made.pieces.map((piece) => piece.length), made.gaps];
        }"""
    )
    assert pieces == [3, 2, 1]
    assert gaps == [{"from": 121_000, "to": 600_000}, {"from": 660_000, "to": 2_000_000}]
