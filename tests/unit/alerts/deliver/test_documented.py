"""What docs/alerts-notify.md says of channels is so: examples, keys, occasions, the signature."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.deliver import spec as specs
from alerts.deliver.channels import channel_of
from alerts.deliver.mqtt_channel import StateBody
from alerts.deliver.spec import ChannelKind, read_channel
from alerts.deliver.webhook import signature
from alerts.model import Occasion
from core.clock import ManualClock
from core.errors import RuleError
from core.placed_yaml import PlacedYaml
from core.settings import MqttSettings

TEXT = (Path(__file__).parents[4] / "docs" / "alerts-notify.md").read_text(encoding="utf-8")
ENVIRON = {
    "SMTP_PASSWORD": "p@ss",
    "SMS_URL": f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/15557654321",
    "CHAT_URL": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#platform",
    "HOOK_SECRET": "0123456789abcdef",
}


def block(kind: str, beginning: str) -> str:
    """Return the block of a kind that begins so."""
    [found] = [
        one
        for one in re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
        if one.startswith(beginning)
    ]
    return str(found)


def test_the_channels_of_the_example_can_be_made() -> None:
    tree = PlacedYaml(
        block("yaml", "channels:\n  ward-mail"), "docs", noun="policy", error=RuleError
    )
    found = {
        name: read_channel(name, said, ("channels", name), environ=ENVIRON)
        for name, said in tree.plain()["channels"].items()
    }
    assert {one.kind for one in found.values()} == set(ChannelKind)
    for one in found.values():
        made = channel_of(
            one,
            mqtt=MqttSettings.model_validate({}),
            public_url="",
            clock=ManualClock(0),
            states=dict,
        )
        made.close()


@pytest.mark.parametrize("key", [*ChannelKind, "secret", *specs._COMMON])
def test_every_key_of_a_channel_is_documented(key: str) -> None:
    assert f"| `{key}` |" in TEXT


@pytest.mark.parametrize("occasion", Occasion)
def test_every_occasion_is_documented(occasion: Occasion) -> None:
    assert f"| `{occasion}` |" in TEXT


def test_the_receiver_of_the_example_knows_who_signed_and_when() -> None:
    names: dict[str, Any] = {}
    exec(block("python", "import hashlib"), names)  # noqa: S102 - it is our own example
    check = names["is_from_passerelle"]
    now_s = int(time.time())
    header = signature(b"{}", secret="right", at_s=now_s)
    assert check(b"{}", header, "right")
    assert not check(b"{}", header, "wrong")
    assert not check(b"[]", header, "right")
    assert not check(b"{}", signature(b"{}", secret="right", at_s=now_s - 3600), "right")
    assert not check(b"{}", header.replace(f"t={now_s}", f"t={now_s + 1}"), "right")
    for broken in ("", "v1=", "t=1", "nonsense"):
        assert not check(b"{}", broken, "right")


def test_the_state_of_a_site_is_as_documented() -> None:
    example = json.loads(block("json", "{"))
    assert msgspec.to_builtins(msgspec.convert(example, StateBody)) == example
    assert set(example) == set(StateBody.__struct_fields__)
