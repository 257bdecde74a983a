"""The JSON of webhooks and of MQTT is as its published schema says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from alerts.deliver.payload import payload_of
from alerts.deliver.privacy import veiled
from alerts.deliver.templates.message import Wording
from alerts.model import Notice, Occasion
from core.clock import NS_PER_S
from tests.support.notices import AT_NS, notice, patient, view

SCHEMA = json.loads(
    (Path(__file__).parents[4] / "docs" / "alert-webhook.schema.json").read_text("utf-8")
)
WORDING = Wording(("fr", "en"), public_url="https://passerelle.example")


def closed(schema: Any) -> Any:
    """Return the schema without room for keys that it does not name."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if isinstance(found.get("properties"), dict) and "additionalProperties" not in found:
        found["additionalProperties"] = False
    return found


def payload(made: Notice) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(payload_of(made, WORDING))
    return found


@pytest.mark.parametrize("occasion", Occasion)
def test_every_notice_is_as_the_schema_says_and_the_schema_names_every_key(
    occasion: Occasion,
) -> None:
    for alerts in ((), (view(),), (view(resolved_ns=AT_NS + 1_500_000_000), patient())):
        made = notice(occasion=occasion, alerts=alerts, facts={"channel": "sms", "count": 2.0})
        for one in (made, veiled(made)):
            jsonschema_rs.validate(closed(SCHEMA), payload(one))


def test_the_schema_refuses_what_is_no_notice() -> None:
    for changes in ({"version": 2}, {"occasion": "party"}, {"ordered_at": "yesterday"}):
        with pytest.raises(jsonschema_rs.ValidationError):
            jsonschema_rs.validate(SCHEMA, payload(notice()) | changes)


def test_a_program_finds_what_it_needs() -> None:
    found = payload(notice(alerts=(view(resolved_ns=AT_NS + NS_PER_S, runbook="Call."),)))
    [alert] = found["alerts"]
    assert (found["id"], found["ordered_at"]) == ("0123456789abcdef", "2026-11-23T10:00:05Z")
    assert (alert["fires_since"], alert["over_since"]) == (
        "2026-11-23T10:00:00Z",
        "2026-11-23T10:00:01Z",
    )
    assert (alert["value"], alert["unit"], alert["facts"]["above"]) == (29.4, "Cel", 28.0)
    assert alert["subject"]["device"] == "elg-env-004"
    assert alert["evidence"][0]["value"] == 29.4
    assert alert["links"]["alert"] == "https://passerelle.example/#/alerts/a1b2c3d4"
    assert alert["runbook"] == "Call."
    assert set(found["text"]) == {"fr", "en"}


def test_values_of_persons_are_not_in_it_where_they_are_to_be_hidden() -> None:
    found = payload(veiled(notice(alerts=(patient(),))))
    [alert] = found["alerts"]
    assert alert["values_withheld"]
    assert (alert["value"], alert["evidence"], alert["facts"]) == (None, [], {"news2": 1})
    assert "127" not in json.dumps(found)
