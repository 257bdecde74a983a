"""What the store does: away, slow, refusing, forgetting to answer."""

from __future__ import annotations

import time
from functools import partial

import httpx
import msgspec

from core.clock import NS_PER_S
from tests.reliability.fault import Fault
from tests.reliability.messages import CATEGORY, QUANTITY, SITE, Message
from tests.reliability.rig import Rig
from tests.servers.http_proxy import Answer, Late, Lost, on_writes
from tests.servers.influxdb2 import InfluxDB2

_DAY_S = 24 * 3600
_LATE_S = 5.0
_AGAIN = 3
_LONG_AGO_NS = 30 * _DAY_S * NS_PER_S
_EVERY = 5


def away(rig: Rig) -> None:
    """Kill InfluxDB, leave it dead for a while, start it."""
    server = rig.server
    assert server is not None
    rig.running()
    with rig.traffic() as traffic:
        traffic.reach(0.3)
        killed_s = time.monotonic()
        server.kill()
    rig.until(
        lambda: time.monotonic() - killed_s >= rig.scale.outage_s,
        what="the outage is over",
        seconds=rig.scale.outage_s + 60,
    )
    rig.check("nothing waited on disk while the store was away", holds=rig.account().pending > 0)
    server.start()
    rig.mended()
    rig.settle()


def slow(rig: Rig) -> None:
    """Answer writes five seconds late."""
    _go_wrong(rig, Late(_LATE_S), times=rig.scale.slow_writes)


def answers(rig: Rig, *, answer: Answer) -> None:
    """Answer something else than InfluxDB would, some times."""
    _go_wrong(rig, answer, times=_AGAIN)


def silent(rig: Rig) -> None:
    """Write what is asked, and lose the answer."""
    _go_wrong(rig, Lost(), times=_AGAIN)


def _go_wrong(rig: Rig, fault: Answer | Late | Lost, *, times: int) -> None:
    rig.running()
    with rig.traffic() as traffic:
        traffic.reach(0.3)
        before = rig.gate.faults
        rig.gate.rule = on_writes(fault)
        rig.until(lambda: rig.gate.faults >= before + times, what="the writes went wrong")
        rig.gate.rule = None
        rig.mended()
    rig.settle()


def revoked(rig: Rig) -> None:
    """Take the worker's token away, and give it back."""
    store = rig.store
    with _client(store) as client:
        org = client.get("/api/v2/orgs", params={"org": store.org}).json()["orgs"][0]["id"]
        bucket = _bucket(client, rig)["id"]
        resource = {"type": "buckets", "id": bucket, "orgID": org}
        actions = [{"action": action, "resource": resource} for action in ("read", "write")]
        made = client.post("/api/v2/authorizations", json={"orgID": org, "permissions": actions})
        token = made.raise_for_status().json()
        worker = rig.start(rig.worker(PASSERELLE_STORE__TOKEN=token["token"]))
        with rig.traffic() as traffic:
            traffic.reach(0.3)
            _switch(client, token["id"], status="inactive")
            rig.until(lambda: "store_unavailable" in worker.output(), what="the worker says so")
            _switch(client, token["id"], status="active")
            rig.mended()
    rig.settle()


def partly_refused(rig: Rig) -> None:
    """Send, among the others, messages older than the bucket keeps; InfluxDB drops those."""
    with _client(rig.store) as client:
        keep = [{"type": "expire", "everySeconds": 7 * _DAY_S}]
        bucket = _bucket(client, rig)["id"]
        client.patch(f"/api/v2/buckets/{bucket}", json={"retentionRules": keep}).raise_for_status()
    _some_refused(rig)


def conflict(rig: Rig) -> None:
    """Have a field of another type where some of the messages belong; InfluxDB refuses those."""
    at_ns = rig.messages[0].time_ns - _LONG_AGO_NS
    line = f'{CATEGORY},site={SITE},device=other-1 {QUANTITY}="a text" {at_ns}'
    with _client(rig.store) as client:
        place = {"org": rig.store.org, "bucket": rig.bucket}
        client.post("/api/v2/write", params=place, content=line).raise_for_status()
    _some_refused(rig)


def _some_refused(rig: Rig) -> None:
    """Publish with every fifth message a month old; they must all be in the dead letters."""
    messages = [
        msgspec.structs.replace(one, time_ns=one.time_ns - _LONG_AGO_NS) if _old(one) else one
        for one in rig.messages
    ]
    rig.messages = messages
    rig.running()
    with rig.traffic(messages):
        pass
    rig.mended()
    rig.settle()
    refused = sum(1 for one in messages if _old(one))
    told = rig.account().dead_lettered
    rig.check(f"refused were {refused}, dead letters are {told}", holds=refused == told)


def _old(message: Message) -> bool:
    return message.seq % _EVERY == 0


def _client(store: InfluxDB2) -> httpx.Client:
    headers = {"Authorization": f"Token {store.token}"}
    return httpx.Client(base_url=store.url, headers=headers, timeout=30)


def _bucket(client: httpx.Client, rig: Rig) -> dict[str, str]:
    answer = client.get("/api/v2/buckets", params={"name": rig.bucket}).raise_for_status()
    found: dict[str, str] = answer.json()["buckets"][0]
    return found


def _switch(client: httpx.Client, token: str, *, status: str) -> None:
    answer = client.patch(f"/api/v2/authorizations/{token}", json={"status": status})
    answer.raise_for_status()


_BUSY = Answer(429, b'{"code":"too many requests","message":"slow down"}', {"Retry-After": "1"})
_BROKEN = Answer(500, b'{"code":"internal error","message":"unexpected error"}')

FAULTS = (
    Fault(name="store-away", title="InfluxDB SIGKILL, down, started", act=away, own_store=True),
    Fault(name="store-slow", title="InfluxDB answers 5 s late", act=slow),
    Fault(
        name="store-busy",
        title="InfluxDB answers 429 with Retry-After",
        act=partial(answers, answer=_BUSY),
    ),
    Fault(name="store-error", title="InfluxDB answers 500", act=partial(answers, answer=_BROKEN)),
    Fault(name="store-token", title="InfluxDB token revoked (401) and restored", act=revoked),
    Fault(name="store-partly", title="InfluxDB refuses a part of a batch", act=partly_refused),
    Fault(name="store-conflict", title="field type conflict in InfluxDB", act=conflict),
    Fault(name="store-silent", title="InfluxDB's answer lost after the write", act=silent),
)
