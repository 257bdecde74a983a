"""How many alarms there are, about what, and how soon somebody looks after them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.schemas import Schema


class Counted(Schema):
    """Alarms that have something in common."""

    alarms: int = Field(description="How many began.")
    withdrawn: int = Field(description="Of these: late values showed that they never were.")
    share: float = Field(description="Of all alarms of the answer, 0 to 1.")


class RuleCount(Counted):
    """Alarms of one rule."""

    rule: str
    subjects: int = Field(description="About how many subjects.")


class SubjectCount(Schema):
    """Alarms about one subject."""

    site: str
    building: str
    zone: str
    device: str
    quantity: str
    person: str
    alarms: int
    share: float = Field(description="Of all alarms of the answer, 0 to 1.")


class SubjectDay(Schema):
    """Alarms about one subject on one day."""

    site: str
    building: str
    zone: str
    device: str
    quantity: str
    person: str
    day: str = Field(description="Day, UTC.")
    alarms: int


class Noisiest(Schema):
    """The tenth of the subjects with the most alarms."""

    subjects: int = Field(description="How many: a tenth of those with alarms, rounded up.")
    alarms: int
    share: float | None = Field(
        description="Of all alarms, 0 to 1; null: there was none. A tenth of the records caused 57 "
        "% of the alarms in one study of intensive care (PLOS ONE 0110274)."
    )
    examples: list[SubjectCount] = Field(description="At most ten, the noisiest first.")


class Delays(Schema):
    """How long it took until somebody acknowledged, of those that somebody did."""

    count: int = Field(description="Alarms that were acknowledged.")
    p50_s: float | None = Field(description="Half of them sooner (nearest rank), seconds.")
    p90_s: float | None = Field(description="Nine tenths of them sooner, seconds.")


class AlertStatisticsAnswer(Schema):
    """The alarms that began in a range of time."""

    start: str
    end: str
    alarms: int = Field(description="How many began to fire, withdrawn ones too.")
    withdrawn: int = Field(description="Late values showed that they never were.")
    retroactive: int = Field(description="Found after the fact, from late values.")
    open: int = Field(description="Still going on now.")
    unattended: int = Field(description="Over without anybody having acknowledged them.")
    subjects: int = Field(description="About how many subjects there was an alarm.")
    days: float = Field(description="Length of the range until now, days.")
    alarms_per_subject_day: float | None = Field(
        description="`alarms` by `subjects` by `days`; null: there was none."
    )
    by_class: dict[str, Counted]
    by_severity: dict[str, Counted]
    by_rule: list[RuleCount] = Field(description="At most a hundred, most alarms first.")
    busiest_days: list[SubjectDay] = Field(
        description="Subjects and days with the most alarms, at most twenty."
    )
    noisiest: Noisiest
    acknowledged: Delays


_SUBJECT = {
    "site": "elgazala", "building": "", "zone": "", "device": "elg-env-004", "quantity": "",
    "person": "",
}  # fmt: skip
STATISTICS_EXAMPLE: dict[str, Any] = {
    "start": "2026-11-16T00:00:00Z",
    "end": "2026-11-23T00:00:00Z",
    "alarms": 40,
    "withdrawn": 1,
    "retroactive": 2,
    "open": 1,
    "unattended": 7,
    "subjects": 11,
    "days": 7.0,
    "alarms_per_subject_day": 0.519,
    "by_class": {
        "measured": {"alarms": 28, "withdrawn": 0, "share": 0.7},
        "no_data": {"alarms": 12, "withdrawn": 1, "share": 0.3},
    },
    "by_severity": {"warning": {"alarms": 40, "withdrawn": 1, "share": 1.0}},
    "by_rule": [
        {"rule": "server-room-hot", "alarms": 28, "withdrawn": 0, "share": 0.7, "subjects": 3}
    ],
    "busiest_days": [{**_SUBJECT, "day": "2026-11-19", "alarms": 9}],
    "noisiest": {
        "subjects": 2,
        "alarms": 24,
        "share": 0.6,
        "examples": [{**_SUBJECT, "alarms": 20, "share": 0.5}],
    },
    "acknowledged": {"count": 32, "p50_s": 94.0, "p90_s": 610.0},
}
