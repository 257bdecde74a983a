"""docker-compose.yml and what stands beside it keep their promises, without a container engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = ROOT / "deploy" / "example.env"
SECRET = re.compile("PASSWORD|TOKEN|SECRET|KEY")
PROGRAMS = ("ingest", "api", "alerts", "simulators")


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
    return found


def example() -> dict[str, str]:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def interpolated() -> dict[str, str]:
    """Return each variable of the compose file with what follows its name."""
    return dict(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)([^}]*)\}", COMPOSE))


def test_every_variable_is_in_the_example_and_every_example_is_used() -> None:
    assert set(interpolated()) == set(example())


def test_no_secret_has_a_default() -> None:
    secrets = {name for name in interpolated() if SECRET.search(name)}
    assert len(secrets) >= 5
    for name, rest in re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)([^}]*)\}", COMPOSE):
        assert rest.startswith(":?" if name in secrets else ":-"), name
    assert {name for name, value in example().items() if not value} == secrets


def test_the_defaults_of_the_example_are_those_of_the_file() -> None:
    defaults = {name: rest for name, rest in interpolated().items() if rest.startswith(":-")}
    assert {name: rest[2:] for name, rest in defaults.items()} == {
        name: value for name, value in example().items() if value
    }


def test_new_env_makes_every_secret_and_no_secret_twice() -> None:
    made = subprocess.run(
        [str(ROOT / "deploy" / "new-env")], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    values = dict(line.split("=", 1) for line in made.splitlines() if line and line[0] != "#")
    secrets = [values[name] for name, value in example().items() if not value]
    assert all(re.fullmatch("[0-9a-f]{48}", secret) for secret in secrets)
    assert len(set(secrets)) == len(secrets)


@pytest.mark.parametrize("missing", [name for name, value in example().items() if not value])
def test_nothing_starts_without_each_secret(missing: str, tmp_path: Path) -> None:
    lines = [f"{name}={value or 'set'}" for name, value in example().items() if name != missing]
    file = tmp_path / "env"
    file.write_text("\n".join(lines))
    result = subprocess.run(
        [sys.executable, "-m", "podman_compose", "--env-file", str(file), "config"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != missing},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode != 0
    assert f"set {missing}" in result.stderr


def test_every_setting_that_it_gives_exists() -> None:
    for name in PROGRAMS:
        for variable in services()[name].get("environment", {}):
            if variable.startswith("PASSERELLE_"):
                section, _, key = variable.removeprefix("PASSERELLE_").lower().partition("__")
                model = Settings.model_fields[section].annotation
                assert not key or (model is not None and key in model.model_fields), variable


def test_the_programs_run_without_privileges_on_a_read_only_file_system() -> None:
    for name in PROGRAMS:
        service = services()[name]
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert "no-new-privileges" in service["security_opt"]
    final_stage = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert "\nUSER passerelle\n" in final_stage


def test_every_image_is_pinned_and_ours_is_made_from_debian() -> None:
    for service in services().values():
        assert re.search(r":([0-9][\w.]*|\$\{PASSERELLE_VERSION:-latest\})$", service["image"])
    text = (ROOT / "Dockerfile").read_text()
    sources = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE))
    assert sources - stages == {"debian:bookworm-slim"}


def test_every_server_has_a_health_check_and_keeps_its_data_in_a_named_volume() -> None:
    volumes = set(yaml.safe_load(COMPOSE)["volumes"])
    for name, service in services().items():
        if name == "alerts":
            continue  # all of its state is in PostgreSQL
        if name not in PROGRAMS:
            assert service["healthcheck"]["test"], name
        sources = {volume.partition(":")[0] for volume in service["volumes"]}
        assert sources & volumes, name


def test_ports_are_those_of_this_machine_alone_unless_told_otherwise() -> None:
    for name, service in services().items():
        for port in service.get("ports", []):
            assert re.match(r"\$\{[A-Z]+_ADDRESS:-127\.0\.0\.1\}:", port), name


def test_only_the_dashboards_are_in_a_profile() -> None:
    assert [name for name, service in services().items() if "profiles" in service] == ["grafana"]


def test_the_broker_sets_its_limits_on_purpose() -> None:
    lines = (ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text().splitlines()
    options = dict(line.split(" ", 1) for line in lines if line and line[0] != "#")
    receive_maximum = Settings.model_validate({}).mqtt.receive_maximum
    assert int(options["max_inflight_messages"]) >= receive_maximum
    assert int(options["max_queued_messages"]) >= 100_000
    assert options["upgrade_outgoing_qos"] == "true"
    assert options["persistence"] == "true"
    assert options["allow_anonymous"] == "false"


def test_the_one_worker_subscribes_plainly_since_mosquitto_forgets_shared_subscriptions() -> None:
    assert services()["ingest"]["environment"]["PASSERELLE_MQTT__SHARED_GROUP"] == ""
