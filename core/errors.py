"""The error hierarchy: each error says what happened, where, and what to do.

`Problem` carries a stable `code` (a slug used in dead letters, logs, metrics and problem+json
types), so that a person can search for it and a program can branch on it.
"""

from __future__ import annotations

from typing import NamedTuple


class PasserelleError(Exception):
    """Root of every error that Passerelle raises on purpose.

    Args:
        detail: one sentence for a person: what, where, what to do.
    """

    code: str = "error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Place(NamedTuple):
    """Where in a document something is wrong.

    Attributes:
        line: 1 is the first.
        field: such as `when.threshold.above`, or "": the document as a whole.
        detail: what is wrong there, without the place.
    """

    line: int
    field: str
    detail: str


class ConfigurationError(PasserelleError):
    """A setting, file or address that a person has to correct before the program can run.

    Attributes:
        place: where in a document, when it is about one whose lines are known.
    """

    code = "configuration"
    place: Place | None = None


class ProfileError(ConfigurationError):
    """A device profile that cannot be loaded; names the file, the line and the field."""

    code = "profile"


class RuleError(ConfigurationError):
    """An alert rule that cannot be used; names the file, the line and the field."""

    code = "rule"


class PolicyError(ConfigurationError):
    """A policy of alerts that cannot be used; names the file, the line and the field."""

    code = "policy"


class UnknownUnitError(ConfigurationError):
    """A unit that is unknown, or that does not measure the quantity it is used for."""

    code = "unknown_unit"


class UnknownQuantityError(PasserelleError):
    """A quantity name that is not in the catalogue."""

    code = "unknown_quantity"


class NotFoundError(PasserelleError):
    """Something named by a person (a site, a device, a dead letter) does not exist."""

    code = "not_found"


class ConflictError(PasserelleError):
    """Something with that name exists already, or changed meanwhile."""

    code = "conflict"


class RejectedError(PasserelleError):
    """A message that cannot become readings: it goes to the dead letters with this reason.

    Args:
        code: stable reason, one of `core.reasons.Reason`.
        detail: one sentence for a person.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class StoreUnavailableError(PasserelleError):
    """The telemetry store cannot be reached or asks to wait; nothing was decided, try again.

    Args:
        detail: what was tried and what the store answered.
        retry_after_s: seconds that the store asked for, or None.
    """

    code = "store_unavailable"

    def __init__(self, detail: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class ExportsBusyError(PasserelleError):
    """As many exports are under way as the settings allow; ask again later, or order a job."""

    code = "exports_busy"


class ExportsUnavailableError(PasserelleError):
    """The files of exports cannot be kept: their directory cannot be used."""

    code = "exports_unavailable"


class QueryTooLargeError(PasserelleError):
    """A query that would return or scan more than the configured bound.

    Args:
        detail: what was asked for and the bound.
        hint: a query that would fit.
    """

    code = "query_too_large"

    def __init__(self, detail: str, *, hint: str) -> None:
        super().__init__(detail)
        self.hint = hint
