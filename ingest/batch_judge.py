"""Judging a batch: the usual messages in one loop, every other by `ingest.judge`.

A usual message is one that its format's flat reader reads, of a registered device, never seen
before, with its instant as it should be: nearly all of them. The loop does for it
what `ingest.judge` and `ingest.validate` would do, with what is the same for all messages of a
topic, or of a list of quantities, looked up once. Whatever is not quite usual is left to them; they
decide, and they say why. A test holds the loop to their answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from core.clock import NS_PER_HOUR, NS_PER_S
from core.identity import DIGEST_SIZE
from core.quality import Quality
from devices.formats import Flat, FlatFormat, FlatReader
from ingest.arrival import Arrival
from ingest.batch import Batch, Other
from ingest.directory import Directory, Snapshot
from ingest.duplicates import DuplicateWindow
from ingest.judge import Judge, Verdict
from ingest.ledger import NO_BOOT, Account, Fate, Line
from ingest.progress import Progress, ProgressTable
from ingest.sequence import Stream
from ingest.shapes import Shape, shape_of
from ingest.validate import LATE_NS, ClockPolicy
from storage.line_protocol import tags_of

_MAX_ROUTES = 100_000
_MAX_SHAPES = 1000
_S_PER_HOUR = NS_PER_HOUR // NS_PER_S
_EARLIEST = -(2**63)
_SERVER_TIME = int(Quality.SERVER_TIME)
_LATE = int(Quality.LATE)
_SIMULATED = int(Quality.SIMULATED)


class _Route:
    """What is the same for all usual messages of a topic, and for those of one batch."""

    __slots__ = (
        "account", "batch", "boot", "device", "format", "hour", "latest", "line", "owner",
        "profile", "progress", "read", "shape", "site", "stream", "tags",
    )  # fmt: skip

    account: Account
    batch: Batch | None
    boot: int | None
    hour: int
    latest: dict[str, int]
    line: Line
    owner: int
    progress: Progress
    shape: Shape
    stream: Stream

    def __init__(
        self, *, flat: FlatFormat | None, profile: str = "", site: str = "", device: str = ""
    ) -> None:
        self.format = flat
        self.read: FlatReader = _read_nothing
        self.profile = profile
        self.site = site
        self.device = device
        self.tags = tags_of(site, device).encode() if flat is not None else b""
        self.batch = None
        self.boot = None
        self.hour = -1


def _read_nothing(_payload: bytes) -> None:
    return None


_UNUSUAL = _Route(flat=None)


class BatchJudge:
    """Decides what becomes of messages, a batch at a time; belongs to the accept stage's thread.

    Args:
        judge: decides what is not usual.
        directory: whose devices and profiles count.
        window: what was committed lately; what is judged is added to it.
        progress: how far each device has come; likewise.
        clock: which device times are trusted.
    """

    def __init__(
        self,
        *,
        judge: Judge,
        directory: Directory,
        window: DuplicateWindow,
        progress: ProgressTable,
        clock: ClockPolicy,
    ) -> None:
        self._judge = judge
        self._directory = directory
        self._window = window
        self._progress = progress
        self._clock = clock
        self._readers: dict[tuple[FlatFormat, tuple[str, ...]], tuple[FlatReader, Shape]] = {}
        self._routes: dict[bytes, _Route] = {}
        self._snapshot: Snapshot | None = None

    def judge(  # noqa: C901, PLR0912, PLR0915 - one loop: a call per message is what it saves
        self, arrivals: Sequence[Arrival]
    ) -> Batch:
        """Return what becomes of messages, in the order of their arrival."""
        batch = Batch()
        self._refresh()
        window, routes = self._window, self._routes
        seen = window.seen if window.enabled else {}
        delivered = window.delivered
        earliest_ns, ahead_ns = self._clock.earliest_ns, self._clock.ahead_ns
        identities = batch.identities
        mids, digests, times = identities.mids, identities.digests, identities.times
        lines, owners, sizes = batch.lines, batch.owners, batch.sizes
        generation = window.generation
        now_ns, hour, late_ns, latest_ns = -1, 0, 0, 0
        for arrival in arrivals:
            if arrival.generation != generation:
                generation = arrival.generation
                window.connection(generation=generation, resumed=arrival.resumed)
            topic, payload = arrival.topic, arrival.payload
            route = routes.get(topic)
            if route is None:
                route = self._route(topic)
            if (
                arrival.dup
                or arrival.retain
                or window.resuming
                or arrival.facts_only
                or (flat := route.read(payload) or self._learn(route, payload)) is None
            ):
                self._one(arrival, batch)
                continue
            values, at, seq, boot, simulated = flat
            received_ns = arrival.received_ns
            if received_ns != now_ns:  # what one read of the connection brought has one instant
                now_ns = received_ns
                hour = received_ns // NS_PER_HOUR * _S_PER_HOUR
                late_ns, latest_ns = received_ns - LATE_NS, received_ns + ahead_ns
            digest = blake2b(topic + b"\x00" + payload, digest_size=DIGEST_SIZE).digest()
            quality = 0
            if at is None:
                at = received_ns
                quality = _SERVER_TIME
            elif at < late_ns:
                quality = _LATE
            if digest in seen or at < earliest_ns or at > latest_ns:
                self._one(arrival, batch)
                continue
            if simulated:
                quality |= _SIMULATED
            shape = route.shape
            mid = arrival.mid
            seen[digest] = received_ns
            if mid:
                delivered[mid] = digest
            mids.append(mid)
            digests.append(digest)
            times.append(received_ns)
            lines.append(shape.lines(values, route.tags, at, quality))
            if route.batch is not batch or route.boot != boot or route.hour != hour:
                self._open(route, batch, hour, boot)
            owners.append(route.owner)
            sizes.append(shape.points)
            if seq is not None:
                stream = route.stream
                if seq == stream.next:
                    stream.next = seq + 1
                else:
                    _observe(batch, route.account, stream, seq)
            latest, line = route.latest, route.line
            for category, count in shape.counts:
                if at > latest.get(category, _EARLIEST):
                    latest[category] = at
                    line.values_new += count
                else:
                    line.values_other += count
        batch.count_usual()
        if digests:
            window.close_batch(digests, newest_ns=max(times))
        batch.progress = list(self._progress.take_changed())
        return batch

    def note(self, batch: Batch, verdict: Verdict) -> None:
        """Add what an unusual message says of its device's progress."""
        account = verdict.account
        if verdict.seq is None and not verdict.points:
            return
        progress = self._progress.of(account.site, account.device)
        if verdict.seq is not None:
            stream = progress.stream(account.boot)
            _observe(batch, account, stream, verdict.seq, modulus=verdict.seq_modulus)
        line = batch.ledger.line(account)
        for point in verdict.points:
            if point.time_ns > progress.latest.get(point.category, _EARLIEST):
                progress.latest[point.category] = point.time_ns
                line.values_new += len(point.values)
            else:
                line.values_other += len(point.values)

    def _one(self, arrival: Arrival, batch: Batch) -> None:
        verdict = self._judge.judge(arrival)
        before = len(batch.owners)
        if verdict.facts is not None:
            batch.facts.append(verdict.facts)
        waits = verdict.fate is Fate.PENDING and not arrival.facts_only
        batch.others.append(Other(before, verdict.fate, verdict.account, waits))
        if arrival.facts_only:
            return
        batch.fates[verdict.fate] += 1
        if verdict.profile:
            batch.profiles[verdict.profile] += 1
        if verdict.fate is Fate.REDELIVERED:
            batch.ledger.redeliver(verdict.account)
            return
        batch.ledger.receive(verdict.account, verdict.fate)
        entry = batch.keep(verdict, mid=arrival.mid, received_ns=arrival.received_ns)
        self._window.note(entry)
        if verdict.fate is not Fate.DUPLICATE:
            self.note(batch, verdict)

    def _refresh(self) -> None:
        """Forget what was looked up in an older snapshot of the registry."""
        if self._directory.snapshot is not self._snapshot or len(self._routes) > _MAX_ROUTES:
            self._snapshot = self._directory.snapshot
            self._routes.clear()
            self._readers.clear()

    def _route(self, topic: bytes) -> _Route:
        """Return the route of a topic; it is kept when its device is known."""
        decoder = self._directory.snapshot.decoder
        try:
            text = topic.decode()
            name = decoder.locate(text)
            flat = decoder.flat_format(text)
            device = self._directory.known(name) if name is not None and flat is not None else None
            if device is None:
                return _UNUSUAL
            route = _Route(flat=flat, profile=device.profile, site=device.site, device=device.id)
        except ValueError:  # not UTF-8, or a name that cannot be stored: `ingest.judge` says so
            return _UNUSUAL
        self._routes[topic] = route
        return route

    def _learn(self, route: _Route, payload: bytes) -> Flat | None:
        """Read a message with other quantities than the last of its topic, if it is usual."""
        names = route.format.names(payload) if route.format is not None else None
        if route.format is None or names is None:
            return None
        key = (route.format, names)
        if key not in self._readers:
            shape = shape_of(names) if len(self._readers) < _MAX_SHAPES else None
            if shape is None:
                return None
            self._readers[key] = (route.format.reader(shape.bounds), shape)
        route.read, route.shape = self._readers[key]
        return route.read(payload)

    def _open(self, route: _Route, batch: Batch, hour: int, boot: int | None) -> None:
        """Look up what is the same for the messages of a topic, boot and hour in this batch."""
        route.progress = self._progress.of(route.site, route.device)
        counted = route.progress.boot(boot, hour)
        route.account = Account(route.site, route.device, hour, counted)
        route.stream = route.progress.stream(counted)
        route.line = batch.ledger.line(route.account)
        route.latest = route.progress.latest
        route.owner = batch.usual(route.account, route.profile)
        route.batch, route.boot, route.hour = batch, boot, hour


def _observe(batch: Batch, account: Account, stream: Stream, seq: int, *, modulus: int = 0) -> None:
    restarts = account.boot == NO_BOOT and not modulus
    for hour, change in stream.observe(seq, hour=account.hour, modulus=modulus, restarts=restarts):
        found_in = Account(account.site, account.device, hour, account.boot)
        batch.ledger.line(found_in).missing += change
