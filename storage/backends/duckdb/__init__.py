"""The store in one DuckDB file, for a laptop or a single site: `duckdb:///path/of/file`."""

from __future__ import annotations

from pathlib import Path

from core.errors import ConfigurationError
from core.settings import Settings
from storage.plugin import StorePlugin
from storage.ports import Store


def _open(settings: Settings) -> Store:
    """Open the file of `settings.store_url`, making it when there is none.

    Raises:
        ConfigurationError: the address names no file, or the file cannot be used.
    """
    # Loading DuckDB and Arrow takes half a second: only those who use them wait for it.
    from storage.backends.duckdb.store import DuckDBStore  # noqa: PLC0415

    url = settings.store_url
    name = url.removeprefix("duckdb:///")
    if name in {url, ""}:
        raise ConfigurationError(
            f"store.url (PASSERELLE_STORE__URL) {url!r} names no file; write "
            "duckdb:///relative/path or duckdb:////absolute/path"
        )
    return DuckDBStore(path=Path(name))


PLUGIN = StorePlugin(schemes=("duckdb",), open=_open)
