"""The store in InfluxDB 2 or 1: `influxdb+http://host:8086` or `influxdb+https://...`."""

from __future__ import annotations

from core.settings import Settings
from storage.plugin import StorePlugin
from storage.ports import Store


def _open(settings: Settings) -> Store:
    """Return a store on the server that the settings name; nothing is sent yet.

    Raises:
        ConfigurationError: the address or the credentials cannot be used.
    """
    # Loading an HTTP client takes a while: only those who use it wait for it.
    from storage.backends.influxdb.access import access_of  # noqa: PLC0415
    from storage.backends.influxdb.store import InfluxDBStore  # noqa: PLC0415

    return InfluxDBStore(access=access_of(settings))


PLUGIN = StorePlugin(schemes=("influxdb+http", "influxdb+https"), open=_open)
