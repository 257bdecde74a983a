"""What the InfluxDB writer makes of every answer, also those no healthy server gives."""

from __future__ import annotations

import json
from email.utils import formatdate

import pytest

from core.reading import DeviceKey
from storage.backends.influxdb.store import InfluxDBStore
from storage.ports import Rejected, Retry, Written
from tests.contract.storage_data import T0, point
from tests.unit.storage.scripted_server import Asked, Reply, Scripted


def refusal(text: str, *, status: int = 422) -> Reply:
    return Reply(status, json.dumps({"code": "unprocessable entity", "message": text}).encode())


def retry(outcome: Written | Retry) -> Retry:
    assert isinstance(outcome, Retry), outcome
    return outcome


def test_a_batch_is_one_compressed_request_of_lines(
    server: Scripted, influxdb: InfluxDBStore
) -> None:
    batch = [
        point(T0, 21.5, humidity=-0.0, quality=5, key=DeviceKey("a b,c=d", r"e\f")),
        point(T0 + 1, 1e308),
    ]
    assert influxdb.write(batch) == Written()
    [asked] = server.asked
    assert asked.path == "/api/v2/write"
    assert asked.query == {"bucket": "telemetry", "org": "passerelle", "precision": "ns"}
    assert asked.headers["Content-Encoding"] == "gzip"
    assert asked.headers["Authorization"] == "Token secret"
    fields = "air_temperature=21.5,relative_humidity=-0.0"
    assert asked.lines == [
        rf"environment,device=e\f,site=a\ b\,c\=d {fields},quality=5i {T0}",
        f"environment,device=thermo-1,site=elgazala air_temperature=1e+308 {T0 + 1}",
    ]


def test_nothing_is_sent_when_there_is_nothing_to_store(
    server: Scripted, influxdb: InfluxDBStore
) -> None:
    assert influxdb.write([]) == Written()
    assert isinstance(influxdb.write([point(T0, float("nan"))]), Written)
    assert server.asked == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>welcome</html>"),
        Reply(200, b"{}"),
        Reply(202),
        Reply(301, headers={"Location": "/elsewhere"}),
        Reply(401, b'{"code":"unauthorized","message":"unauthorized access"}'),
        Reply(403, b"forbidden"),
        Reply(404, b'{"code":"not found","message":"bucket not found"}'),
        Reply(405),
        Reply(408),
        Reply(429),
        Reply(499),
        Reply(500, b'{"error":"engine: cache maximum memory size exceeded"}'),
        Reply(500, b"\xff\xfe not text"),
        Reply(502, b"<html>bad gateway</html>"),
        Reply(503),
        Reply(504),
        Reply(0),
        Reply(400, b"Client sent an HTTP request to an HTTPS server."),
        Reply(400, b"<html><h1>400 The plain HTTP request was sent to HTTPS port</h1></html>"),
        Reply(400, b"[]"),
        Reply(422, b""),
        Reply(413, b"too large"),
    ],
    ids=lambda reply: f"{reply.status}-{len(reply.body)}",
)
def test_whatever_is_not_a_refusal_of_points_is_a_reason_to_retry(
    server: Scripted, influxdb: InfluxDBStore, reply: Reply
) -> None:
    server.answer = lambda _: reply
    reason = retry(influxdb.write([point(T0), point(T0 + 1)])).reason
    assert "InfluxDB" in reason or "too large" in reason
    assert len(reason) < 500
    server.answer = lambda _: Reply(204)
    assert influxdb.write([point(T0), point(T0 + 1)]) == Written()


def test_a_silent_server_is_a_reason_to_retry(server: Scripted, influxdb: InfluxDBStore) -> None:
    server.speaking.clear()
    assert "timed out" in retry(influxdb.write([point(T0)])).reason
    server.speaking.set()
    assert influxdb.write([point(T0)]) == Written()


def test_an_answer_lost_on_the_way_is_a_reason_to_retry(
    server: Scripted, influxdb: InfluxDBStore
) -> None:
    stored: set[str] = set()

    def answer(asked: Asked) -> Reply:
        stored.update(asked.lines)
        return Reply(0) if len(server.asked) == 1 else Reply(204)

    server.answer = answer
    retry(influxdb.write([point(T0)]))
    assert influxdb.write([point(T0)]) == Written()
    assert len(stored) == 1


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("999999999", 300.0),
        ("-5", None),
        ("soon", None),
        ("\u0667".encode().decode("latin-1"), None),
        (formatdate(1_000_000_030, usegmt=True), 30.0),
        (formatdate(999_999_000, usegmt=True), 0.0),
        ("", None),
    ],
)
def test_the_server_says_how_long_to_wait(
    server: Scripted, influxdb: InfluxDBStore, header: str, expected: float | None
) -> None:
    headers = {"Retry-After": header, "Date": formatdate(1_000_000_000, usegmt=True)}
    server.answer = lambda _: Reply(503, b"busy", headers)
    assert retry(influxdb.write([point(T0)])).after_s == expected


class Picky:
    """Refuses the batches that hold an instant of `bad`, and stores some of the others' lines."""

    def __init__(self, bad: set[int], *, text: str = "partial write: field type conflict") -> None:
        self.bad = bad
        self.text = text
        self.kept: dict[str, str] = {}

    def __call__(self, asked: Asked) -> Reply:
        lines = {line.rsplit(" ", 1)[1]: line for line in asked.lines}
        wrong = [instant for instant in lines if int(instant) - T0 in self.bad]
        if not wrong:
            self.kept.update(lines)
            return Reply(204)
        self.kept.update(
            {
                instant: line
                for number, (instant, line) in enumerate(lines.items())
                if instant not in wrong and number % 3 == 0
            }
        )
        return refusal(f"{self.text} dropped={len(wrong)}")


@pytest.mark.parametrize(
    ("bad", "most"),
    [
        ({0}, 21),
        ({999}, 21),
        ({500}, 21),
        ({3, 499, 998}, 60),
        (set(range(0, 1000, 100)), 160),
        (set(range(300, 700)), 40),
        (set(range(1000)), 3),
    ],
)
def test_refused_points_are_found_one_by_one_and_all_others_stored(
    server: Scripted, influxdb: InfluxDBStore, bad: set[int], most: int
) -> None:
    picky = server.answer = Picky(bad)
    outcome = influxdb.write([point(T0 + index) for index in range(1000)])
    assert isinstance(outcome, Written)
    assert [one.index for one in outcome.rejected] == sorted(bad)
    assert {int(instant) - T0 for instant in picky.kept} == set(range(1000)) - bad
    assert len(server.asked) <= most


def test_refusals_of_ours_and_of_the_server_are_told_in_order(
    server: Scripted, influxdb: InfluxDBStore
) -> None:
    server.answer = Picky({0, 3})
    batch = [point(T0), point(T0 + 1, float("nan")), point(T0 + 2), point(T0 + 3)]
    outcome = influxdb.write(batch)
    assert isinstance(outcome, Written)
    assert [one.index for one in outcome.rejected] == [0, 1, 3]
    assert outcome.rejected[0] == Rejected(0, "partial write: field type conflict dropped=1")


@pytest.mark.parametrize(
    "text",
    [
        "partial write: dropped 1 points outside retention policy of duration 48h0m0s - oldest",
        "partial write: points beyond retention policy dropped=1",
    ],
)
def test_age_is_told_of_all_older_points_without_asking(
    server: Scripted, influxdb: InfluxDBStore, text: str
) -> None:
    server.answer = Picky(set(range(900)), text=text)
    outcome = influxdb.write([point(T0 + (index * 7) % 1000) for index in range(1000)])
    assert isinstance(outcome, Written)
    assert len(outcome.rejected) == 900
    assert all((one.index * 7) % 1000 < 900 for one in outcome.rejected)
    assert len(server.asked) < 25


def test_a_refusal_that_only_names_a_retention_policy_says_nothing_of_older_points(
    server: Scripted, influxdb: InfluxDBStore
) -> None:
    server.answer = Picky({9}, text="field type conflict ... for retention policy: autogen")
    outcome = influxdb.write([point(T0 + index) for index in range(10)])
    assert isinstance(outcome, Written)
    assert [one.index for one in outcome.rejected] == [9]


def test_an_outage_while_refused_points_are_looked_for_decides_nothing(
    server: Scripted, influxdb: InfluxDBStore
) -> None:
    picky = Picky({5})
    server.answer = lambda asked: Reply(503) if len(server.asked) == 4 else picky(asked)
    retry(influxdb.write([point(T0 + index) for index in range(10)]))
    outcome = influxdb.write([point(T0 + index) for index in range(10)])
    assert isinstance(outcome, Written)
    assert [one.index for one in outcome.rejected] == [5]


def test_a_batch_that_is_too_large_is_split(server: Scripted, influxdb: InfluxDBStore) -> None:
    kept: list[str] = []

    def answer(asked: Asked) -> Reply:
        if len(asked.lines) > 70:
            return Reply(413, b'{"code":"request too large","message":"unable to read data"}')
        kept.extend(asked.lines)
        return Reply(204)

    server.answer = answer
    assert influxdb.write([point(T0 + index) for index in range(1000)]) == Written()
    assert len(set(kept)) == len(kept) == 1000
