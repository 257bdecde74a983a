from __future__ import annotations

import pytest

from storage.backends.influxdb.store import InfluxDBStore
from tests.unit.storage.scripted_server import Reply, Scripted


def policies(duration: str) -> bytes:
    columns = '["name","duration","shardGroupDuration","replicaN","default"]'
    rows = f'[["old","1h0m0s","1h0m0s",1,false],["autogen","{duration}","168h0m0s",1,true]]'
    series = f'[{{"columns":{columns},"values":{rows}}}]'
    return f'{{"results":[{{"statement_id":0,"series":{series}}}]}}\n'.encode()


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("0s", None), ("168h0m0s", 604_800), ("1h30m5s", 5405), ("45m0s", 2700), ("59s", 59)],
)
def test_how_long_values_are_kept_is_what_the_default_policy_says(
    server: Scripted, influxdb: InfluxDBStore, told: str, seconds: int | None
) -> None:
    server.answer = lambda _: Reply(200, policies(told))
    assert influxdb.keeps_s() == seconds
