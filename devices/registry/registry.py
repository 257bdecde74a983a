"""The registry: what the platform knows of sites, devices, profiles, keys and accounts."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from core.clock import Clock
from devices.registry.accounts import LedgerRepository, WorkerRepository
from devices.registry.alerts import AlertRepository
from devices.registry.answered import AnsweredWriteRepository
from devices.registry.assignments import AssignmentRepository
from devices.registry.audit import AuditRepository
from devices.registry.database import Database
from devices.registry.exports import ExportRepository
from devices.registry.inventory import DeviceRepository
from devices.registry.kept import KeptRepository
from devices.registry.keys import KeyRepository
from devices.registry.leases import LeaseRepository
from devices.registry.letters import DeadLetterRepository
from devices.registry.migrate import migrate
from devices.registry.notices import NoticeRepository
from devices.registry.places import SiteRepository
from devices.registry.profiles import ProfileRepository
from devices.registry.records import Binding, ProfileVersion
from devices.registry.remembered import Remembered
from devices.registry.rules import RuleRepository
from devices.registry.silences import SilenceRepository
from devices.registry.tables import revision
from devices.registry.users import UserRepository


class Registry:
    """One database, open. Every method is one short transaction; any thread may call.

    Every method raises `RegistryUnavailableError` when the database does not answer.

    Attributes:
        sites: the sites.
        devices: the devices and their aliases.
        profiles: the profiles and their topics.
        keys: the API keys.
        users: the users.
        audit: what was read of vital signs, refused, or changed of who may what.
        ledger: the workers' ledgers.
        dead_letters: the workers' dead letters, and replays.
        workers: the workers' signs of life.
        answered: writes that were answered under an idempotency key.
        exports: export jobs and snapshots.
        kept: newest values, and hours whose roll-ups must be made anew.
        leases: who does what only one process may do.
        alerts: the alerts, and what happened to them.
        silences: which alerts nobody is told of.
        rules: the alert rules, every version.
        assignments: who wears which device.
        notices: orders to tell somebody of alerts, and the attempts to deliver them.
    """

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._remembered = Remembered(database, clock=clock)
        self.sites = SiteRepository(database, remembered=self._remembered)
        self.devices = DeviceRepository(database, clock=clock, remembered=self._remembered)
        self.profiles = ProfileRepository(database, clock=clock)
        self.keys = KeyRepository(database, clock=clock)
        self.users = UserRepository(database, clock=clock)
        self.audit = AuditRepository(database, clock=clock)
        self.ledger = LedgerRepository(database)
        self.dead_letters = DeadLetterRepository(database, clock=clock)
        self.workers = WorkerRepository(database)
        self.answered = AnsweredWriteRepository(database, clock=clock)
        self.exports = ExportRepository(database)
        self.kept = KeptRepository(database, clock=clock)
        self.leases = LeaseRepository(database, clock=clock)
        self.alerts = AlertRepository(database)
        self.silences = SilenceRepository(database)
        self.rules = RuleRepository(database, clock=clock)
        self.assignments = AssignmentRepository(database)
        self.notices = NoticeRepository(database)

    @classmethod
    def open(cls, url: str, *, clock: Clock) -> Registry:
        """Open the registry at `url`; nothing is connected yet.

        Raises:
            ConfigurationError: the address is of no database that the registry can be kept in.
        """
        return cls(Database(url), clock=clock)

    def migrate(self) -> None:
        """Bring the tables to the present form; several processes may do so at once.

        Raises:
            ConfigurationError: a newer Passerelle brought them to a form unknown to this one.
        """
        migrate(self._database)

    def seed(self, profiles: Iterable[ProfileVersion], bindings: Iterable[Binding]) -> None:
        """Add the pilot sites, these profiles and these bindings, where they are missing."""
        self.sites.seed()
        self.profiles.seed(profiles, bindings)

    def ping(self) -> None:
        """Return when the database answers."""
        with self._database.read() as connection:
            connection.execute(select(1))

    def revision(self) -> int:
        """Return a number that grows with each change of what decides how messages are judged.

        Sites, devices and their labels, assignments, profiles, bindings and alert rules.
        """
        with self._database.read() as connection:
            return int(connection.execute(select(revision.c.value)).scalar() or 0)

    def recent_revision(self) -> int:
        """Return `revision` as it was a moment ago (`devices.registry.remembered`)."""
        return self._remembered.revision()

    def close(self) -> None:
        """Close every connection."""
        self._database.close()
