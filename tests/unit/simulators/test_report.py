from __future__ import annotations

import msgspec

from core.clock import NS_PER_S
from simulators.formats.wire import Packet
from simulators.outgoing import Outgoing
from simulators.report import Report, Row

TELEMETRY = Packet(topic="t", payload=b"{}", readings=3)


def row() -> Row:
    return Row(site="elgazala", device="d", external_id="x", profile="passerelle")


def test_every_acknowledged_message_is_counted_by_kind_and_fault() -> None:
    account = row()
    for message in (
        Outgoing(row=0, packet=TELEMETRY),
        Outgoing(row=0, packet=TELEMETRY, duplicate=True),
        Outgoing(row=0, packet=TELEMETRY, out_of_order=True, wrong_clock=True),
        Outgoing(row=0, packet=TELEMETRY, backfilled=12, defective="unknown_unit"),
        Outgoing(row=0, packet=Packet(topic="t", payload=b""), malformed="empty"),
        Outgoing(row=0, packet=Packet(topic="s", payload=b"online"), kind="availability"),
        Outgoing(row=0, packet=Packet(topic="b", payload=b"[]"), kind="metadata"),
    ):
        account.acknowledged(message)
    assert account == Row(
        site="elgazala",
        device="d",
        external_id="x",
        profile="passerelle",
        published=7,
        telemetry=5,
        availability=1,
        metadata=1,
        duplicates=1,
        malformed=1,
        defective=1,
        out_of_order=1,
        backfilled=1,
        wrong_clock=1,
        faults={"unknown_unit": 1, "empty": 1},
        readings=9,
    )


def test_the_json_has_totals_and_one_entry_a_device() -> None:
    rows = [row(), row()]
    for one in rows:
        one.acknowledged(Outgoing(row=0, packet=TELEMETRY))
    report = Report(
        name="mine",
        seed=4,
        started_ns=0,
        finished_ns=2 * NS_PER_S,
        simulated_from_ns=0,
        simulated_to_ns=60 * NS_PER_S,
        rows=rows,
    )
    told = msgspec.json.decode(report.to_json())
    assert told["totals"]["published"] == 2
    assert told["messages_per_s"] == 1.0
    assert told["exact"] is True
    assert told["simulated_to"] == "1970-01-01T00:01:00Z"
    assert [(d["site"], d["device"], d["published"]) for d in told["devices"]] == [
        ("elgazala", "d", 1),
        ("elgazala", "d", 1),
    ]


def test_a_report_is_not_exact_when_a_message_may_have_come_twice_or_not_at_all() -> None:
    for field in ("resent", "unacknowledged"):
        account = row()
        setattr(account, field, 1)
        report = Report(name="x", seed=1, started_ns=0, simulated_from_ns=0, rows=[account])
        assert not report.exact
