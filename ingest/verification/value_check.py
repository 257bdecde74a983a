"""The store against what the ledger says was committed to it, device by device.

The ledger knows the hour in which a message was received, the store the instant of each value; an
instant is never later than reception by more than the clock policy allows. So, for every hour `h`
of the ledger, with `ahead` that allowance:

- values before the end of `h` + `ahead`, in the store, are at least `values_new` of all hours up to
  `h`, less those that wait in the spool or that the store refused;
- values from any hour `t` on, in the store, are at most `values_new + values_other` of all hours
  from `t - ahead` on.

The last hour makes the first one a statement on everything, as the first hour the second one.
Values are counted in whole hours, so a bound is taken at the next full hour where it is not one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import msgspec

from ingest.verification.difference import Difference, Kind, Side
from ingest.verification.rewriting import Rewriting
from ingest.verification.snapshot import Device

_S_PER_HOUR = 3600
_UNTOUCHED = Rewriting()


class Committed(msgspec.Struct, frozen=True):
    """What one worker says it committed of one device.

    Attributes:
        worker: which.
        new: `values_new` by hour.
        absent: values that need not be in the store: they wait for it, or it refused them.
    """

    worker: str
    new: Mapping[int, int]
    absent: int = 0


def check_values(
    device: Device,
    *,
    committed: list[Committed],
    most: Mapping[int, int],
    stored: Mapping[int, int],
    ahead_s: float,
    kept_from: int | None,
    rewriting: Rewriting = _UNTOUCHED,
) -> Iterator[Difference]:
    """Yield what the store has too few or too many of.

    Args:
        device: site and device.
        committed: by each worker, before the store was asked. What two workers committed may be
            the same values, so each is held against the store by itself.
        most: `values_new + values_other` of all workers by hour, after the store was asked.
        stored: values in the store by hour of their instants.
        ahead_s: how far a device's instant may be after reception, seconds.
        kept_from: hour from which on the store keeps everything; None: it keeps all for ever.
        rewriting: what decoding the raw archive again did.
    """
    ahead = math.ceil(ahead_s / _S_PER_HOUR) * _S_PER_HOUR
    there = {hour: n for hour, n in stored.items() if kept_from is None or hour >= kept_from}
    for one in committed:
        # Where values expire, an hour's margin is for those measured just before they arrived.
        new = {
            hour: n
            for hour, n in one.new.items()
            if kept_from is None or hour >= kept_from + _S_PER_HOUR
        }
        lacking = _most_lacking(new, there, ahead) - one.absent - rewriting.deleted
        if lacking > 0:
            least = sum(new.values()) - one.absent - rewriting.deleted
            yield Difference(
                kind=Kind.VALUES_MISSING,
                worker=one.worker,
                site=device[0],
                device=device[1],
                hour=_widest(new, there),
                what=f"{lacking} values",
                one=Side("values that the store must hold, at least", least),
                other=Side("of those it holds, at most", least - lacking),
            )
            break
    beyond = _most_beyond(most, stored, ahead) - rewriting.added
    if beyond > 0:
        total = sum(stored.values())
        yield Difference(
            kind=Kind.VALUES_EXTRA,
            site=device[0],
            device=device[1],
            hour=_widest(stored, most),
            what=f"{beyond} values",
            one=Side("values in the store", total),
            other=Side("of which the ledger explains, at most", total - beyond),
        )


def _most_lacking(new: Mapping[int, int], there: Mapping[int, int], ahead: int) -> int:
    """Return by how many the values up to any hour fall short of those committed by then."""
    hours = sorted(there)
    place = committed = found = most = 0
    ordered = sorted(new)
    for hour in ordered:
        committed += new[hour]
        last = hour == ordered[-1]
        while place < len(hours) and (last or hours[place] < hour + _S_PER_HOUR + ahead):
            found += there[hours[place]]
            place += 1
        most = max(most, committed - found)
    return most


def _most_beyond(most: Mapping[int, int], stored: Mapping[int, int], ahead: int) -> int:
    """Return by how many the values from any hour on exceed those committed since."""
    hours = sorted(most, reverse=True)
    place = explained = found = beyond = 0
    ordered = sorted(stored, reverse=True)
    for hour in ordered:
        found += stored[hour]
        while place < len(hours) and (hour == ordered[-1] or hours[place] >= hour - ahead):
            explained += most[hours[place]]
            place += 1
        beyond = max(beyond, found - explained)
    return beyond


def _widest(more: Mapping[int, int], fewer: Mapping[int, int]) -> int | None:
    """Return the hour in which the first exceeds the second most: where it most likely lies."""
    if not more:
        return None
    return max(sorted(more), key=lambda hour: more[hour] - fewer.get(hour, 0))
