"""The registry: sites, devices, profiles, keys, accounts. SQLite by default, PostgreSQL beyond."""

from devices.registry.access_records import (
    Actor,
    AuditEntry,
    AuditEvent,
    AuditFilter,
    AuditOutcome,
    User,
)
from devices.registry.alert_records import Assignment, RuleState, RuleVersion
from devices.registry.errors import RegistryUnavailableError
from devices.registry.exports import ExportKind, ExportRecord, ExportState
from devices.registry.inventory import ImportResult
from devices.registry.records import (
    ApiKey,
    Binding,
    DeadLetter,
    DeadLetterState,
    Device,
    LedgerRow,
    LetterAction,
    LetterFate,
    LetterFilter,
    LetterOutcome,
    LetterRequest,
    ProfileVersion,
    Site,
    WorkerStatus,
)
from devices.registry.registry import Registry

__all__ = [
    "Actor",
    "ApiKey",
    "Assignment",
    "AuditEntry",
    "AuditEvent",
    "AuditFilter",
    "AuditOutcome",
    "Binding",
    "DeadLetter",
    "DeadLetterState",
    "Device",
    "ExportKind",
    "ExportRecord",
    "ExportState",
    "ImportResult",
    "LedgerRow",
    "LetterAction",
    "LetterFate",
    "LetterFilter",
    "LetterOutcome",
    "LetterRequest",
    "ProfileVersion",
    "Registry",
    "RegistryUnavailableError",
    "RuleState",
    "RuleVersion",
    "Site",
    "User",
    "WorkerStatus",
]
