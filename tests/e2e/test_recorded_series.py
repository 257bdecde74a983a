"""Real sensors, recorded by others: every row of the files is found by a query, in Celsius.

The files are of the Numenta Anomaly Benchmark and are not part of this repository: they are looked
for in `PASSERELLE_NAB_DIR`, or in `../shared/data/nab` beside it.
"""

from __future__ import annotations

import csv
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support.account import Api
from tests.support.programs import ROOT
from tests.support.site import Site, finish

DIRECTORY = Path(os.environ.get("PASSERELLE_NAB_DIR", ROOT.parent / "shared" / "data" / "nab"))
SERIES = {
    "office": ("ambient_temperature_system_failure.csv", "air_temperature"),
    "machine": ("machine_temperature_system_failure.csv", "machine_temperature"),
}
WHOLE = {"from": "2013-01-01T00:00:00Z", "to": "2015-01-01T00:00:00Z"}


def rows(name: str) -> dict[str, float]:
    """The file's values, in degrees Fahrenheit, by their time as the API writes it."""
    found: dict[str, float] = {}
    with (DIRECTORY / name).open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            instant = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)
            at = instant.strftime("%Y-%m-%dT%H:%M:%SZ")
            if at in found:  # the recorder's clock was set back: told apart by a nanosecond
                at = instant.strftime("%Y-%m-%dT%H:%M:%S.000000001Z")
            assert at not in found
            found[at] = float(row["value"])
    return found


def stored(api: Api, device: str, quantity: str) -> dict[str, float]:
    found: dict[str, float] = {}
    page = api.get("/v1/readings", devices=device, quantities=quantity, zone="UTC", **WHOLE)
    while True:
        for series in page["series"]:
            assert series["unit"] == "Cel"
            found |= {point["time"]: point["value"] for point in series["points"]}
        if not page["next"]:
            return found
        page = api.get(page["next"])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    not DIRECTORY.is_dir(),
    reason=f"the recorded series are not at {DIRECTORY}; set PASSERELLE_NAB_DIR to where they are",
)
def test_every_row_of_a_recorded_series_is_found_in_celsius(tmp_path: Path) -> None:
    mqtt_port = free_port()
    # the recordings are of 2013: a device clock that says so today would not be trusted
    site = Site(tmp_path, PASSERELLE_INGEST__CLOCK_EARLIEST="2010-01-01T00:00:00Z")
    up = site.program("-m", "cli", "up", "--no-simulators", "--mqtt-port", str(mqtt_port), log="up")
    for device in SERIES:
        site.command("devices", "add", device, "--site", "elgazala", "--profile", "passerelle")
    with up, site.api() as api:
        wait_until(lambda: "ready in" in up.output(), what="everything started", seconds=60)
        for device, (name, quantity) in SERIES.items():
            report = tmp_path / f"{device}.json"
            replayed = site.program(
                "-m", "cli", "replay", str(DIRECTORY / name),
                "--broker", f"mqtt://127.0.0.1:{mqtt_port}", "--speed", "max", "--zone", "UTC",
                "--site", "elgazala", "--device", device, "--map", f"value={quantity}:[degF]",
                "--report", str(report), log="replay",
            )  # fmt: skip
            replayed.start()
            finish(replayed, seconds=120)
            recorded = rows(name)
            published = msgspec.json.decode(report.read_bytes())["totals"]["published"]
            assert published == len(recorded)

            def account(device: str = device) -> dict[str, int]:
                return api.account().get(("elgazala", device), {})

            wait_until(
                lambda: account().get("stored") == published,  # noqa: B023 - used at once
                what=f"every row of {device} is stored",
                seconds=60,
            )
            assert account()["dead_lettered"] == account()["duplicate"] == 0
            values = stored(api, device, quantity)
            assert set(values) == set(recorded)
            for at, fahrenheit in recorded.items():
                assert values[at] == pytest.approx((fahrenheit - 32) / 1.8, abs=1e-9)
