from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from alerts.deliver.bodies import notice_of
from alerts.model import Occasion
from api.app import create_app
from core.access import Role
from core.settings import load_settings
from devices.registry.alert_records import AttemptOutcome
from tests.unit.api.alerting import MINUTE_NS, audited, caller, problem
from tests.unit.api.world import NOW_NS, Caller, World

POLICY = """\
channels:
  mail: {url: "mailtos://post:s3cret-word@mail.example.net", language: fr, per_hour: 60}
  siren: {mqtt: "passerelle/v1/{site}/alerts"}
default: {channels: [mail, siren]}
"""
Serve = Callable[[str], Caller]


@pytest.fixture
def serve(world: World, tmp_path: Path) -> Serve:
    """Return what gives an administrator's client of an API with a policy."""

    def serve(policy: str) -> Caller:
        file = tmp_path / "policy.yaml"
        file.write_text(policy)
        app = create_app(
            settings=load_settings(data_dir=world.settings.data_dir, alerts={"policy": file}),
            registry=world.registry,
            store=world.store,
            metrics=world.metrics,
            clock=world.clock,
        )
        made: Caller = world.caller(app, key=world.key)
        return made

    return serve


def test_channels_are_shown_without_secrets_and_as_not_tried_yet(serve: Serve) -> None:
    answer = serve(POLICY).get("/v1/alert-channels")
    mail, siren = answer.json()["channels"]
    assert (mail["name"], mail["kind"], mail["address"]) == ("mail", "url", "mailtos://***")
    assert (mail["language"], mail["per_hour"], mail["up"]) == ("fr", 60, None)
    assert siren["address"] == "passerelle/v1/{site}/alerts"
    assert "s3cret" not in answer.text


def test_a_channel_is_tried_and_shows_how_it_does(world: World, serve: Serve) -> None:
    client = serve(POLICY)
    answer = client.post("/v1/alert-channels/mail/test")
    assert answer.status_code == 202
    ordered = world.registry.notices.get(answer.json()["notice"])
    notice = notice_of(ordered)
    assert (notice.occasion, notice.channel) == (Occasion.TEST, "mail")
    assert notice.facts == {"channel": "mail", "by": "tests"}
    assert audited(world) == [f"test notice {notice.id} ordered through channel mail"]
    notices = world.registry.notices
    [mail, _] = client.get("/v1/alert-channels").json()["channels"]
    assert (mail["waiting"], mail["waiting_since"]) == (1, "2026-11-23T10:00:00Z")
    begun = notices.begin(notice.id, NOW_NS)
    notices.finish(begun, AttemptOutcome.RETRY, detail="535 no s3cret-word", now_ns=NOW_NS,
                   next_ns=NOW_NS + MINUTE_NS)  # fmt: skip
    answer = client.get("/v1/alert-channels")
    mail = answer.json()["channels"][0]
    assert (mail["up"], mail["last_outcome"]) == (False, "retry")
    assert "s3cret" not in answer.text
    begun = notices.begin(notice.id, NOW_NS + MINUTE_NS)
    notices.finish(begun, AttemptOutcome.DELIVERED, detail="250 OK", next_ns=None,
                   now_ns=NOW_NS + MINUTE_NS)  # fmt: skip
    mail = client.get("/v1/alert-channels").json()["channels"][0]
    assert (mail["up"], mail["last_detail"], mail["waiting"]) == (True, "250 OK", 0)
    assert mail["last_delivered"] == "2026-11-23T10:01:00Z"


def test_a_policy_that_cannot_be_read_is_told(serve: Serve) -> None:
    client = serve("channels: {}\ndefault: {channels: []}\n")
    found = client.get("/v1/alert-channels").json()
    assert found["channels"] == []
    assert "policy.yaml:1: channels" in found["problem"]
    problem(client.post("/v1/alert-channels/mail/test"), "conflict")


def test_a_channel_that_is_not_there_cannot_be_tried(serve: Serve) -> None:
    problem(serve(POLICY).post("/v1/alert-channels/pager/test"), "not_found")


def test_channels_are_for_who_runs_the_platform(world: World) -> None:
    problem(caller(world, Role.OPERATOR).get("/v1/alert-channels"), "forbidden")
    problem(caller(world, Role.ENGINEER, None).get("/v1/alert-channels"), "forbidden")
    found = caller(world, Role.OPERATOR, None).get("/v1/alert-channels").json()
    assert [one["name"] for one in found["channels"]] == ["mqtt"]
