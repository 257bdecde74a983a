"""`/v1/alert-channels`: through which channels people are told, and whether these work."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Request

from alerts.deliver.bodies import record_of
from alerts.deliver.spec import ChannelSpec
from alerts.model import Notice, Occasion
from alerts.policy import load_policy
from api.access.requires import requires
from api.access.visibility import AccessDep
from api.alerting.notes import caller_name, note_alert_change
from api.documentation import answers
from api.parameters import UTC
from api.schemas.alert_channels import (
    CHANNELS_EXAMPLE,
    TEST_EXAMPLE,
    ChannelAnswer,
    ChannelsAnswer,
    TestOrdered,
)
from api.services import Services, ServicesDep
from api.times import in_zone
from core.access import Permission
from core.errors import ConfigurationError, ConflictError, NotFoundError
from devices.registry.alert_records import Attempt, AttemptOutcome, NoticeState
from devices.registry.notices import NoticeFilter, NoticeRepository

ROUTER = APIRouter(prefix="/v1/alert-channels", tags=["alerts"])
_NEEDS = requires(Permission.MANAGE_CHANNELS)
_LOOKED_AT = 20
_ENDED = (AttemptOutcome.DELIVERED, AttemptOutcome.RETRY, AttemptOutcome.REFUSED)


@ROUTER.get("", openapi_extra=_NEEDS, summary="List channels", responses=answers(CHANNELS_EXAMPLE))
def list_channels(services: ServicesDep) -> ChannelsAnswer:
    """Return the channels of the policy, without what is secret, and how each does."""
    try:
        channels = _channels(services)
    except ConfigurationError as error:
        return ChannelsAnswer(channels=[], problem=error.detail)
    notices = services.registry.notices
    waiting = notices.waiting()
    return ChannelsAnswer(
        channels=[
            ChannelAnswer.of(
                spec,
                last=_last(notices, name),
                delivered_ns=_delivered_ns(notices, name),
                waiting=waiting.get(name),
            )
            for name, spec in sorted(channels.items())
        ],
        problem=None,
    )


@ROUTER.post(
    "/{name}/test",
    status_code=202,
    openapi_extra=_NEEDS,
    summary="Try a channel",
    responses=answers(
        TEST_EXAMPLE, "bad_request", "not_found", "conflict", "body_too_large", status=202
    ),
)
def try_channel(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    name: Annotated[str, Path(description="Name of the channel.", max_length=256)],
) -> TestOrdered:
    """Order a notice that says that nothing is the matter; the list shows what came of it."""
    try:
        known = _channels(services)
    except ConfigurationError as error:
        raise ConflictError(f"the policy cannot be read: {error.detail}") from None
    if name not in known:
        raise NotFoundError(f"there is no channel {name[:60]!r}; see /v1/alert-channels")
    now_ns = services.clock.now_ns()
    notice = Notice(
        id=f"test-{secrets.token_hex(8)}",
        occasion=Occasion.TEST,
        channel=name,
        created_ns=now_ns,
        facts={"channel": name, "by": caller_name(access)},
    )
    services.registry.notices.add([record_of(notice)])
    detail = f"test notice {notice.id} ordered through channel {name}"
    note_alert_change(request, services, access, detail, status=202)
    return TestOrdered(notice=notice.id, channel=name, created=in_zone(now_ns, UTC))


def _channels(services: Services) -> Mapping[str, ChannelSpec]:
    return load_policy(services.settings.alerts.policy).channels


def _last(notices: NoticeRepository, channel: str) -> Attempt | None:
    """Return the newest attempt that ended, among those at the newest notices."""
    found = [
        attempt
        for notice in notices.list(NoticeFilter(channel=channel), limit=_LOOKED_AT)
        for attempt in notices.attempts(notice.id)
        if attempt.outcome in _ENDED
    ]
    return max(found, key=lambda one: one.started_ns, default=None)


def _delivered_ns(notices: NoticeRepository, channel: str) -> int | None:
    wanted = NoticeFilter(channel=channel, states=(NoticeState.DELIVERED.value,))
    return next((one.finished_ns for one in notices.list(wanted, limit=1)), None)
