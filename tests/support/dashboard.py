"""The real application with generated readings of both sites, and a Chromium that looks at it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from playwright.sync_api import Browser, Page, sync_playwright

from api.app import create_app
from api.server import ApiServer
from core.access import EVERYTHING
from core.clock import NS_PER_S, SystemClock, hour_of
from core.metrics import Metrics
from core.reading import Point
from core.settings import load_settings
from core.sinks import SINKS_FACT, SinkReport
from devices.registry import DeadLetter, Device, LedgerRow, Registry, WorkerStatus
from storage.backends.memory import MemoryStore
from tests.servers.availability import ServerUnavailableError, find_binary

# Without these Chromium asks addresses outside; its sandbox does not work for root.
_CHROMIUM_OPTIONS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]

MINUTE_NS = 60 * NS_PER_S
HOUR_NS = 60 * MINUTE_NS
ROUND_MS = 15_000
"""Longer than two rounds of the page, which asks every five seconds."""
HOSTILE = """<img src=x onerror="document.title='taken over'">"""


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Start the Chromium of this machine, without a window.

    Raises:
        ServerUnavailableError: there is none.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := find_binary(name))), None)
    if path is None:
        raise ServerUnavailableError(
            server="Chromium",
            tried=f"none of the programs {', '.join(names)} is on PATH",
            remedy="apt-get install chromium",
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_CHROMIUM_OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Pilot:
    """A platform whose registry and store a test fills by hand.

    Attributes:
        url: where it is served.
        key: a good API key.
        now_ns: when the generated readings end.
    """

    registry: Registry
    store: MemoryStore
    server: ApiServer
    app: Any
    url: str
    key: str
    now_ns: int = field(default_factory=SystemClock().now_ns)

    def device(self, device: str, *, site: str = "elgazala", **more: Any) -> None:
        fields = {"profile": "passerelle", "external_id": device, "interval_s": 60.0, **more}
        self.registry.devices.add(Device(id=device, site=site, **fields))

    def value(
        self,
        device: str,
        ago_ns: int,
        values: dict[str, float],
        *,
        site: str = "elgazala",
        category: str = "environment",
        quality: int = 0,
    ) -> None:
        point = Point(site, device, category, self.now_ns - ago_ns, values, quality)
        self.store.write([point])

    def account(self, site: str, **counts: int) -> None:
        """Publish one row of the ledger; `received` is what the counts make together."""
        fields = dict.fromkeys(("stored", "duplicate", "dead_lettered", "pending"), 0) | counts
        hour = hour_of(self.now_ns)
        received = sum(count for name, count in fields.items() if name != "missing")
        row = LedgerRow("worker-1", site, "any", hour, received=received, **fields)
        self.registry.ledger.publish([row])

    def worker(self, *, store: str = "", note: str = "", sinks: Sequence[SinkReport] = ()) -> None:
        """Report a worker: well, or not writing to the store, or with something to note."""
        letters = {"dead_letters": {"open": 4, "bytes": 4, "note": note}} if note else {}
        told = {SINKS_FACT: [msgspec.to_builtins(sink) for sink in sinks]}
        self.registry.workers.report(
            WorkerStatus(
                worker="worker-1",
                host="pilot",
                version="1",
                seen_ns=SystemClock().now_ns(),
                connected=True,
                store=store,
                spool_bytes=4096,
                spool_full=False,
                pending=3,
                facts=letters | told,
            )
        )

    def dead_letter(self, number: int, reason: str) -> None:
        self.registry.dead_letters.publish(
            [
                DeadLetter(
                    id=f"worker-1-{number}",
                    worker="worker-1",
                    scope="message",
                    reason=reason,
                    detail="a test",
                    site="elgazala",
                    device="elg-env-001",
                    profile="passerelle",
                    topic="t",
                    payload=b"{",
                    properties={},
                    received_ns=self.now_ns,
                )
            ]
        )

    def stop(self) -> None:
        self.server.stop()

    def start_again(self) -> None:
        """Serve again, on the same port."""
        port = int(self.url.rpartition(":")[2])
        self.server = ApiServer(self.app, "127.0.0.1", port)
        self.server.start()


@contextmanager
def running_pilot(directory: Path) -> Iterator[Pilot]:
    """Serve a platform with generated readings until the block ends."""
    settings = load_settings(data_dir=directory)
    clock = SystemClock()
    registry = Registry.open(settings.registry_url, clock=clock)
    registry.migrate()
    registry.seed([], [])
    store = MemoryStore()
    app = create_app(
        settings=settings, registry=registry, store=store, metrics=Metrics(), clock=clock
    )
    server = ApiServer(app, "127.0.0.1", 0)
    key, _ = registry.keys.create("reader", grants=EVERYTHING)
    pilot = Pilot(registry, store, server, app, server.start(), key)
    _fill(pilot)
    try:
        yield pilot
    finally:
        pilot.stop()
        store.close()
        registry.close()


def _fill(pilot: Pilot) -> None:
    pilot.device("elg-env-001", name="Salle de réunion", building="A", zone="A-101")
    pilot.device("elg-door-001", name="Porte du hall", interval_s=None)
    pilot.device("dmn-env-001", site="diamniadio", name=HOSTILE, building="<b>B</b>", zone="&amp;")
    for minutes in range(1, 24 * 60, 5):
        if not 8 * 60 <= minutes < 10 * 60:
            degrees = {"air_temperature": 20 + minutes % 7 / 2}
            pilot.value("elg-env-001", minutes * MINUTE_NS, degrees)
    latest = {"air_temperature": 21.4, "relative_humidity": 45.5, "barometric_pressure": 1013.25}
    pilot.value("elg-env-001", 20 * NS_PER_S, latest, quality=16)
    for minutes in range(0, 60, 4):
        opened = {"door_open": float(minutes % 8 == 0)}
        pilot.value("elg-door-001", minutes * MINUTE_NS, opened, category="access")
    pilot.value("dmn-env-001", MINUTE_NS, {"air_temperature": 31.0}, site="diamniadio")
    pilot.account("elgazala", stored=1190, duplicate=4, dead_lettered=5, pending=1)
    pilot.account("diamniadio", stored=50)
    for number in range(3):
        pilot.dead_letter(number, "malformed")
    pilot.dead_letter(3, "unknown_unit")
    pilot.worker()


@dataclass
class Reader:
    """A page on the dashboard, and what went wrong in it.

    Attributes:
        errors: lines of the console and exceptions; what was asked of anybody but the platform.
    """

    page: Page
    pilot: Pilot
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(15_000)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._request)

    def open(self, **chosen: str) -> None:
        """Open the dashboard with the key in the address, and with what is chosen there."""
        fragment = "&".join(f"{name}={value}" for name, value in chosen.items())
        self.page.goto(f"{self.pilot.url}/#key={self.pilot.key}&{fragment}")
        self.page.locator(".site").first.wait_for()

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def _request(self, request: Any) -> None:
        if not request.url.startswith(self.pilot.url):
            self.errors.append(f"asked {request.url}")


def hurry(page: Page) -> None:
    """Have the page ask at once, as when the machine is back on its network."""
    page.evaluate("dispatchEvent(new Event('online'))")


Open = Callable[..., Reader]


@contextmanager
def readers(browser: Browser, pilot: Pilot) -> Iterator[Open]:
    """Make readers, each with a browser profile of its own; none may have met an error."""
    opened: list[Reader] = []

    def make(*, faultless: bool = True, **options: object) -> Reader:
        context = browser.new_context(**{"locale": "en-GB", **options})  # type: ignore[arg-type]
        made = Reader(context.new_page(), pilot)
        opened.append(made)
        if not faultless:
            made.page.remove_listener("console", made._console)
        return made

    yield make
    for one in opened:
        one.page.context.close()
    assert [error for one in opened for error in one.errors] == []


CONTRASTS = """() => {
    const parse = (text) => {
        const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
        return { r, g, b, a };
    };
    const over = (top, under) => Object.fromEntries(
        ["r", "g", "b"].map((c) => [c, top[c] * top.a + under[c] * (1 - top.a)]));
    const light = ({ r, g, b }) => [r, g, b]
        .map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (node) => {
        const layers = [];
        for (let at = node; at; at = at.parentElement) {
            layers.push(parse(getComputedStyle(at).backgroundColor));
        }
        const white = { r: 255, g: 255, b: 255 };
        return layers.reverse().reduce((under, top) => over(top, under), white);
    };
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        const text = walker.currentNode.textContent.trim();
        if (!text || !node.checkVisibility() || node.closest("option, noscript")) continue;
        const style = getComputedStyle(node);
        const ground = behind(node);
        const ink = parse(node.namespaceURI.endsWith("svg") ? style.fill : style.color);
        const [a, b] = [light(over(ink, ground)), light(ground)].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) faint.push(`${text}: ${ratio.toFixed(2)}`);
    }
    return faint;
}"""
"""Return the texts whose contrast is below 4.5 (WCAG 2.2, 1.4.3, AA)."""
