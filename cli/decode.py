"""`passerelle decode` and `passerelle publish`: for who writes a device's firmware."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from paho.mqtt.reasoncodes import ReasonCode
from rich.console import Console

from cli.points import points_table
from core.broker import BrokerAddress
from core.clock import SystemClock
from core.errors import ConfigurationError, PasserelleError, RejectedError
from core.message import Decoded, RawMessage
from core.mqtt import new_client
from core.settings import MqttSettings, Settings, load_settings
from devices.decoder import Decoder, load_profiles, shipped_bindings, shipped_profiles
from devices.registry.places import PILOT_SITES
from ingest.validate import ClockPolicy, Judged, validate
from ingest.worker import limits_of

_WAIT_S = 10.0

Payload = Annotated[
    str, typer.Argument(help="The payload; @FILE reads it from a file, - from stdin.")
]


def decode(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    payload: Payload,
) -> None:
    """Show what the platform would make of a message, without a broker or a registry."""
    settings = load_settings()
    now_ns = SystemClock().now_ns()
    message = RawMessage(topic=topic, payload=_bytes(payload), received_ns=now_ns)
    try:
        decoded = _decoder(settings).decode(message)
    except RejectedError as error:
        raise RejectedError(
            error.code, f"dead letter, reason {error.code}: {error.detail}"
        ) from None
    judged = validate(
        decoded,
        site=decoded.site,
        device=decoded.external_id,
        received_ns=now_ns,
        clock=ClockPolicy.from_settings(
            earliest=settings.ingest.clock_earliest, ahead_s=settings.ingest.clock_ahead_s
        ),
    )
    _show(decoded, judged)
    if judged.defects and not judged.points:
        raise typer.Exit(1)


def publish(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    payload: Payload,
    *,
    broker: Annotated[
        str | None, typer.Option(help="The broker (default: the setting mqtt.url).")
    ] = None,
) -> None:
    """Publish one message at QoS 1, and say when the broker has it."""
    settings = load_settings().mqtt
    if broker is not None:  # the password of the settings is for their own broker
        settings = settings.model_copy(update={"url": broker, "password": None})
    address = _publish(settings, topic, _bytes(payload))
    typer.echo(f"{address} has it")


def _publish(settings: MqttSettings, topic: str, payload: bytes) -> BrokerAddress:
    client, address = new_client(settings)
    answered = threading.Event()
    refused: list[str] = []

    def on_connect(_client: Any, _data: Any, _flags: Any, code: ReasonCode, _more: Any) -> None:
        if code.is_failure:
            refused.append(str(code))
        answered.set()

    client.on_connect = on_connect
    try:
        client.connect(address.host, address.port)
    except OSError as error:
        raise PasserelleError(f"the broker {address} cannot be reached: {error}") from None
    client.loop_start()
    try:
        answered.wait(_WAIT_S)
        if refused:
            raise PasserelleError(f"the broker {address} refused the connection: {refused[0]}")
        info = client.publish(topic, payload, qos=1)
        info.wait_for_publish(_WAIT_S)
        if not info.is_published():
            raise PasserelleError(f"the broker {address} did not acknowledge within {_WAIT_S:g} s")
    finally:
        client.disconnect()
        client.loop_stop()
    return address


def _decoder(settings: Settings) -> Decoder:
    profiles, bindings = shipped_profiles(), shipped_bindings()
    if settings.registry.profiles_dir is not None:
        own_profiles, own_bindings = load_profiles(settings.registry.profiles_dir)
        profiles, bindings = profiles + own_profiles, bindings + own_bindings
    return Decoder(
        profiles=profiles,
        bindings=bindings,
        sites={site.id: ZoneInfo(site.zone) for site in PILOT_SITES},
        limits=limits_of(settings),
    )


def _bytes(payload: str) -> bytes:
    if payload == "-":
        return sys.stdin.buffer.read()
    if payload.startswith("@"):
        try:
            return Path(payload[1:]).read_bytes()
        except OSError as error:
            raise ConfigurationError(f"the payload {payload[1:]} cannot be read: {error}") from None
    return payload.encode()


def _show(decoded: Decoded, judged: Judged) -> None:
    console = Console()
    console.print(
        f"profile {decoded.profile}, site {decoded.site}, device {decoded.external_id}, "
        f"{decoded.kind.value}",
        highlight=False,
    )
    if judged.points:
        console.print(points_table(judged.points))
    for defect in judged.defects:
        console.print(f"left out ({defect.reason}): {defect.detail}", highlight=False)
    if not judged.points and not judged.defects:
        console.print("nothing to store")
