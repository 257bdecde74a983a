"""The quick way says what the thorough one says, of whatever payload."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import NS_PER_S, iso
from core.reading import Point
from devices.registry.records import Device
from ingest.arrival import Arrival
from ingest.batch import Batch
from ingest.batch_judge import BatchJudge
from ingest.duplicates import DuplicateWindow
from ingest.judge import Judge, Verdict
from ingest.ledger import Account, Fate, Line
from ingest.progress import ProgressTable
from ingest.validate import ClockPolicy
from storage.line_protocol import points_of
from tests.support.directory import directory_of

NOW = 1_790_000_000 * NS_PER_S
TOPIC = b"passerelle/v1/elgazala/thermo-1/telemetry"
DIRECTORY = directory_of(
    Device(id="thermo-1", site="elgazala", profile="passerelle", external_id="thermo-1")
)
POLICY = ClockPolicy.from_settings(earliest="2020-01-01T00:00:00Z", ahead_s=300)


class Judges:
    """Both ways, each with a memory of its own."""

    def __init__(self) -> None:
        self.thorough, _, _ = _judge()
        judge, window, progress = _judge()
        self.quick = BatchJudge(
            judge=judge, directory=DIRECTORY, window=window, progress=progress, clock=POLICY
        )

    def both(self, *payloads: bytes) -> tuple[list[Verdict], Batch]:
        arrivals = [arrival(payload, mid) for mid, payload in enumerate(payloads, start=1)]
        verdicts = [self.thorough.judge(one) for one in arrivals]
        return verdicts, self.quick.judge(arrivals)


def _judge() -> tuple[Judge, DuplicateWindow, ProgressTable]:
    window = DuplicateWindow(max_messages=1000, max_age_s=3600)
    progress = ProgressTable(load=lambda _site, _device: None)
    judge = Judge(directory=DIRECTORY, window=window, progress=progress, clock=POLICY, enrol=False)
    return judge, window, progress


def arrival(payload: bytes, mid: int = 1) -> Arrival:
    return Arrival(topic=TOPIC, payload=payload, received_ns=NOW, mid=mid, qos=1, generation=1)


def points_in(batch: Batch) -> list[Point]:
    body = batch.packed().body
    return points_of(body) if body else []


def lines_in(batch: Batch) -> dict[Account, Line]:
    return dict(iter(batch.ledger))


def same(verdict: Verdict, batch: Batch) -> None:
    assert points_in(batch) == list(verdict.points)
    assert [letter.reason for letter in batch.letters] == [one.reason for one in verdict.letters]
    [(account, line)] = lines_in(batch).items()
    assert account == verdict.account
    assert (line.received, getattr(line, verdict.fate.value)) == (1, 1)
    assert batch.identities.digests == [verdict.digest]


QUANTITIES = st.sampled_from(
    [
        "air_temperature",
        "relative_humidity",
        "battery_level",
        "carbon_dioxide",
        "occupancy",
        "nonsense",
        "seq",
    ]
)
NUMBERS = st.one_of(
    st.floats(-200, 2000, allow_nan=False).map(repr),
    st.integers(-(10**6), 10**6).map(str),
    st.sampled_from(
        ["0", "-0", "-0.0", "1e2", "1E+2", "1e999", "1e-320", "NaN", "null", "true", '"21.5"', "01",
         "1.", ".5", '{"v": 21.5}', '{"v": 70, "u": "[degF]"}', "[1]", "12345678901234567890", ""]
    ),
)  # fmt: skip
INSTANTS = st.one_of(
    st.integers(NOW - 10**13, NOW + 10**12).map(lambda ns: f'"t": "{iso(ns)}"'),
    st.integers(0, 2 * NOW).map(lambda ns: f'"t_ns": {ns}'),
    st.integers(0, 2 * NOW // 10**6).map(lambda ms: f'"t_ms": {ms}'),
    st.sampled_from(
        ['"t": "2026-09-21T12:00:00Z"', '"t": "2026-09-21T12:00:00.5+01:00"', '"t": 1789999999',
         '"t": "2026-09-21T12:00:60Z"', '"t": "2026-09-21T12\\u003a00\\u003a00Z"', '"t": null',
         '"t": "2026-09-21t12:00:00z"', '"t": "2026-09-21T12:00:00"', '"t": "1970-01-01T00:00:00Z"',
         '"t": "2026-02-30T12:00:00Z"', '"t": "soon"', '"t": 1789999999.125', '"t": ""',
         '"t": "2026-09-21T12:00:00-23:59"', '"t": "9999-12-31T23:59:59Z"', '"t_ms": 1.5',
         '"t_ns": 99999999999999999999', '"t": "2026-09-21T12:00:00.1234567891Z"']
    ),
)  # fmt: skip
OTHERS = st.sampled_from(
    ['"seq": 1', '"seq": -1', '"seq": 1.0', '"seq": 9223372036854775808', '"boot": 3',
     '"boot": "3"',
     '"sim": true', '"sim": false', '"sim": 1', '"fw": "1.2"', '"x": {"y": [1]}', '"se\\u0071": 2',
     '"batch": []', '"batch": [{"t": "2026-09-21T12:00:00Z", "v": {"carbon_dioxide": 400}}]',
     '"\xff": 1']
)  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Return something like a message: now and then with a key twice, blanks, or cut short."""
    pairs = draw(st.lists(st.tuples(QUANTITIES, NUMBERS), min_size=0, max_size=4))
    blank = draw(st.sampled_from(["", "", " ", "\n\t"]))
    values = ",".join(f'"{name}"{blank}:{blank}{number}' for name, number in pairs)
    members = [f'"v":{{{values}}}', *draw(st.lists(st.one_of(INSTANTS, OTHERS), max_size=4))]
    text = ("{" + f"{blank},".join(draw(st.permutations(members))) + "}").encode()
    if draw(st.integers(0, 20)) == 0:
        return text[: draw(st.integers(0, len(text)))]
    return text


@given(documents())
def test_a_message_is_judged_the_same_both_ways(payload: bytes) -> None:
    verdicts, batch = Judges().both(payload)
    same(verdicts[0], batch)


@given(st.binary(max_size=60))
def test_whatever_the_bytes(payload: bytes) -> None:
    verdicts, batch = Judges().both(payload)
    same(verdicts[0], batch)


USUAL = b'{"seq":%d,"boot":%d,"t":"%s","v":{"air_temperature":21.5,"relative_humidity":40}}'


def usual(seq: int, *, boot: int = 1, at: int = NOW - NS_PER_S) -> bytes:
    return USUAL % (seq, boot, iso(at + seq).encode())


@pytest.mark.parametrize(
    "payload",
    [
        usual(1),
        usual(1, at=NOW - 7200 * NS_PER_S),
        b'{"v":{"air_temperature":21.5,"battery_level":80,"carbon_dioxide":420.5}}',
        b'{"t_ms":1789999999000,"sim":true,"v":{"air_temperature":-0.0}}',
    ],
    ids=["usual", "late", "several categories", "simulated"],
)
def test_usual_messages_are_read_the_quick_way(payload: bytes) -> None:
    judges = Judges()
    _, batch = judges.both(payload)
    assert not batch.fates, "the thorough way was taken"
    assert batch.profiles == {"passerelle": 1}


def test_the_account_of_many_messages_is_the_sum_of_each() -> None:
    payloads = [
        usual(1), usual(2), usual(2), b"{", usual(5), usual(6, boot=2), usual(4),
        b'{"seq":7,"boot":2,"v":{"air_temperature":900}}',
        b'{"seq":8,"boot":2,"v":{"air_temperature":20,"nonsense":1}}',
    ]  # fmt: skip
    _, together = Judges().both(*payloads)
    judges = Judges()
    alone: dict[Account, Line] = {}
    for mid, payload in enumerate(payloads, start=1):
        for account, line in judges.quick.judge([arrival(payload, mid)]).ledger:
            alone[account] = added(alone.get(account, Line()), line)
    assert lines_in(together) == alone
    by_boot = {account.boot: line for account, line in alone.items()}
    assert by_boot[1].duplicate == 1
    assert by_boot[1].missing == 1  # number 3
    assert by_boot[2].dead_lettered == 1
    assert by_boot[-1].dead_lettered == 1
    assert by_boot[1].values_new == 2 * 3
    assert by_boot[1].values_other == 2  # number 4, whose instant lies before that of number 5


def added(one: Line, two: Line) -> Line:
    pairs: Sequence[tuple[int, int]] = list(
        zip(msgspec.structs.astuple(one), msgspec.structs.astuple(two), strict=True)
    )
    return Line(*[left + right for left, right in pairs])


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [((254, 255, 0, 1), 0), ((254, 255, 1, 0), 0), ((253, 255, 2, 3), 3)],
)
def test_a_counter_that_begins_again_at_its_modulus_is_no_gap(
    numbers: tuple[int, ...], missing: int
) -> None:
    judges = Judges()
    account = Account("elgazala", "thermo-1", NOW // NS_PER_S // 3600 * 3600)
    batch = Batch()
    for number in numbers:
        verdict = Verdict(account, Fate.STORED, b"digest", seq=number, seq_modulus=256)
        judges.quick.note(batch, verdict)
    assert sum(line.missing for _, line in batch.ledger) == missing
