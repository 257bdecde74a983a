"""The platform under a fault: a real Mosquitto, a real InfluxDB, proxies, workers, a publisher."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from benchmarks.child import peak_rss_mib
from core.clock import NS_PER_S, SystemClock
from core.settings import load_settings
from devices.registry import Device, Registry
from devices.seeding import prepare
from tests.reliability import evidence
from tests.reliability.evidence import Account
from tests.reliability.fault import Fault
from tests.reliability.messages import SITE, Message, name_of, series
from tests.reliability.packets import SUBACK, packets
from tests.reliability.recovery import Recovery
from tests.reliability.scale import Scale
from tests.reliability.traffic import Traffic
from tests.servers.http_proxy import HttpProxy
from tests.servers.influxdb2 import InfluxDB2, InfluxDB2Server, new_influxdb2
from tests.servers.mosquitto import new_mosquitto, password_line
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.waiting import wait_until
from tests.support.programs import Program
from tests.support.site import Site

PUBLISHER = ("publisher", "of-the-fault-suite")
"""Who publishes at a broker that asks."""
_READY_S = 60.0
_SETTLED_S = 180.0
_QUIET_S = 1.0
_OLDER_S = 2 * 3600


class Rig:
    """Everything of one fault; a context manager.

    Args:
        fault: what will be done.
        scale: how large.
        directory: empty.
        store: a running InfluxDB.

    Attributes:
        broker: Mosquitto, of this fault alone.
        link: the workers' way to it.
        gate: the workers' way to the store.
        server: the store, when it is of this fault alone.
        site: settings and programs.
        acknowledged: what the broker has acknowledged, each as often as it was published.
        overwritten: what the head of a spool was that a fault has overwritten.
        problems: what a fault saw that it should not have seen.
        messages: what is published, in order, unless a fault chooses others.
    """

    def __init__(self, *, fault: Fault, scale: Scale, directory: Path, store: InfluxDB2) -> None:
        self.fault = fault
        self.scale = scale
        self.directory = directory
        self._shared = store
        self._stack = ExitStack()
        self.broker = new_mosquitto(_made(directory / "mosquitto"), fault.broker)
        if fault.broker.username:
            with (directory / "mosquitto" / "passwords").open("a") as passwords:
                passwords.write(password_line(*PUBLISHER))
        self.link = TcpProxy(self.broker.port)
        self.server: InfluxDB2Server | None = None
        self.acknowledged: list[Message] = []
        self.problems: list[str] = []
        self.overwritten = b""
        self._traffic: Traffic | None = None
        self._recovery = Recovery(account=self.account, enough=fault.broker_may_lose)
        self._peak_mib = 0.0
        self._programs: list[Program] = []
        self.messages = series(
            scale.devices,
            scale.messages // scale.devices,
            start_ns=time.time_ns() - _OLDER_S * NS_PER_S,
        )

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.broker)
            stack.enter_context(self.link)
            if self.fault.own_store:
                self.server = stack.enter_context(new_influxdb2(_made(self.directory / "influxdb")))
            self.store = self.server.access if self.server else self._shared
            self.gate = stack.enter_context(HttpProxy(self.store.url))
            self.bucket = self.store.create_bucket()
            self.site = Site(self.directory, **self._settings())
            self.data = self.spool_directory = Path(self.site.environment["PASSERELLE_DATA_DIR"])
            self.registry = self._registry(stack)
            stack.callback(self._kill_all)
            stack.callback(self._recovery.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def worker(
        self,
        name: str = "worker-1",
        *,
        faulty: bool = False,
        spool: Path | None = None,
        **settings: str,
    ) -> Program:
        """Return a worker, not started.

        Args:
            name: of the worker.
            spool: its spool's file, where it is not the usual one.
            faulty: the test build (`tests.support.faulty_worker`).
            settings: environment variables of its own.
        """
        module = "tests.support.faulty_worker" if faulty else "ingest"
        number = len(self._programs)
        program = self.site.program("-m", module, log=f"{name}-{number}")
        program.environment |= {"PASSERELLE_INGEST__WORKER": name, **settings}
        if spool is not None:
            program.environment["PASSERELLE_SPOOL__PATH"] = str(spool)
        self._programs.append(program)
        return program

    def start(self, program: Program) -> Program:
        """Start a worker; return when the broker has granted its subscription."""
        before = len(self.link.heard())
        program.start()
        wait_until(
            lambda: self._subscribed(before) or ended(program),
            seconds=_READY_S,
            what="the worker's subscription is granted",
        )
        if ended(program):
            raise RuntimeError(f"the worker ended:\n{program.output()[-3000:]}")
        return program

    def running(self) -> Program:
        """Start the usual worker and return it."""
        return self.start(self.worker())

    @contextlib.contextmanager
    def traffic(
        self, messages: Sequence[Message] | None = None, *, rate: float | None = None
    ) -> Iterator[Traffic]:
        """Publish while the context lasts; at its end everything is acknowledged by the broker.

        Args:
            messages: what is published; default: the usual ones.
            rate: messages a second; default: that of the scale.
        """
        traffic = Traffic(
            port=self.broker.port,
            messages=self.messages if messages is None else messages,
            rate=rate or self.scale.rate,
            user=PUBLISHER if self.fault.broker.username else None,
        )
        self._traffic = traffic
        try:
            traffic.start()
            yield traffic
            self.acknowledged += traffic.finish()
        finally:
            self._traffic = None
            traffic.close()

    def check(self, what: str, *, holds: bool) -> None:
        """Note a problem when something that must hold does not."""
        if not holds:
            self.problems.append(what)

    def until(self, condition: Callable[[], bool], *, what: str, seconds: float = 60.0) -> None:
        """Wait for something that the fault is about."""
        wait_until(condition, seconds=seconds, what=what)

    def mended(self, *, elsewhere: int = 0, since_s: float | None = None) -> None:
        """Say that the fault is over: the time to recover runs from now.

        Args:
            since_s: it ran since then already, monotonic.
            elsewhere: messages that were received into a spool that is not in use any more.
        """
        self._recovery.mended(published=self._published - elsewhere, since_s=since_s)

    def settle(self, *, expected: int | None = None, seconds: float = _SETTLED_S) -> None:
        """Wait until everything is accounted for; give up silently: the evidence will tell.

        Args:
            expected: messages that the workers receive; default: all acknowledged ones. Where the
                broker may lose some, it is until nothing more comes.
            seconds: longest wait.
        """
        wanted = len(self.acknowledged) if expected is None else expected
        seen: tuple[Account, float] = (Account(), time.monotonic())

        def settled() -> bool:
            nonlocal seen
            self.note_memory()
            account = self.account()
            if account != seen[0]:
                seen = (account, time.monotonic())
            if account.pending:
                return False
            if account.received >= wanted:
                return True
            quiet_s = time.monotonic() - seen[1]
            return self.fault.broker_may_lose and quiet_s > _QUIET_S and account.received > 0

        with contextlib.suppress(TimeoutError):
            wait_until(settled, seconds=seconds, what="everything is accounted for", every=0.05)

    def told(self) -> Account:
        """Return the sums of the ledger as the registry was told."""
        return evidence.account_told(self.registry)

    def account_of(self, worker: str) -> Account:
        """Return the sums of the ledger on one worker's disk."""
        return evidence.account_on_disk([self.spool_directory / f"spool-{worker}.db"])

    @property
    def _published(self) -> int:
        """How many messages must have met their fate: while some are on the way, one more."""
        under_way = self._traffic.acknowledged + 1 if self._traffic else 0
        return len(self.acknowledged) + under_way

    @property
    def recovered_s(self) -> float:
        """Time from the end of the fault until what was published before has met its fate, s."""
        return self._recovery.seconds

    @property
    def peak_mib(self) -> float:
        """Greatest resident memory of a worker that was seen, MiB."""
        return self._peak_mib

    def note_memory(self) -> None:
        """Remember how much memory the running workers have used at most."""
        for program in self._programs:
            if program.process is not None and program.process.poll() is None:
                with contextlib.suppress(Exception):
                    self._peak_mib = max(self._peak_mib, peak_rss_mib(program.process.pid))

    def account(self) -> Account:
        """Return the sums of the ledgers on disk; an empty one while there is none."""
        with contextlib.suppress(sqlite3.Error):
            return evidence.account_on_disk(self.spools())
        return Account()

    def spools(self) -> list[Path]:
        """Return the spool files in use."""
        return sorted(self.spool_directory.glob("spool-*.db"))

    def set_aside(self) -> list[Path]:
        """Return files that were spools."""
        return sorted(self.spool_directory.glob("spool-*.damaged-*"))

    def set_aside_spool(self) -> Path:
        """Return the one spool file that was set aside."""
        (found,) = [
            path
            for path in self.set_aside()
            if not path.name.endswith(("-wal", "-shm", ".salvaged"))
        ]
        return found

    def salvage(self, spool: Path) -> str:
        """Bring what waits in a damaged spool to the store; return what the command printed."""
        return self.site.command("spool", "salvage", str(spool))

    def verify(self) -> list[str]:
        """Have `passerelle verify` recompute the account; return what it names."""
        program = self.site.program("-m", "cli", "verify", "--json", log="verify")
        done = subprocess.run(
            program.command,
            env=program.environment | self._where(),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode == 0:
            return []
        told = json.loads(done.stdout) if done.stdout else {}
        named = [
            f"{one['kind']}: {one['what']} of {one['device'] or 'all devices'}: "
            f"{one['one']['where']} {one['one']['says']}, {one['other']['where']} "
            f"{one['other']['says']}"
            for one in told.get("differences", [])
        ]
        return [*named, *told.get("obstacles", [])] or [done.stderr[-500:]]

    def _where(self) -> dict[str, str]:
        if self.spool_directory == self.data:
            return {}
        return {"PASSERELLE_SPOOL__PATH": str(self.spools()[0])}

    def at_the_end(self, do: Callable[[], object]) -> None:
        """Do something when the fault is over and everything was judged."""
        self._stack.callback(do)

    def output(self) -> str:
        """Return what all workers have logged."""
        return "\n".join(program.output() for program in self._programs)

    def finish(self) -> None:
        """Stop the workers in order."""
        for program in self._programs:
            if program.process is not None and program.process.poll() is None:
                self.note_memory()
                program.stop()

    def _subscribed(self, before: int) -> bool:
        return any(
            kind == SUBACK for stream in self.link.heard()[before:] for kind, _ in packets(stream)
        )

    def _settings(self) -> dict[str, str]:
        user = ""
        if self.fault.broker.username:
            user = f"{self.fault.broker.username}:{self.fault.broker.password}@"
        return {
            "PASSERELLE_MQTT__URL": f"mqtt://{user}127.0.0.1:{self.link.port}",
            **self.store.settings(self.bucket),
            "PASSERELLE_STORE__URL": f"influxdb+{self.gate.url}",
            **self.scale.settings,
            **self.fault.settings,
        }

    def _registry(self, stack: ExitStack) -> Registry:
        self.data.mkdir()
        registry = Registry.open(f"sqlite:///{self.data / 'registry.db'}", clock=SystemClock())
        stack.callback(registry.close)
        prepare(registry, load_settings(data_dir=self.data))
        devices = max(self.scale.devices, self.scale.devices_at_once)
        registry.devices.add_many(
            [
                Device(
                    id=name_of(number), site=SITE, profile="passerelle", external_id=name_of(number)
                )
                for number in range(devices)
            ]
        )
        return registry

    def _kill_all(self) -> None:
        for program in self._programs:
            if program.process is not None and program.process.poll() is None:
                program.kill()


def ended(program: Program) -> bool:
    """Say whether a program that was started has ended."""
    return program.process is not None and program.process.poll() is not None


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
