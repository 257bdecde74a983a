"""Entering what a courier delivers into a report."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from simulators.courier import Courier
from simulators.formats.wire import Packet
from simulators.login import BrokerLogin
from simulators.outgoing import Outgoing
from simulators.report import Report

_TELL_EVERY_S = 0.1


class Progress(msgspec.Struct, frozen=True):
    """How far a run is.

    Attributes:
        published: messages acknowledged.
        in_flight: messages sent and not acknowledged yet.
        done_s: simulated seconds done.
        total_s: simulated seconds in all, or None when there is no end.
    """

    published: int
    in_flight: int
    done_s: float
    total_s: float | None


ProgressCallback = Callable[[Progress], None]


class Account:
    """A courier whose deliveries are entered into `report` as they are acknowledged.

    Args:
        report: with its rows.
        login: how to reach the broker.
        name: first part of the client names.
        wills: one for each connection.
        qos: of every message.
        on_progress: told about ten times a second, or None.
        total_s: length of the run for `on_progress`, simulated seconds, or None.
    """

    def __init__(
        self,
        *,
        report: Report,
        login: BrokerLogin,
        name: str,
        wills: list[Packet | None],
        qos: int,
        on_progress: ProgressCallback | None,
        total_s: float | None,
    ) -> None:
        self._report = report
        self._on_progress = on_progress
        self._total_s = total_s
        self._published = 0
        self._tell_at = 0.0
        self.courier: Courier[Outgoing] = Courier(
            login=login,
            name=name,
            wills=wills,
            qos=qos,
            on_delivered=self._delivered,
            on_resent=self._resent,
            on_refused=self._refused,
        )

    def tell(self, done_s: float, *, at_once: bool = False) -> None:
        """Report progress, when it is time."""
        now = time.monotonic()
        if self._on_progress is not None and (at_once or now >= self._tell_at):
            self._tell_at = now + _TELL_EVERY_S
            self._on_progress(
                Progress(self._published, self.courier.in_flight, done_s, self._total_s)
            )

    def close(self, *, timeout_s: float) -> None:
        """Wait for the last acknowledgements, disconnect, and complete the report."""
        self.courier.drain(timeout_s=timeout_s)
        for message in self.courier.close():
            self._report.rows[message.row].unacknowledged += 1
        self._report.connections = self.courier.connections
        self._report.connections_lost = self.courier.connections_lost

    def _delivered(self, message: Outgoing) -> None:
        self._published += 1
        self._report.rows[message.row].acknowledged(message)

    def _resent(self, message: Outgoing) -> None:
        self._report.rows[message.row].resent += 1

    def _refused(self, message: Outgoing) -> None:
        self._report.rows[message.row].refused += 1
