from __future__ import annotations

from pathlib import Path

import pytest

from core.clock import NS_PER_S
from simulators.bad_row import BadRow
from simulators.recording import Recorded, read_recording, write_recorded


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "traffic.jsonl"
    messages = [
        Recorded(line=1, time_ns=123_456_789_000, topic="a/é", payload="21,5 °C".encode(), qos=0),
        Recorded(line=2, time_ns=2 * NS_PER_S, topic="b", payload=b"\xff\x00\x01", retain=True),
        Recorded(line=3, time_ns=3 * NS_PER_S, topic="c", payload=b"", qos=2),
    ]
    with file.open("wb") as stream:
        for message in messages:
            write_recorded(stream, message)
    assert list(read_recording(file)) == messages


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "truncated"),
        ('{"topic":"a","payload":"x"}', "time"),
        ('{"time":1,"topic":"a"}', "either payload or payload_base64"),
        ('{"time":1,"topic":"a","payload":"","payload_base64":""}', "either payload"),
        ('{"time":1,"topic":"a/#","payload":"x"}', "cannot be published to"),
        ('{"time":"2026-01-01T00:00:00","topic":"a","payload":"x"}', "has no zone"),
        ('{"time":1,"topic":"a","payload_base64":"***"}', "payload_base64"),
        ('{"time":1,"topic":"a","payload":"x","qos":3}', "qos"),
        ('{"time":1,"topic":"a","payload":"x","colour":"red"}', "colour"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str, why: str) -> None:
    file = tmp_path / "traffic.jsonl"
    file.write_text(f'{line}\n\n{{"time":1.5,"topic":"a","payload":"x"}}\n')
    bad, good = read_recording(file)
    assert isinstance(bad, BadRow)
    assert bad.line == 1
    assert why in bad.why
    assert good == Recorded(line=3, time_ns=1_500_000_000, topic="a", payload=b"x")
