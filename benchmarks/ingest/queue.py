"""One run: a queue waits at the broker, programs take it, and the store is asked until it has all.

1. The programs start, subscribe under their own names, store one message, and stop. Their sessions
   stay at the broker. What that cost from their connection on is what any run costs once.
2. The queue is filled: every message waits in the programs' own session.
3. The programs start again. Time runs from the moment the broker takes their connection until a
   count in the store says that every message is there. CPU from the connection to the end of an
   orderly stop, less what it costs once, is what the messages cost: acknowledging and accounting
   are in it, importing and closing are not. Memory is the greatest resident size while they run.

Every contender goes through the same, and the count is the same query. A message that does not
reach the store is an error, not a footnote.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial

import msgspec

from benchmarks import mqtt
from benchmarks.child import Child, cpu_seconds, peak_rss_mib
from benchmarks.ingest.contender import Contender, Stage
from benchmarks.publisher import Published, Publisher
from benchmarks.stack import Servers
from benchmarks.workload import SITE, Workload
from tests.servers.waiting import wait_until

_CONNECT_S = 60.0
_OLDER_MS = 3_590_000
_POLL_S = 0.05
_POLL_SHARE = 4  # of the time, at most one part in so many is spent asking


class MessagesLostError(Exception):
    """Messages that a broker had acknowledged are not in the store, or not in the account."""


class QueueRun(msgspec.Struct, frozen=True):
    """What one run came to.

    Attributes:
        contender: who took the queue.
        messages: in the queue.
        stored: points in the store when the run ended, without the one of the start-up.
        seconds: from the first connection to everything stored.
        cpu_s: CPU of the programs, of their whole life.
        startup_cpu_s: the part of it before the broker took their connection.
        once_cpu_s: CPU after the connection in a run with one message.
        peak_mib: greatest resident memory of one program, MiB.
        fill: how the queue was filled.
    """

    contender: str
    messages: int
    stored: int
    seconds: float
    cpu_s: float
    startup_cpu_s: float
    once_cpu_s: float
    peak_mib: float
    fill: Published

    @property
    def rate(self) -> float:
        """Messages stored a second."""
        return self.stored / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU for each message without what a run costs once, microseconds."""
        return (self.cpu_s - self.fixed_cpu_s) / self.messages * 1e6

    @property
    def fixed_cpu_s(self) -> float:
        """CPU that a run costs however many messages there are: start, connect, stop."""
        return self.startup_cpu_s + self.once_cpu_s

    @property
    def lost(self) -> int:
        """Messages that the store does not have."""
        return self.messages - self.stored


def run_queue(
    *,
    servers: Servers,
    contender: Contender,
    workload: Workload,
    messages: int,
    name: str,
    stall_s: float = 60.0,
) -> QueueRun:
    """Have a contender take a queue once.

    Args:
        servers: running.
        contender: who takes it.
        workload: the messages.
        messages: how many.
        name: of the run, unique on these servers: lower-case letters, digits, `-`.
        stall_s: how long the store may get nothing new before the run ends.

    Raises:
        MessagesLostError: the contender keeps an account, and it is not `messages` stored.
        ProgramDiedError: a program ended by itself.
    """
    directory = servers.directory / name
    directory.mkdir()
    bucket = servers.bucket()
    stage = Stage(name, directory, servers.broker.port, bucket, tuple(workload.devices()))
    children = contender.children(stage)
    with ExitStack() as stack:
        stack.callback(bucket.delete)
        for client_id in contender.client_ids(stage):
            stack.callback(mqtt.forget_session, port=stage.broker_port, client_id=client_id)
        for child in children:
            stack.callback(child.kill)
        publisher = Publisher(port=stage.broker_port, workload=workload)
        stack.callback(publisher.close)
        once_cpu_s = _cpu_once(servers, stage, contender, children, publisher)
        start_ms = newest_now_ms(workload, messages)
        fill = publisher.fill(messages, start_ms=start_ms, first_seq=1)
        started = start(servers, stage, contender, children)
        stored = wait_stored(contender, stage, children, expected=messages + 1, stall_s=stall_s)
        seconds = time.perf_counter() - started.at_s
        peak = max(peak_rss_mib(child.pid) for child in children)
        cpu_s = sum(child.stop() for child in children)
        _check_values(contender, stage, stored)
        _check_account(contender, stage, expected=messages + 1, stored=stored)
    return QueueRun(
        contender=contender.name,
        messages=messages,
        stored=stored - 1,
        seconds=seconds,
        cpu_s=cpu_s,
        startup_cpu_s=started.cpu_s,
        once_cpu_s=once_cpu_s,
        peak_mib=peak,
        fill=fill,
    )


def newest_now_ms(workload: Workload, messages: int) -> int:
    """Return an instant for the first message such that the last one is a little in the past.

    Nor is any older than an hour while a device has fewer than 3,500 messages: older ones count as
    late, and Passerelle would write a mark with them.
    """
    return time.time_ns() // 1_000_000 - 1000 * (messages // workload.count + 3)


class Started(msgspec.Struct, frozen=True):
    """Programs whose connections the broker has taken.

    Attributes:
        at_s: when it took the first one, `time.perf_counter`.
        cpu_s: CPU that each used until its own connection, added.
    """

    at_s: float
    cpu_s: float


def start(servers: Servers, stage: Stage, contender: Contender, children: list[Child]) -> Started:
    """Start the programs; return when the broker took all connections."""
    client_ids = contender.client_ids(stage)
    before = {one: servers.connections(one) for one in client_ids}
    taken: dict[str, tuple[float, float]] = {}
    for child in children:
        child.start()

    def connected() -> bool:
        for client_id, child in zip(client_ids, children, strict=True):
            child.check()
            if client_id not in taken and servers.connections(client_id) > before[client_id]:
                taken[client_id] = time.perf_counter(), cpu_seconds(child.pid)
        return len(taken) == len(children)

    wait_until(connected, seconds=_CONNECT_S, what=f"{contender.name} connects", every=0.002)
    return Started(min(at for at, _ in taken.values()), sum(cpu for _, cpu in taken.values()))


def start_subscribed(
    servers: Servers, stage: Stage, contender: Contender, children: list[Child]
) -> Started:
    """Start the programs for the first time; return when all their subscriptions are granted."""
    started = start(servers, stage, contender, children)
    for client_id in contender.client_ids(stage):
        wait_until(
            partial(servers.subscribed, client_id),
            seconds=_CONNECT_S,
            what=f"the subscription of {client_id} is granted",
        )
    return started


def wait_stored(
    contender: Contender, stage: Stage, children: list[Child], *, expected: int, stall_s: float
) -> int:
    """Return how many are stored once it is `expected`, or once it has not grown for `stall_s`."""
    best, progress_s = -1, time.perf_counter()
    while True:
        asked_s = time.perf_counter()
        stored = contender.stored(stage)
        now_s = time.perf_counter()
        if stored > best:
            best, progress_s = stored, now_s
        if stored >= expected or now_s - progress_s > stall_s:
            return stored
        for child in children:
            child.check()
        time.sleep(max(_POLL_S, _POLL_SHARE * (now_s - asked_s)))


def _cpu_once(
    servers: Servers,
    stage: Stage,
    contender: Contender,
    children: list[Child],
    publisher: Publisher,
) -> float:
    """Have the programs make their sessions, store one message, and stop.

    Returns:
        The CPU seconds that they used from their connection to their end.
    """
    started = start_subscribed(servers, stage, contender, children)
    # Older than every message of the queue, by less than what counts as late.
    publisher.fill(1, start_ms=time.time_ns() // 1_000_000 - _OLDER_MS, first_seq=0)
    stored = wait_stored(contender, stage, children, expected=1, stall_s=_CONNECT_S)
    if stored != 1:
        said = "\n".join(child.output()[-2000:] for child in children)
        raise MessagesLostError(f"{contender.name} did not store one message\n{said}")
    return sum(child.stop() for child in children) - started.cpu_s


def _check_values(contender: Contender, stage: Stage, stored: int) -> None:
    values = contender.values(stage)
    if set(values.values()) != {stored}:
        raise MessagesLostError(
            f"{contender.name}: {stored} messages are stored, but not all their values: {values}"
        )


def _check_account(contender: Contender, stage: Stage, *, expected: int, stored: int) -> None:
    account = contender.account(stage)
    if not account:
        return
    wanted = {"received": expected, "stored": expected}
    told = {column: account[column] for column in wanted}
    if told != wanted or stored != expected:
        raise MessagesLostError(
            f"{contender.name} at site {SITE}: the broker acknowledged {expected} messages, the "
            f"store has {stored}, the account says {account}; no figure of this run counts"
        )
