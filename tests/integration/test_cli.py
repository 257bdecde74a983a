"""The command line, as a user sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.support.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def fails(site: Site, *arguments: str, code: int = 2) -> str:
    found, said = site.failing(*arguments)
    assert found == code, said
    return said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("devices", "list"), 0, "0 devices"),
        (("devices", "show", "nobody"), 1, "nobody"),
        (("devices", "import", "nowhere.csv"), 2, "nowhere.csv"),
        (("devices", "dance"), 2, "dance"),
    ],
)
def test_the_program_ends_with_the_code_that_says_what_happened(
    site: Site, arguments: tuple[str, ...], code: int, said: str
) -> None:
    program = site.program("-m", "cli", *arguments, log="command").start()
    assert program.process is not None
    assert program.process.wait(timeout=60) == code
    assert said in program.output()


def test_a_device_is_added_listed_and_shown(site: Site) -> None:
    site.command(
        "devices", "add", "thermo-1", "--site", "elgazala", "--profile", "passerelle",
        "--building", "Innovation hub", "--interval", "60",
    )  # fmt: skip
    [line] = site.command("devices", "list", "--json").splitlines()
    assert msgspec.json.decode(line)["building"] == "Innovation hub"
    assert "thermo-1" in site.command("devices", "list", "--search", "THERMO")
    assert "messages pending" in site.command("devices", "show", "thermo-1")
    assert "there is a device 'thermo-1' already" in fails(
        site, "devices", "add", "thermo-1", "--site", "elgazala", "--profile", "passerelle", code=1
    )


def test_what_somebody_wrote_is_shown_and_never_obeyed(site: Site) -> None:
    site.command(
        "devices", "add", "thermo-1", "--site", "elgazala", "--profile", "passerelle",
        "--building", "[bold]lab[/bold]", "--name", "roof\x1b[2J",
    )  # fmt: skip
    for told in (
        site.command("devices", "list"),
        site.command("devices", "show", "thermo-1"),
    ):
        assert "[bold]lab[/bold]" in told
        assert "roof\ufffd[2J" in told
        assert "\x1b" not in told


def test_labels_of_a_device_are_set_found_and_taken_away(site: Site) -> None:
    site.command(
        "devices", "add", "thermo-1", "--site", "elgazala", "--profile", "passerelle",
        "--label", "floor=2", "--label", "gateway=gw-1",
    )  # fmt: skip
    site.command("devices", "add", "thermo-2", "--site", "elgazala", "--profile", "passerelle")
    listed = site.command("devices", "list", "--label", "floor=2", "--json")
    assert [msgspec.json.decode(line)["id"] for line in listed.splitlines()] == ["thermo-1"]
    told = site.command(
        "devices", "update", "thermo-1", "--label", "floor=", "--label", "wing=east",
        "--interval", "30",
    )  # fmt: skip
    assert told == "device thermo-1: interval_s, labels changed\n"
    assert "gateway=gw-1;wing=east" in site.command("devices", "show", "thermo-1")
    assert site.command("devices", "update", "thermo-1", "--interval", "30") == "nothing changed\n"
    assert "'floor' is no label" in fails(site, "devices", "update", "thermo-1", "--label", "floor")


def test_a_device_is_given_to_a_person_and_taken_back(site: Site) -> None:
    site.command("devices", "add", "watch-1", "--site", "elgazala", "--profile", "passerelle")
    told = site.command("devices", "assign", "watch-1", "p-1", "--from", "2026-01-01")
    assert told == "device watch-1 is with p-1 from 2026-01-01T00:00:00Z until further notice\n"
    assert "end that first" in fails(site, "devices", "assign", "watch-1", "p-2", code=1)
    told = site.command("devices", "unassign", "watch-1", "--at", "2026-01-02")
    assert told == "device watch-1 was with p-1 until 2026-01-02T00:00:00Z\n"
    assert "with nobody at" in fails(site, "devices", "unassign", "watch-1", code=1)
    site.command("devices", "assign", "watch-1", "p-2", "--from", "2026-01-03")
    at = site.command("devices", "assignments", "--at", "2026-01-01T12:00:00Z", "--json")
    assert [msgspec.json.decode(line)["person"] for line in at.splitlines()] == ["p-1"]
    assert "2 assignments" in site.command("devices", "assignments", "--device", "watch-1")
    assert "0 assignments" in site.command("devices", "assignments", "--site", "diamniadio")
    audited = site.command("audit", "list", "--json").splitlines()
    routes = [msgspec.json.decode(line)["route"] for line in audited]
    assert routes.count("devices assign") == 2
    assert routes.count("devices unassign") == 1
    assert routes.count("devices assignments") == 2


def test_an_import_with_a_mistake_imports_nothing_and_names_the_line(site: Site) -> None:
    csv = site.directory / "devices.csv"
    csv.write_text("id,site,profile\ngood-1,elgazala,tasmota\nBad Name,elgazala,tasmota\n")
    assert "line 3" in fails(site, "devices", "import", str(csv))
    assert site.command("devices", "list", "--json") == ""
    csv.write_text("id;site;profile\ngood-1;elgazala;tasmota\ngood-2;diamniadio;senml\n")
    assert "2 devices added" in site.command("devices", "import", str(csv))
    assert "2 unchanged" in site.command("devices", "import", str(csv))


def test_a_key_is_shown_once_and_can_be_revoked(site: Site) -> None:
    plain = site.command("keys", "create", "grafana").strip()
    listed = site.command("keys", "list")
    assert "grafana" in listed
    assert plain not in listed
    number = plain.split("_")[1]
    assert number in listed
    assert "is revoked" in site.command("keys", "revoke", number)
    assert "no API key" in fails(site, "keys", "revoke", "nonsense", code=1)


def test_keys_and_users_are_given_what_the_command_says(site: Site) -> None:
    made = site.command(
        "users", "create", "amina", "--grant", "researcher@elgazala", "--grant", "viewer"
    )
    assert "viewer@*, researcher@elgazala" in made
    assert "viewer@*/health" in site.command("users", "grant", "amina", "viewer/health")
    assert "viewer@*" not in site.command("users", "withdraw", "amina", "viewer", "viewer/health")
    plain = site.command("keys", "create", "phone", "--user", "amina", "--expires", "90d").strip()
    number = plain.split("_")[1]
    assert site.command("keys", "rotate", number, "--grace", "1h").strip() != plain
    assert "is shut out" in site.command("users", "disable", "amina")
    assert "is let in" in site.command("users", "enable", "amina")
    assert "amina" in site.command("users", "list")
    lines = site.command("audit", "list", "--event", "access", "--json").splitlines()
    assert len(lines) == 7
    assert {msgspec.json.decode(line)["actor"]["kind"] for line in lines} == {"local"}
    assert "users disable" in site.command("audit", "list")
    assert "7 rows are as they were written" in site.command("audit", "verify")


def test_a_grant_that_makes_no_sense_is_refused_with_what_there_is(site: Site) -> None:
    create = ("users", "create", "amina", "--grant")
    assert "one of the roles" in fails(site, *create, "king@elgazala")
    assert "there are environment" in fails(site, *create, "viewer@elgazala/heart")
    assert "no site 'mars'" in fails(site, *create, "viewer@mars", code=1)
    assert "no permission" in fails(site, "keys", "create", "a", "--scope", "fly")
    assert "no length of time" in fails(site, "keys", "create", "a", "--expires", "soon")


def test_config_prints_what_is_in_force_with_secrets_masked(tmp_path: Path) -> None:
    site = Site(tmp_path, PASSERELLE_MQTT__URL="mqtt://worker:hush@broker:1883")
    shown = site.command("config")
    assert 'url = "mqtt://worker:**********@broker:1883"' in shown
    assert "hush" not in shown
    assert msgspec.json.decode(site.command("config", "--json"))["api"]["port"] == site.port


def test_a_wrong_setting_names_itself_and_its_variable(tmp_path: Path) -> None:
    site = Site(tmp_path, PASSERELLE_SPOOL__MAX_BYTES="plenty")
    assert "spool.max_bytes (PASSERELLE_SPOOL__MAX_BYTES)" in fails(site, "config")


def test_decode_shows_what_would_be_stored_and_what_left_out(site: Site) -> None:
    topic = "passerelle/v1/elgazala/thermo-1/telemetry"
    shown = site.command("decode", topic, '{"v":{"air_temperature":{"v":70,"u":"°F"},"x":1}}')
    assert "21.11111111" in shown
    assert "unknown_quantity" in shown
    assert "malformed" in fails(site, "decode", topic, "{", code=1)


def test_profiles_are_listed_and_their_schema_printed(site: Site) -> None:
    assert "zigbee2mqtt" in site.command("profiles", "list")
    assert "properties" in site.command("profiles", "schema")


def test_ones_own_profiles_are_loaded_and_a_mistake_names_file_and_line(site: Site) -> None:
    profiles = site.directory / "profiles"
    profiles.mkdir()
    shipped = (Path(__file__).parents[2] / "devices" / "profiles" / "passerelle.yaml").read_text()
    (profiles / "bad.yaml").write_text(shipped.replace("format:", "fromat:"))
    assert "bad.yaml" in fails(site, "profiles", "load", str(profiles))


def test_a_command_loads_no_more_than_it_needs() -> None:
    code = (
        "import sys; sys.argv = ['passerelle', 'keys', '--help']\n"
        "from cli.main import run\n"
        "try:\n    run()\nexcept SystemExit:\n    print('fastapi' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
