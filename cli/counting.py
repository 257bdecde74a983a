"""Who counts the values of the store: the store itself, or the API that has it open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from api.schemas.completeness import ValueCountsAnswer
from api.times import EARLIEST_NS, LATEST_NS, parse_instant
from cli.data_directory import LOCAL_KEY_FILE
from core.clock import NS_PER_S, iso
from core.errors import ConfigurationError, StoreUnavailableError
from core.reading import DeviceKey
from core.settings import Settings
from ingest.verification.evidence import ValueCounter
from storage.factory import open_store
from storage.ports import HourCount, Store

_UTC = ZoneInfo("UTC")
_PAGE = 10_000
_TIMEOUT_S = 120.0
_DUCKDB = "duckdb:"


class ApiCounter:
    """A `ValueCounter` that asks `/v1/completeness/values`.

    Args:
        url: where the API is.
        key: an API key.
    """

    def __init__(self, *, url: str, key: str) -> None:
        self._url = url
        self._client = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=_TIMEOUT_S)
        self._keeps_s: int | None = None

    def hourly(
        self, devices: Sequence[DeviceKey] | None, *, start_ns: int, end_ns: int
    ) -> list[HourCount]:
        """See `ValueCounter.hourly`."""
        asked: list[DeviceKey | None] = [None] if devices is None else list(devices)
        return [one for key in asked for one in self._pages(key, start_ns=start_ns, end_ns=end_ns)]

    def keeps_s(self) -> int | None:
        """See `ValueCounter.keeps_s`: as the last answer of `hourly` said."""
        return self._keeps_s

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _pages(self, key: DeviceKey | None, *, start_ns: int, end_ns: int) -> Iterator[HourCount]:
        query = {
            "from": iso(max(start_ns, EARLIEST_NS)),
            "to": iso(min(end_ns, LATEST_NS)),
            "limit": str(_PAGE),
        }
        if key is not None:
            query |= {"site": key.site, "device": key.device}
        following: str | None = "/v1/completeness/values"
        while following is not None:
            page = self._page(following, query)
            self._keeps_s = page.keeps_s
            for row in page.rows:
                hour = parse_instant(row.hour, parameter="hour", now_ns=0, zone=_UTC) // NS_PER_S
                yield HourCount(row.site, row.device, hour, row.values)
            following, query = page.next, {}

    def _page(self, path: str, query: dict[str, str]) -> ValueCountsAnswer:
        try:
            answer = self._client.get(path, params=query or None)
        except httpx.HTTPError as error:
            raise StoreUnavailableError(
                f"the API at {self._url} does not answer: {error or type(error).__name__}; say "
                "where it is with --api"
            ) from None
        if not answer.is_success:
            raise StoreUnavailableError(
                f"the API at {self._url} refuses to count ({answer.status_code}): "
                f"{answer.text[:300]}"
            )
        return ValueCountsAnswer.model_validate_json(answer.content)


@contextmanager
def opened_counter(settings: Settings, api: str | None) -> Iterator[ValueCounter]:
    """Open what counts values.

    Args:
        settings: say which store.
        api: address of the API to ask instead, or None: the store, or the API of the settings when
            the store is a DuckDB file that another process has open.

    Raises:
        ConfigurationError: neither can be used; the sentence says what is in the way.
    """
    store: Store | None = None
    held = ""
    if api is None:
        try:
            store = open_store(settings)
        except ConfigurationError as error:
            if not settings.store_url.startswith(_DUCKDB) or "another process" not in error.detail:
                raise
            held = f"{error.detail}; "
    if store is not None:
        with closing(store):
            yield store
        return
    url = api or f"http://{settings.api.host}:{settings.api.port}"
    with closing(ApiCounter(url=url, key=_key(settings, held))) as counter:
        yield counter


def _key(settings: Settings, held: str) -> str:
    path: Path = settings.data_dir / LOCAL_KEY_FILE
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(
            f"{held}the API could count instead, but its key cannot be read from {path} "
            f"({error.strerror}); put there what `passerelle keys create NAME` prints"
        ) from None
