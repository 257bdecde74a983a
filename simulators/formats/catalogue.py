"""The formats by the name that a scenario gives them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from simulators.formats.passerelle import PasserelleCbor, PasserelleJson
from simulators.formats.senml import SenmlCbor, SenmlJson
from simulators.formats.tasmota import Tasmota
from simulators.formats.wire import Wire
from simulators.formats.zigbee2mqtt import Zigbee2Mqtt

if TYPE_CHECKING:
    from collections.abc import Mapping

WIRES: Mapping[str, type[Wire]] = MappingProxyType(
    {
        "passerelle-json": PasserelleJson,
        "passerelle-cbor": PasserelleCbor,
        "senml-json": SenmlJson,
        "senml-cbor": SenmlCbor,
        "zigbee2mqtt": Zigbee2Mqtt,
        "tasmota": Tasmota,
    }
)
"""Scenario name -> wire format."""
