"""The dashboard's pages about alerts in a real Chromium, with alerts that real rules raised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from alerts.lifecycle import people
from core.access import Grant, Role
from core.clock import NS_PER_S, SystemClock
from core.reading import Reading
from devices.registry.access_records import AuditFilter
from devices.registry.alert_records import AlertState, AttemptOutcome, RuleState
from tests.servers.missing import skipped_when_unavailable
from tests.servers.waiting import wait_until
from tests.support.dashboard import (
    CONTRASTS,
    HOSTILE,
    HOUR_NS,
    MINUTE_NS,
    ROUND_MS,
    Open,
    Pilot,
    Reader,
    hurry,
    readers,
    running_chromium,
    running_pilot,
)
from tests.support.judged import HOT, SILENT, Judged

pytestmark = pytest.mark.browser

TUNIS = ZoneInfo("Africa/Tunis")
SPACE = "[\u202f\u00a0 ]"
HOSTILE_RULE = f"""\
rule: hostile
title: {{en: "{HOSTILE.replace('"', "'")}", fr: "<b>chaud</b>"}}
severity: info
class: technical
select: {{site: diamniadio}}
when: {{threshold: {{quantity: air_temperature, above: 20}}}}
"""
PAGES = ("", "/rules/server-room-hot", "/silences", "/statistics")


@dataclass
class Ward:
    """A platform on which something is the matter.

    Attributes:
        hot: alert of a room that is too hot: critical, one channel failed, one delivered.
        silent: alert of a device that says nothing: a warning.
        hostile: alert whose texts try to be markup: info.
    """

    pilot: Pilot
    judged: Judged
    hot: str
    silent: str
    hostile: str


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
def ward(pilot: Pilot) -> Ward:
    judged = Judged(pilot.registry, SystemClock())
    judged.rule(reason="the room was too hot in July")
    judged.rule(HOT.replace("28 Cel", "28.5 Cel"), author="amina", reason="too early")
    judged.rule(SILENT)
    judged.rule(HOSTILE_RULE, author="<i>n.ba</i>", reason=HOSTILE)
    readings = [
        Reading("diamniadio", "dmn-env-001", "air_temperature", pilot.now_ns - 80 * MINUTE_NS, 31.0)
    ]
    for minute in range(120, 0, -1):
        at_ns = pilot.now_ns - minute * MINUTE_NS - 7 * NS_PER_S
        degrees = 24 + max(0, 60 - minute) / 8
        readings.append(Reading("elgazala", "elg-env-001", "air_temperature", at_ns, degrees))
        readings.append(Reading("elgazala", "elg-door-001", "door_open", at_ns, 0.0))
        pilot.value("elg-env-001", pilot.now_ns - at_ns, {"air_temperature": degrees})
    judged.judge(sorted(readings, key=lambda one: one.time_ns), since_ns=pilot.now_ns - 3 * HOUR_NS)
    hot = judged.alert("server-room-hot")
    mail, siren = sorted(judged.notices(hot), key=lambda notice: notice.channel == "siren")
    judged.attempted(siren, AttemptOutcome.REFUSED, "not authorised")
    judged.attempted(mail, AttemptOutcome.RETRY, "421 try later")
    judged.attempted(mail, AttemptOutcome.DELIVERED, "250 OK")
    silent = judged.alert("silent", "dmn-env-001").id
    return Ward(pilot, judged, hot.id, silent, judged.alert("hostile").id)


@pytest.fixture
def reader(browser: Browser, ward: Ward) -> Iterator[Open]:
    with readers(browser, ward.pilot) as make:
        yield make


def at(reader: Reader, path: str = "", *, ready: str = "[data-page] h2:visible") -> Page:
    """Open a page about alerts."""
    reader.page.goto(f"{reader.pilot.url}/#/alerts{path}?key={reader.pilot.key}")
    reader.page.locator(ready).first.wait_for()
    return reader.page


def test_open_alerts_stand_the_gravest_first_with_a_shape_and_a_word(
    reader: Open, ward: Ward
) -> None:
    page = at(reader(timezone_id="Asia/Tokyo"))
    listed = page.locator("tr[data-alert]")
    expect(listed).to_have_count(3)
    words = page.locator("tr[data-alert] .severity")
    expect(words).to_have_text(["Critical", "Warning", "Info"])
    shapes = {words.nth(place).locator("path").get_attribute("d") for place in range(3)}
    assert len(shapes) == 3
    hot = page.locator(f"tr[data-alert='{ward.hot}']")
    expect(hot.locator("a")).to_have_text("Server room too hot")
    expect(hot.locator(".place")).to_have_text("Elgazala · Salle de réunion")
    expect(hot.locator(".value")).to_have_text(re.compile(f"^28.\\d{SPACE}°C$"))
    expect(hot.locator(".class")).to_have_text("measured")
    began = ward.pilot.registry.alerts.get(ward.hot).at_ns // NS_PER_S
    local = datetime.fromtimestamp(began, tz=TUNIS)
    expect(hot.locator(".since")).to_contain_text(f"{local:%H:%M:%S} for ")
    expect(hot.locator(".stage")).to_have_text("firing")
    expect(page.locator(".alerts .count")).to_have_text("3 alerts")


def test_how_many_are_open_is_said_wherever_the_reader_is(reader: Open, ward: Ward) -> None:
    one = reader()
    one.open(device="elg-env-001")
    link = one.page.get_by_role("link", name="Alerts 3 open alerts")
    expect(link).to_be_visible()
    expect(one.page).to_have_title("(3) Passerelle")
    expect(one.page.get_by_role("link", name="Overview")).to_have_attribute("aria-current", "page")
    link.click()
    expect(one.page.locator("#alerts-title")).to_be_focused()
    expect(link).to_have_attribute("aria-current", "page")
    expect(one.page.locator("#board")).to_be_hidden()
    one.page.get_by_role("link", name="Server room too hot").press("Enter")
    expect(one.page.locator("#alert-title")).to_be_focused()
    expect(one.page.locator("#alert-title")).to_have_text("Server room too hot")
    one.page.go_back()
    expect(one.page.locator("#alerts-title")).to_be_focused()
    one.page.get_by_role("link", name="Overview").click()
    expect(one.page.locator("#device-title")).to_have_text("Salle de réunion")
    assert f"/{ward.hot}" not in one.page.url


def test_the_list_is_filtered_and_the_address_keeps_it(reader: Open, ward: Ward) -> None:
    page = at(reader())
    chosen = page.locator(".alerts")
    expect(page.locator("tr[data-alert]")).to_have_count(3)
    chosen.get_by_label("Severity").select_option("warning")
    expect(page.locator("tr[data-alert]")).to_have_count(1)
    assert page.url.endswith("#/alerts?severity=warning")
    page.reload()
    expect(page.locator("tr[data-alert]")).to_have_count(1)
    expect(chosen.get_by_label("Severity")).to_have_value("warning")
    chosen.get_by_label("Site").select_option("elgazala")
    expect(page.locator(".alerts .empty")).to_have_text("No alert matches.")
    chosen.get_by_label("Severity").select_option("")
    chosen.get_by_label("Site").select_option("diamniadio")
    chosen.get_by_label("Kind").select_option("technical")
    expect(page.locator(f"tr[data-alert='{ward.hostile}']")).to_be_visible()
    chosen.get_by_label("State").select_option("resolved")
    expect(page.locator("tr[data-alert]")).to_have_count(0)
    expect(page.locator(".badge")).to_contain_text("3")


def test_a_key_in_the_address_of_a_page_leaves_it_at_once(reader: Open) -> None:
    page = at(reader(), "/silences")
    assert page.url.endswith("#/alerts/silences")
    assert page.evaluate("sessionStorage['passerelle.key']") == reader().pilot.key


def test_an_alert_shows_why_with_limits_and_the_values_that_decided(
    reader: Open, ward: Ward
) -> None:
    page = at(reader(), f"/{ward.hot}", ready=".plot .span")
    why = page.locator(".why")
    expect(why.locator(".reasoning")).to_have_text(
        "air temperature above 28.5 °C, until it is back inside by 1 °C, for 2 min"
    )
    expect(why.locator(".span.critical .shade")).to_have_count(1)
    expect(why.locator(".limit text")).to_have_text(
        [re.compile(f"28.5{SPACE}°C"), re.compile(f"27.5{SPACE}°C")]
    )
    decided = why.locator(".decided").count()
    assert 0 < decided == page.locator(".deciding tbody tr").count()
    expect(why.locator("figcaption")).to_contain_text("times in Africa/Tunis (UTC+1)")
    shade = why.locator(".span .shade").bounding_box()
    ring = why.locator(".decided").last.bounding_box()
    assert shade is not None
    assert ring is not None
    assert ring["x"] < shade["x"] + shade["width"]
    expect(page.locator(".runbook")).to_contain_text("Look at the cooling unit; call facilities.")
    page.get_by_role("button", name="Français").click()
    expect(page.locator("#alert-title")).to_have_text("Salle serveur trop chaude")
    expect(why.locator(".reasoning")).to_contain_text("au-dessus de 28,5 °C", timeout=ROUND_MS)


def test_an_alert_shows_who_was_told_and_with_what_outcome(reader: Open, ward: Ward) -> None:
    page = at(reader(), f"/{ward.hot}", ready=".notices li")
    failed = page.locator(".notices > .failed")
    expect(failed).to_contain_text("siren")
    expect(failed.locator(".attempts li")).to_have_text(
        [re.compile("attempt 1, .*: refused not authorised")]
    )
    delivered = page.locator(".notices > .delivered")
    expect(delivered).to_contain_text("ward-mail delivered")
    expect(delivered.locator(".attempts li")).to_have_text(
        [re.compile("is tried again 421 try later"), re.compile("attempt 2, .*: delivered 250 OK")]
    )
    expect(page.locator(".timeline li b").last).to_have_text("Holds, not for long enough yet")


def test_an_alert_is_taken_on_with_a_note_and_given_back(reader: Open, ward: Ward) -> None:
    page = at(reader(), f"/{ward.hot}", ready=".acts")
    page.get_by_label("Acknowledge: you look after it").fill("on my way")
    page.keyboard.press("Enter")
    remark = page.locator(".alert .remarks .acknowledged")
    expect(remark).to_have_text(re.compile("^reader looks after it since .*on my way"))
    record = ward.pilot.registry.alerts.get(ward.hot)
    assert (record.state, record.acknowledged_note) == (AlertState.ACKNOWLEDGED, "on my way")
    expect(page.locator(".timeline .acknowledged")).to_contain_text("on my way")
    expect(page.locator(".acts .acknowledge")).to_be_hidden()
    page.get_by_role("button", name="Give it back").click()
    expect(remark).to_have_count(0)
    assert ward.pilot.registry.alerts.get(ward.hot).state == AlertState.FIRING


def test_what_cannot_be_done_any_more_is_said_beside_its_button(reader: Open, ward: Ward) -> None:
    page = at(reader(faultless=False), f"/{ward.hot}", ready=".acts .acknowledge button")
    note = page.get_by_label("Acknowledge: you look after it")
    note.fill("mine")
    page.route("**/v1/alerts/*", lambda route: route.abort())
    now_ns = SystemClock().now_ns()
    people.acknowledge(ward.pilot.registry, ward.hot, by="n.ba", now_ns=now_ns)
    page.get_by_role("button", name="Acknowledge").click()
    error = page.locator(".acknowledge .error")
    expect(error).to_contain_text("n.ba looks after alert")
    expect(note).to_have_value("mine")
    page.unroute_all(behavior="wait")


def test_an_alert_is_silenced_with_a_reason_and_the_silence_ended(reader: Open, ward: Ward) -> None:
    page = at(reader(), f"/{ward.hot}", ready=".acts")
    page.get_by_role("button", name="Silence", exact=True).click()
    assert ward.pilot.registry.silences.list() == []  # a reason is needed
    page.get_by_label("Silence it: why?").fill("the fan is changed")
    page.get_by_label("For how long").first.select_option("2h")
    page.get_by_role("button", name="Silence", exact=True).click()
    wait_until(lambda: bool(ward.pilot.registry.silences.list()), what="it is silenced")
    [silence] = ward.pilot.registry.silences.list()
    assert silence.reason == "the fan is changed"
    assert silence.end_ns - silence.start_ns == 2 * HOUR_NS
    ward.judged.lifecycle.tick()
    hurry(page)
    expect(page.locator(".alert .remarks .silenced")).to_contain_text("Silenced", timeout=ROUND_MS)
    page.get_by_role("button", name="End the silence").click()
    wait_until(
        lambda: bool(ward.pilot.registry.silences.get(silence.id).ended_by), what="it is ended"
    )


def test_who_may_only_look_on_has_no_buttons_and_is_refused_nothing(
    reader: Open, ward: Ward
) -> None:
    viewer = (Grant(role=Role.VIEWER, site="elgazala"),)
    ward.pilot.key, _ = ward.pilot.registry.keys.create("a display", grants=viewer)
    page = at(reader())
    expect(page.locator("tr[data-alert]")).to_have_count(1)
    page.get_by_role("link", name="Server room too hot").click()
    expect(page.locator(".why .limit")).to_have_count(2)
    expect(page.locator(".acts")).to_be_hidden()
    page.get_by_role("link", name="Rules").click()
    page.get_by_role("link", name="Server room too hot").click()
    expect(page.locator("#rule-title")).to_have_text("Server room too hot")
    expect(page.locator(".switch")).to_be_hidden()
    page.get_by_role("link", name="Silences").click()
    expect(page.locator(".silences .empty")).to_have_text("Nothing is silenced.")
    expect(page.locator(".planning")).to_be_hidden()
    expect(page.locator(".trouble:visible")).to_have_count(0)
    assert ward.pilot.registry.audit.list(AuditFilter()) == []


def test_a_rule_shows_its_words_and_every_version_and_is_switched_off(
    reader: Open, ward: Ward
) -> None:
    page = at(reader(), "/rules", ready="tr[data-rule]")
    row = page.locator("tr[data-rule=server-room-hot]")
    expect(row).to_contain_text("active")
    expect(row).to_contain_text("too early")
    row.get_by_role("link").click()
    expect(page.locator(".rule .condition")).to_contain_text("air temperature above 28.5 °C")
    expect(page.locator(".source")).to_contain_text("above: 28.5 Cel")
    page.get_by_role("button", name="Version 1").click()
    expect(page.locator("#rule-text-title")).to_have_text("Text of version 1")
    expect(page.locator(".source")).to_contain_text("above: 28 Cel")
    expect(page.locator(".versions li").nth(1)).to_contain_text("the room was too hot in July")
    page.get_by_label("Switch it off: why?").fill("the room is empty")
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("button", name="Switch on")).to_be_visible()
    expect(row).to_contain_text("switched off")
    newest = ward.pilot.registry.rules.get("server-room-hot")
    assert (newest.state, newest.reason) == (RuleState.DISABLED, "the room is empty")


def test_maintenance_is_planned_in_the_time_of_the_site_and_ended(reader: Open, ward: Ward) -> None:
    page = at(reader(timezone_id="Asia/Tokyo"), "/silences", ready=".planning")
    planning = page.locator(".planning")
    planning.get_by_label("Site").select_option("elgazala")
    expect(planning).to_contain_text("in the time of Africa/Tunis (UTC+1)")
    planning.get_by_label("Zone").fill("A-*, B-101")
    start = datetime.now(tz=TUNIS).replace(hour=7, minute=0, second=0, microsecond=0)
    start = start.replace(year=start.year + (start.month == 12), month=start.month % 12 + 1, day=1)
    planning.get_by_label("From").fill(f"{start:%Y-%m-%dT%H:%M}")
    planning.get_by_label("For how long").select_option("4h")
    planning.get_by_label("Why").fill(HOSTILE)
    planning.get_by_role("button", name="Plan it").click()
    card = page.locator("[data-silence]")
    expect(card).to_contain_text("site elgazala · zone A-*, B-101")
    expect(card.locator("q")).to_have_text(HOSTILE)
    [window] = ward.pilot.registry.silences.list()
    assert window.start_ns == round(start.timestamp()) * NS_PER_S
    assert window.end_ns - window.start_ns == 4 * HOUR_NS
    card.get_by_role("button", name="End it").click()
    expect(card).to_have_count(0)


def test_statistics_show_the_noisiest_and_how_soon_somebody_was_there(
    reader: Open, ward: Ward
) -> None:
    opened_ns = ward.pilot.registry.alerts.get(ward.hot).opened_ns
    people.acknowledge(ward.pilot.registry, ward.hot, by="n.ba", now_ns=opened_ns + 90 * NS_PER_S)
    page = at(reader(), "/statistics", ready=".noise dd")
    figures = page.locator(".noise dl")
    expect(figures.locator("[data-figure=half] dd")).to_have_text(re.compile(f"1{SPACE}min"))
    expect(figures.locator("[data-figure=open] dd")).to_have_text("3")
    expect(page.locator(".loud-subjects tbody tr")).to_have_count(1)
    expect(page.locator(".loud-rules tbody tr").first).to_contain_text("silent")
    page.get_by_text("7 d", exact=True).last.click()
    expect(page.get_by_role("radio", name="7 d").last).to_be_checked()
    page.get_by_role("link", name="server-room-hot").click()
    expect(page.locator("#rule-title")).to_have_text("Server room too hot")


def test_an_alarm_of_the_platform_itself_is_about_no_device(reader: Open, ward: Ward) -> None:
    facts = {"channel": "siren", "error": "refused"}
    ward.judged.lifecycle.platform("channel_down", "siren", active=True, facts=facts)
    down = ward.judged.alert("platform.channel_down")
    page = at(reader())
    expect(page.locator(f"tr[data-alert='{down.id}'] .place")).to_have_text("The platform · siren")
    page.locator(f"tr[data-alert='{down.id}'] a").click()
    expect(page.locator(".why dl")).to_have_text("channelsirenerrorrefused")
    expect(page.locator(".why .figures")).to_be_empty()
    expect(page.locator(".alert dl")).to_contain_text("UTC")


def test_an_alert_about_several_devices_has_a_curve_for_each(reader: Open, ward: Ward) -> None:
    ward.judged.rule(
        "rule: both\ntitle: {en: Both rooms, fr: Les deux}\nper: site\n"
        "select: {device: [elg-env-001, elg-env-002]}\n"
        "when: {count: {of: {threshold: {quantity: air_temperature, above: 25}}, at_least: 2}}\n"
    )
    ward.pilot.device("elg-env-002", name="Couloir")
    began_ns = ward.pilot.now_ns - 30 * MINUTE_NS
    readings = []
    for name in ("elg-env-001", "elg-env-002"):
        ward.pilot.value(name, 30 * MINUTE_NS, {"air_temperature": 27.5})
        readings.append(Reading("elgazala", name, "air_temperature", began_ns, 27.5))
    ward.judged.judge(readings, since_ns=began_ns - 1)
    page = at(reader(), f"/{ward.judged.alert('both').id}", ready=".figures .plot svg")
    expect(page.locator(".figures h3")).to_have_text(
        [re.compile("Air temperature · (Couloir|Salle de réunion)")] * 2
    )
    expect(page.locator(".figures .decided")).to_have_count(2)
    expect(page.locator(".figures .limit")).to_have_count(2)


def test_what_people_wrote_is_text_and_never_markup(reader: Open, ward: Ward) -> None:
    now_ns = SystemClock().now_ns()
    people.acknowledge(ward.pilot.registry, ward.hostile, by=HOSTILE, note=HOSTILE, now_ns=now_ns)
    page = at(reader(), f"/{ward.hostile}", ready=".remarks .acknowledged")
    expect(page.locator("#alert-title")).to_have_text(HOSTILE.replace('"', "'"))
    expect(page.locator(".remarks .acknowledged q")).to_have_text(HOSTILE)
    expect(page.locator(".alert .place")).to_contain_text(HOSTILE)
    page.get_by_role("link", name="hostile 1").click()
    expect(page.locator("#rule-title")).to_have_text(HOSTILE.replace('"', "'"))
    expect(page.locator(".versions")).to_contain_text("<i>n.ba</i>")
    expect(page).to_have_title("(3) Passerelle")
    assert page.locator("img").count() == 0


def test_new_alerts_come_by_themselves_and_nothing_is_rebuilt(reader: Open, ward: Ward) -> None:
    page = at(reader())
    expect(page.locator("tr[data-alert]")).to_have_count(3)
    page.evaluate("for (const row of document.querySelectorAll('tr[data-alert]')) row.kept = true")
    door = "rule: door\ntitle: {en: Door, fr: Porte}\nseverity: critical\n"
    ward.judged.rule(door + "when: {threshold: {quantity: door_open, above: 0.5}}\n")
    opened = Reading(
        "elgazala", "elg-door-001", "door_open", SystemClock().now_ns() - NS_PER_S, 1.0
    )
    ward.judged.judge([opened], since_ns=opened.time_ns - 1)
    hurry(page)
    expect(page.locator("tr[data-alert]")).to_have_count(4, timeout=ROUND_MS)
    expect(page.locator("tr[data-alert] a").first).to_have_text("Door")
    expect(page.locator(".badge")).to_contain_text("4")
    kept = page.evaluate("[...document.querySelectorAll('tr[data-alert]')].filter((r) => r.kept)")
    assert len(kept) == 3


def test_a_part_that_cannot_be_asked_says_why_and_the_others_go_on(
    reader: Open, ward: Ward
) -> None:
    one = reader(faultless=False)
    problem = {"type": "urn:passerelle:problem:store_unavailable", "detail": "store asleep"}
    one.page.route("**/explain*", lambda route: route.fulfill(status=503, json=problem))
    page = at(one, f"/{ward.hot}", ready=".why .trouble")
    expect(page.locator(".why .trouble")).to_have_text("Not up to date: store asleep")
    expect(page.locator("#alert-title")).to_have_text("Server room too hot")
    expect(page.locator(".told .trouble")).to_be_hidden()
    page.unroute_all(behavior="wait")
    hurry(page)
    expect(page.locator(".why .trouble")).to_be_hidden(timeout=ROUND_MS)
    expect(page.locator(".why .plot .line")).to_have_count(1)


def test_the_curve_of_a_device_shows_when_its_alerts_fired(reader: Open, ward: Ward) -> None:
    one = reader()
    one.open(device="elg-env-001", quantity="air_temperature", range="24h")
    chart = one.page.locator(".device .plot")
    expect(chart.locator(".span.critical")).to_have_count(1)
    expect(one.page.locator(".device figcaption")).to_contain_text("shaded: alerts")
    one.page.locator("#device-quantity").select_option("relative_humidity")
    expect(chart.locator(".lone")).to_have_count(1)
    expect(chart.locator(".span")).to_have_count(0)
    link = at(one, f"/{ward.hot}", ready=".alert dl a").get_by_role("link", name="Salle de réunion")
    link.click()
    expect(one.page.locator("#device-quantity")).to_have_value("air_temperature")


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_runs_over_the_edge(reader: Open, ward: Ward, width: int) -> None:
    one = reader(locale="fr-TN", viewport={"width": width, "height": 800})
    for path in (*PAGES, f"/{ward.hostile}", f"/{ward.hot}"):
        page = at(one, path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_and_every_control_has_a_name(
    reader: Open, ward: Ward, scheme: str
) -> None:
    one = reader(color_scheme=scheme)
    people.acknowledge(
        ward.pilot.registry, ward.silent, by="n.ba", note="?", now_ns=SystemClock().now_ns()
    )
    for path in (*PAGES, f"/{ward.hot}", f"/{ward.silent}"):
        page = at(one, path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate(CONTRASTS) == [], path
        assert page.evaluate(NAMELESS) == [], path
        expect(page.locator("main h2:visible").first).to_be_attached()


def test_the_way_past_the_head_leads_to_the_page_that_is_shown(reader: Open) -> None:
    page = at(reader(), "/rules", ready="tr[data-rule]")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("#rules-title")).to_be_visible()


NAMELESS = """() => [...document.querySelectorAll("input, select, button, a, [tabindex='0']")]
    .filter((node) => node.checkVisibility())
    .filter((node) => !(node.labels?.length || node.getAttribute("aria-label")
        || node.getAttribute("aria-labelledby") || node.textContent.trim()))
    .map((node) => node.outerHTML)"""
"""Return the controls in sight that a screen reader could not name."""
