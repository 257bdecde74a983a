"""Which store the settings open, and what is said of settings that open none."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.settings import load_settings
from storage.backends.duckdb.store import DuckDBStore
from storage.backends.influxdb.access import access_of
from storage.backends.influxdb.store import InfluxDBStore
from storage.backends.memory import MemoryStore
from storage.factory import discovered, open_store


def test_each_module_of_the_folder_is_a_backend() -> None:
    assert set(discovered()) == {"memory", "duckdb", "influxdb+http", "influxdb+https"}


def test_the_scheme_chooses_the_backend(tmp_path: Path) -> None:
    for url, kind in (
        ("memory:", MemoryStore),
        (f"duckdb:///{tmp_path}/a b.duckdb", DuckDBStore),
        ("influxdb+http://localhost:8086", InfluxDBStore),
        ("INFLUXDB+HTTPS://influx.example/prefix/", InfluxDBStore),
    ):
        store = open_store(load_settings(store={"url": url}))
        assert isinstance(store, kind)
        store.close()
    assert (tmp_path / "a b.duckdb").exists()


def test_by_default_the_store_is_a_file_of_the_data_directory(tmp_path: Path) -> None:
    store = open_store(load_settings(data_dir=tmp_path))
    store.close()
    assert (tmp_path / "telemetry.duckdb").exists()


@pytest.mark.parametrize("url", ["mysql://host", "duckdb", "", "http://localhost:8086", ":"])
def test_an_unknown_scheme_is_an_error_that_names_the_known_ones(url: str) -> None:
    settings = load_settings(store={"url": url or "nothing"})
    with pytest.raises(ConfigurationError, match=r"use duckdb:, influxdb\+http:, .*memory:"):
        open_store(settings)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("duckdb:telemetry", "names no file"),
        ("duckdb:///", "names no file"),
        ("influxdb+http://", "must look like"),
        ("influxdb+http://host:port", "must look like"),
        ("influxdb+http://host:8086?bucket=x", "must look like"),
        ("influxdb+http://user:pass@host:8086", "credentials"),
    ],
)
def test_an_address_that_cannot_be_used_is_an_error(url: str, word: str) -> None:
    with pytest.raises(ConfigurationError, match=word) as raised:
        open_store(load_settings(store={"url": url}))
    assert "pass@" not in raised.value.detail


def test_a_token_comes_before_a_user_and_is_trimmed() -> None:
    url = "influxdb+http://host:8086"
    both = load_settings(store={"url": url, "token": " secret\n", "username": "u", "password": "p"})
    assert access_of(both).authorization == "Token secret"
    user = load_settings(store={"url": url, "username": "u", "password": "p"})
    assert access_of(user).authorization == "Basic dTpw"
    assert access_of(load_settings(store={"url": url})).authorization is None
    with pytest.raises(ConfigurationError, match="TOKEN"):
        access_of(load_settings(store={"url": url, "token": "sécret"}))
