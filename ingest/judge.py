"""What becomes of one message: the decision, without any effect.

Decode, tell whose it is, tell whether it is a duplicate, validate. Whatever the bytes, the answer
is a `Verdict`; a defect of our own code costs the message its place, not the worker its life.
"""

from __future__ import annotations

import msgspec

from core.clock import hour_of
from core.errors import RejectedError
from core.identity import UNASSIGNED_SITE, UNIDENTIFIED_DEVICE, digest
from core.logs import logger
from core.message import Decoded, Defect, MessageKind
from core.reading import Point
from core.reasons import Reason
from ingest import dead_letter
from ingest.arrival import Arrival
from ingest.directory import DeviceName, Directory
from ingest.duplicates import DuplicateWindow
from ingest.ledger import NO_BOOT, Account, Fate
from ingest.progress import ProgressTable
from ingest.spool import NewDeadLetter
from ingest.validate import ClockPolicy, validate
from storage.line_protocol import line_of

_log = logger("ingest.judge")
_MAX_NAME = 200


class Facts(msgspec.Struct, frozen=True):
    """What a bridge tells of its devices: external name -> hardware identifier."""

    profile: str
    site: str
    aliases: dict[str, str]


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of a message.

    Attributes:
        account: whose ledger line it belongs to.
        fate: `pending` with points, `stored` when there is nothing to store, `duplicate`,
            `dead_lettered`, or `redelivered` (not received again).
        digest: of topic and payload.
        points: what is to be stored.
        lines: the same as line protocol, a line a point.
        letters: what is set aside.
        profile: profile that decoded it, or "".
        facts: what it tells of devices, or None.
        seq: the device's message counter, or None.
        seq_modulus: where it begins again at 0; 0: it does not.
    """

    account: Account
    fate: Fate
    digest: bytes
    points: tuple[Point, ...] = ()
    lines: tuple[str, ...] = ()
    letters: tuple[NewDeadLetter, ...] = ()
    profile: str = ""
    facts: Facts | None = None
    seq: int | None = None
    seq_modulus: int = 0


class Judge:
    """Decides; keeps nothing but its parts.

    Args:
        directory: whose devices and profiles count.
        window: what was committed lately.
        progress: the boots of each device.
        clock: which device times are trusted.
        enrol: register unknown devices instead of setting their messages aside.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        window: DuplicateWindow,
        progress: ProgressTable,
        clock: ClockPolicy,
        enrol: bool,
    ) -> None:
        self._directory = directory
        self._window = window
        self._progress = progress
        self._clock = clock
        self._enrol = enrol

    def judge(
        self, arrival: Arrival, *, replayed: bool = False, rewritten: bool = False
    ) -> Verdict:
        """Decide what becomes of `arrival`.

        Args:
            arrival: the message.
            replayed: a person asked to judge a dead letter again.
            rewritten: the message was stored without some of its fields and its points are to be
                written again: it is no duplicate of itself.
        """
        topic = _utf8(arrival.topic)
        identity = digest(topic or repr(arrival.topic), arrival.payload)
        name = self._locate(topic)
        account = self._account(name, arrival)
        if not replayed and self._redelivered(arrival, identity):
            return Verdict(account, Fate.REDELIVERED, identity)
        if topic is None:
            return self._dead(
                arrival, account, identity, Defect(Reason.TOPIC_NOT_UTF8, "the topic is not UTF-8")
            )
        try:
            return self._decode(arrival, topic, account, identity, rewritten=rewritten)
        except RejectedError as error:
            profile = name[0] if name else ""
            defect = Defect(error.code, error.detail)
            return self._dead(arrival, account, identity, defect, profile)
        except Exception as error:  # noqa: BLE001 - one message must not stop the others
            _log.exception("message_not_judged", topic=topic[:_MAX_NAME])
            defect = Defect(
                Reason.INTERNAL_ERROR,
                f"Passerelle itself failed ({type(error).__name__}: {error}); please report it, "
                "then replay",
            )
            return self._dead(arrival, account, identity, defect)

    def _decode(
        self,
        arrival: Arrival,
        topic: str,
        account: Account,
        identity: bytes,
        *,
        rewritten: bool,
    ) -> Verdict:
        decoder = self._directory.snapshot.decoder
        decoded = decoder.decode(dead_letter.raw_message(arrival, topic))
        if decoded.kind is MessageKind.METADATA:
            facts = Facts(decoded.profile, decoded.site, decoded.aliases)
            return Verdict(account, Fate.STORED, identity, profile=decoded.profile, facts=facts)
        device = self._directory.resolve(decoded, enrol=self._enrol)
        if device is None:
            raise RejectedError(
                Reason.UNKNOWN_DEVICE,
                f"no device {decoded.external_id[:_MAX_NAME]!r} with profile {decoded.profile} is "
                f"registered at site {decoded.site!r}; register it, then replay",
            )
        boot = NO_BOOT
        if decoded.boot is not None:
            boot = self._progress.of(device.site, device.id).boot(decoded.boot, account.hour)
        account = Account(device.site, device.id, account.hour, boot)
        if not rewritten and self._published_again(arrival, decoded, identity):
            return Verdict(
                account, Fate.DUPLICATE, identity, profile=decoded.profile, seq=decoded.seq
            )
        judged = validate(
            decoded,
            site=device.site,
            device=device.id,
            received_ns=arrival.received_ns,
            clock=self._clock,
        )
        if not judged.points and judged.defects:
            dead = self._dead(arrival, account, identity, judged.defects[0], decoded.profile)
            return msgspec.structs.replace(dead, seq=decoded.seq, seq_modulus=decoded.seq_modulus)
        if arrival.retain and not _has_own_time(decoded) and decoded.kind is MessageKind.TELEMETRY:
            raise RejectedError(
                Reason.RETAINED_WITHOUT_TIME,
                "the broker replayed a retained message that does not say when it was measured",
            )
        letters = dead_letter.of_fields(
            arrival, account, profile=decoded.profile, defects=judged.defects
        )
        return Verdict(
            account,
            Fate.PENDING if judged.points else Fate.STORED,
            identity,
            points=judged.points,
            lines=tuple([line_of(point) for point in judged.points]),
            letters=tuple(letters),
            profile=decoded.profile,
            seq=decoded.seq,
            seq_modulus=decoded.seq_modulus,
        )

    def _redelivered(self, arrival: Arrival, identity: bytes) -> bool:
        if self._window.is_redelivery(mid=arrival.mid, dup=arrival.dup, digest=identity):
            return True
        return arrival.retain and self._window.received(identity)

    def _published_again(self, arrival: Arrival, decoded: Decoded, identity: bytes) -> bool:
        marked = decoded.seq is not None or _has_own_time(decoded)
        return self._window.seen_within(
            identity,
            now_ns=arrival.received_ns,
            window_s=None if marked else decoded.dedupe_window_s,
        )

    def _locate(self, topic: str | None) -> DeviceName | None:
        if topic is None:
            return None
        try:
            return self._directory.snapshot.decoder.locate(topic)
        except Exception:  # noqa: BLE001 - judged below, where it becomes a dead letter
            _log.exception("topic_not_located", topic=topic[:_MAX_NAME])
            return None

    def _account(self, name: DeviceName | None, arrival: Arrival) -> Account:
        hour = hour_of(arrival.received_ns)
        if name is None:
            return Account(UNASSIGNED_SITE, UNIDENTIFIED_DEVICE, hour)
        device = self._directory.snapshot.resolve_name(name)
        if device is not None:
            return Account(device.site, device.id, hour)
        return Account(name[1][:_MAX_NAME], name[2][:_MAX_NAME], hour)

    def _dead(
        self,
        arrival: Arrival,
        account: Account,
        identity: bytes,
        defect: Defect,
        profile: str = "",
    ) -> Verdict:
        letter = dead_letter.of_message(arrival, account, profile=profile, defect=defect)
        return Verdict(account, Fate.DEAD_LETTERED, identity, letters=(letter,), profile=profile)


def _utf8(topic: bytes) -> str | None:
    try:
        return topic.decode()
    except UnicodeDecodeError:
        return None


def _has_own_time(decoded: Decoded) -> bool:
    return not decoded.relative_time and any(
        sample.time_ns is not None for sample in decoded.samples
    )
