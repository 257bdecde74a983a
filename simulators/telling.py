"""What a device publishes, measurement after measurement: values in, messages out, faults between.

The same device, seed and start give the same messages. Invariants, each with its test:

* apart from duplicates, no two messages of a device are the same bytes on the same topic;
* a message is either well-formed and counted with its readings, or malformed and worth none;
* a device that is off line publishes nothing; what it kept comes in batches with the times at
  which it was measured, oldest first, where its format has batches, and is lost where not;
* sequence numbers grow by one for each telemetry message made, lost ones included, and begin
  again at 0 after a reboot, with the boot counter one higher.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from core.clock import NS_PER_S
from simulators.device import SimulatedDevice
from simulators.faults import FaultPlan
from simulators.formats.catalogue import WIRES
from simulators.formats.wire import Measurement, Packet
from simulators.malformed import malform
from simulators.outgoing import Outgoing
from simulators.place import Surroundings
from simulators.scenario import Faults, Scheduled
from simulators.sensors import SENSORS
from simulators.streams import stream
from simulators.vitals import Person
from simulators.world import World

_KEPT_OFFLINE = 2000
_BACKFILL_BATCH = 20
_JITTER = 0.05
_REMEMBERED = 20_000


class Losses(msgspec.Struct):
    """What a device measured or suffered that no message shows.

    Attributes:
        measurements_lost: measured, and never handed to the broker.
        reboots: how often it began again.
    """

    measurements_lost: int = 0
    reboots: int = 0


class DeviceStream:
    """One device at work.

    Args:
        device: who.
        row: its line in the report.
        world: where.
        seed: of the run.
        faults: by chance.
        schedule: by the clock.
        start_ns: when the run begins, simulated nanoseconds since the epoch.
        boot: its boot counter at the start.
    """

    def __init__(
        self,
        *,
        device: SimulatedDevice,
        row: int,
        world: World,
        seed: int,
        faults: Faults,
        schedule: tuple[Scheduled, ...],
        start_ns: int,
        boot: int,
    ) -> None:
        self.device = device
        self.losses = Losses()
        self._row = row
        self._wire = WIRES[device.wire](device.identity)
        self._plan = FaultPlan(
            faults=faults,
            schedule=schedule,
            device=device.id,
            rng=stream(seed, "faults", device.id),
            start_ns=start_ns,
        )
        room = world.room(
            site=device.site, building=device.building, zone=device.zone, use=device.use
        )
        self._sensor = SENSORS[device.kind](
            Surroundings(
                weather=world.weather(device.site),
                room=room,
                person=lambda: Person(
                    seed=seed, device=device.id, time_zone=world.zone(device.site)
                ),
                rng=stream(seed, "measuring", device.id),
                start_s=start_ns / NS_PER_S,
            )
        )
        self._timing = stream(seed, "timing", device.id)
        self._interval_ns = round(device.interval_s / device.batch * NS_PER_S)
        self._grid_ns = start_ns + round(self._timing.random() * self._interval_ns)
        self.due_ns = self._grid_ns
        self._seq = 0
        self._boot = boot
        self._pending: list[Measurement] = []
        self._pending_wrong = False
        self._was_offline = False
        self._held: Outgoing | None = None
        self._echo: Outgoing | None = None
        self._said: dict[bytes, None] = {}

    def begin(self) -> list[Outgoing]:
        """Return what the device says when it connects."""
        return self._status(online=True)

    def tick(self) -> list[Outgoing]:
        """Measure at `due_ns`; return what is published by that, in order, and move `due_ns` on."""
        now_ns = self.due_ns
        self._grid_ns += self._interval_ns
        jitter = (self._timing.random() - 0.5) * _JITTER * self._interval_ns
        self.due_ns = self._grid_ns + round(jitter)
        values = self._sensor.sample(now_ns / NS_PER_S)
        if self._wire.carries is not None:
            values = {name: v for name, v in values.items() if name in self._wire.carries}
        if self._plan.advance(now_ns):
            self._reboot()
        claimed = self._plan.claimed_ns(now_ns)
        resolution = self._wire.resolution_ns
        self._pending.append(Measurement(claimed // resolution * resolution, values))
        self._pending_wrong |= self._plan.clock_is_wrong(now_ns)
        if self._plan.is_offline(now_ns):
            self._keep_offline()
            return []
        made = self._release(now_ns)
        self._was_offline = False
        return made

    def finish(self) -> list[Outgoing]:
        """Return what the device still says before it disconnects.

        Among that is a batch that was not full yet; what it keeps because it is off line is lost.
        """
        made = [m for m in (self._echo, self._held) if m is not None]
        self._held = self._echo = None
        if self._pending and not self._was_offline:
            made += self._message(self._pending, self.due_ns, backfilled=0)
        else:
            self._lose(len(self._pending))
        self._pending = []
        return made + self._status(online=False)

    def will(self) -> Packet | None:
        """Return the will for the broker to publish, or None."""
        return self._wire.status(online=False)

    def _status(self, *, online: bool) -> list[Outgoing]:
        packet = self._wire.status(online=online)
        return [Outgoing(row=self._row, packet=packet, kind="availability")] if packet else []

    def _reboot(self) -> None:
        self.losses.reboots += 1
        self._boot += 1
        self._seq = 0
        self._lose(len(self._pending))
        self._pending = []
        self._pending_wrong = False

    def _keep_offline(self) -> None:
        self._was_offline = True
        if not self._wire.batches:
            self._lose(len(self._pending))
            self._pending = []
        elif len(self._pending) > _KEPT_OFFLINE:
            self._pending.pop(0)
            self._lose(1)

    def _release(self, now_ns: int) -> list[Outgoing]:
        batch = self.device.batch
        made: list[Outgoing] = []
        echo, self._echo = self._echo, None
        if echo is not None:
            made.append(echo)
        while self._was_offline and len(self._pending) > batch:
            count = min(_BACKFILL_BATCH, len(self._pending) - batch)
            made += self._message(self._pending[:count], now_ns, backfilled=count)
            self._pending = self._pending[count:]
        if len(self._pending) < batch:
            return made
        measurements, self._pending = self._pending, []
        if self._plan.in_gap(now_ns):
            self._seq += 1
            self._lose(len(measurements))
            self._pending_wrong = self._plan.clock_is_wrong(now_ns)
            return made
        newest = self._message(measurements, now_ns, backfilled=0)
        self._pending_wrong = False
        held, self._held = self._held, None
        made += newest
        if held is not None:
            made.append(msgspec.structs.replace(held, out_of_order=bool(newest)))
        elif newest and self._plan.reorders():
            self._held = made.pop()
        elif newest and self._can_be_told(newest[-1]) and self._plan.duplicates():
            copy = msgspec.structs.replace(newest[-1], duplicate=True)
            if self._plan.rng.random() < 0.5:  # noqa: PLR2004 - at once, or a while later
                made.append(copy)
            else:
                self._echo = copy
        return made

    def _message(
        self, measurements: list[Measurement], now_ns: int, *, backfilled: int
    ) -> list[Outgoing]:
        """Make the message of `measurements`, and what goes with it."""
        plan, wire = self._plan, self._wire
        seq, self._seq = self._seq, self._seq + 1
        wrong_clock = self._pending_wrong
        document = wire.document(measurements, seq=seq, boot=self._boot)
        readings = sum(len(m.values) + wire.own_readings for m in measurements)
        malformed, defective = plan.malformation(), ""
        if malformed is None:
            for fault in plan.defects():
                lost = wire.damage(document, fault, plan.rng)
                if lost is not None:
                    readings -= lost
                    defective = fault.value
                    break
        payload = wire.encode(document)
        if malformed is not None:
            payload = malform(
                malformed,
                document=document,
                payload=payload,
                marker=f"{self.device.id} {self._boot} {seq}",
                rng=plan.rng,
            )
            readings = 0
        packets = [Packet(topic=wire.topic, payload=payload, readings=readings)]
        extras = wire.extras(
            time_ns=measurements[-1].time_ns, seq=seq, uptime_s=plan.uptime_s(now_ns)
        )
        made = []
        for packet in [*extras, *packets]:
            main = packet is packets[0]
            if self._said_before(packet):
                self._lose(len(measurements) if main else 0)
                continue
            made.append(
                Outgoing(
                    row=self._row,
                    packet=packet,
                    backfilled=backfilled if main else 0,
                    wrong_clock=wrong_clock,
                    malformed=malformed.value if malformed and main else "",
                    defective=defective if main else "",
                )
            )
        return made

    def _can_be_told(self, message: Outgoing) -> bool:
        """Whether a second copy can be told to be one: it was readable, and says when or which.

        A SenML time in 1970 is counted from now (RFC 8428, 4.5.3): the same bytes, later, are new.
        """
        return not message.malformed and (self._wire.counted or not message.wrong_clock)

    def _said_before(self, packet: Packet) -> bool:
        """Whether a wandering clock made a message equal to an earlier one: it is left out."""
        if self._wire.counted or not self._plan.moves_clock or not packet.payload:
            return False
        key = blake2b(packet.topic.encode() + b"\x00" + packet.payload, digest_size=8).digest()
        if key in self._said:
            return True
        self._said[key] = None
        if len(self._said) > _REMEMBERED:
            del self._said[next(iter(self._said))]
        return False

    def _lose(self, measurements: int) -> None:
        self.losses.measurements_lost += measurements
