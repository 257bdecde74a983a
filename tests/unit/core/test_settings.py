from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.settings import load_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_environment_beats_dotenv_beats_toml_beats_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passerelle.toml").write_text(
        '[mqtt]\nurl = "mqtt://toml:1"\nkeepalive_s = 11\nshared_group = "toml"\n'
    )
    (tmp_path / ".env").write_text(
        "PASSERELLE_MQTT__URL=mqtt://dotenv:1\nPASSERELLE_MQTT__KEEPALIVE_S=12\n"
    )
    monkeypatch.setenv("PASSERELLE_MQTT__URL", "mqtt://environment:1")
    mqtt = load_settings().mqtt
    assert (mqtt.url, mqtt.keepalive_s, mqtt.shared_group, mqtt.receive_maximum) == (
        "mqtt://environment:1",
        12,
        "toml",
        20_000,
    )


def test_a_wrong_value_names_the_setting_and_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERELLE_MQTT__KEEPALIVE_S", "soon")
    with pytest.raises(
        ConfigurationError, match=r"mqtt\.keepalive_s \(PASSERELLE_MQTT__KEEPALIVE_S\)"
    ):
        load_settings()


def test_a_misspelt_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERELLE_MQTT__ULR", "mqtt://x")
    with pytest.raises(ConfigurationError, match="ulr"):
        load_settings()


def test_further_sinks_are_json_in_the_environment_and_tables_in_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passerelle.toml").write_text(
        '[[sinks]]\nname = "archive"\nurl = "parquet:///points"\nfile_age_s = 5\n'
        '[[sinks]]\nname = "copy"\nurl = "influxdb+http://copy:8086"\ntoken = "hush"\n'
    )
    archive, copy = load_settings().sinks
    assert (archive.name, archive.file_age_s, archive.when_behind) == ("archive", 5.0, "skip")
    assert (copy.bucket, copy.batch_points) == ("telemetry", 5000)
    assert "hush" not in str(load_settings().masked())
    monkeypatch.setenv("PASSERELLE_SINKS", '[{"name": "far", "url": "parquet:///far"}]')
    assert [sink.name for sink in load_settings().sinks] == ["far"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"name": "store", "url": "parquet:///x"}]', "a name of its own, not store"),
        ('[{"name": "a", "url": "x:"}, {"name": "a", "url": "y:"}]', "its own, not a"),
        ('[{"name": "a"}]', r"setting sinks\.0\.url \(PASSERELLE_SINKS\)"),
        ('[{"name": "A b", "url": "x:"}]', r"sinks\.0\.name"),
        ("archive", 'error parsing value for field "sinks"'),
    ],
)
def test_a_sink_that_cannot_be_is_said(
    monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setenv("PASSERELLE_SINKS", text)
    with pytest.raises(ConfigurationError, match=said):
        load_settings()


def test_secrets_are_masked_also_inside_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERELLE_MQTT__URL", "mqtt://user:hush@broker:1883")
    monkeypatch.setenv("PASSERELLE_REGISTRY__URL", "postgresql+psycopg://p:hush@db/passerelle")
    monkeypatch.setenv("PASSERELLE_STORE__TOKEN", "hush")
    shown = str(load_settings().masked())
    assert "hush" not in shown
    assert "mqtt://user:**********@broker:1883" in shown
