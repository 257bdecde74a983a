"""The synchronous client: `unasync.py` makes this file."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import pandas as pd

from passerelle import _asking
from passerelle._asking import Instant, Names, query_of
from passerelle._download import Download, Progress
from passerelle._errors import PasserelleClientError, UnavailableError
from passerelle._events import Events
from passerelle._flow import Flow, Request, Response, Retry, checked, worth_again

T = TypeVar("T")
_TIMEOUT_S = 60.0
_DEFAULT_URL = "http://127.0.0.1:8000"


class Client:
    """Asks one platform.

    Args:
        url: address of the API; default: `PASSERELLE_URL`, else the one of a laptop.
        key: API key; default: `PASSERELLE_KEY`.
        retry: when to ask again; default: `Retry()`.
        timeout_s: longest wait for an answer, seconds.

    Raises:
        PasserelleClientError: there is no key.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        retry: Retry | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        secret = key or os.environ.get("PASSERELLE_KEY")
        if not secret:
            raise PasserelleClientError("an API key is needed: key=..., or PASSERELLE_KEY")
        self.url = (url or os.environ.get("PASSERELLE_URL") or _DEFAULT_URL).rstrip("/")
        self._retry = retry or Retry()
        self._chance = random.Random()  # noqa: S311 - spreads tries in time
        self._http = httpx.Client(
            base_url=self.url,
            headers={"X-API-Key": secret, "Accept": "application/json"},
            timeout=timeout_s,
        )

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def me(self) -> dict[str, Any]:
        """Return who the key is and what it may do."""
        return self._run(_asking.document("/v1/me"))

    def sites(self) -> pd.DataFrame:
        """Return the sites: `id`, `name`, `zone`, `country`, `latitude`, `longitude`."""
        return self._run(_asking.sites())

    def quantities(self) -> pd.DataFrame:
        """Return what is measured: name, unit (UCUM), range, codes, descriptions."""
        return self._run(_asking.quantities())

    def devices(self, *, site: str | None = None, search: str | None = None) -> pd.DataFrame:
        """Return registered devices.

        Args:
            site: only of this site.
            search: only those whose name or identifier holds this.
        """
        return self._run(_asking.devices(query_of(site=site, search=search)))

    def readings(
        self,
        *,
        devices: Names = None,
        site: str | None = None,
        quantities: Names = None,
        start: Instant = "-24h",
        end: Instant = "now",
        zone: str | None = None,
        quality: Names = None,
        exclude_quality: Names = None,
    ) -> pd.DataFrame:
        """Return raw values in order of time.

        Columns: `time`, `site`, `device`, `quantity`, `value`, `quality` (flags, joined by spaces).

        `attrs` has `units` (UCUM, by quantity), `zone`, `start`, `end` and the `query`.

        Args:
            devices: of these devices; or
            site: of every device of this site.
            quantities: of these quantities; default: every one.
            start: first instant: RFC 3339, a day, relative (`-24h`), or a datetime with a zone.
            end: last instant, exclusive.
            zone: IANA zone of `time`; default: the site's.
            quality: only values all of whose flags are named (`good`: those without any).
            exclude_quality: only values that have none of these flags.
        """
        query = query_of(
            devices=devices, site=site, quantities=quantities, from_=start, to=end, zone=zone,
            quality=quality, exclude_quality=exclude_quality,
        )  # fmt: skip
        return self._run(_asking.readings(query))

    def plot(
        self,
        max_points: int,
        *,
        downsample: str | None = None,
        devices: Names = None,
        site: str | None = None,
        quantities: Names = None,
        start: Instant = "-24h",
        end: Instant = "now",
        zone: str | None = None,
        quality: Names = None,
        exclude_quality: Names = None,
    ) -> pd.DataFrame:
        """Return raw values for a plot: the whole range, each series reduced to so many values.

        Columns as of `readings`; `attrs["of"]` says from how many values each series was reduced.

        Args:
            max_points: values of each series, at most.
            downsample: `lttb` (default: keeps the shape) or `m4` (keeps the pixels of a line).
            devices: see `readings`.
            site: see `readings`.
            quantities: see `readings`.
            start: see `readings`.
            end: see `readings`.
            zone: see `readings`.
            quality: see `readings`.
            exclude_quality: see `readings`.
        """
        query = query_of(
            max_points=max_points, downsample=downsample, devices=devices, site=site,
            quantities=quantities, from_=start, to=end, zone=zone, quality=quality,
            exclude_quality=exclude_quality,
        )  # fmt: skip
        return self._run(_asking.plot(query))

    def windows(
        self,
        every: str,
        *,
        aggregate: Names = "mean",
        percentile: float | None = None,
        devices: Names = None,
        site: str | None = None,
        quantities: Names = None,
        group_by: Names = None,
        start: Instant = "-24h",
        end: Instant = "now",
        zone: str | None = None,
        fill: str | None = None,
        fill_limit: str | int | None = None,
        quality: Names = None,
        exclude_quality: Names = None,
    ) -> pd.DataFrame:
        """Return a row a window: `time` is its start, `end` its end; gaps are NaN.

        The value is in `value`; of several aggregates each has a column of its name. With
        `group_by` a row is of a group: what its devices have in common stands in place of `site`
        and `device`, and `devices` says how many they are.

        Args:
            every: length of a window: `30s`, `15min`, `1h`, `1d`, `1w`, `1mo`.
            aggregate: one or several of `mean`, `min`, `max`, `sum`, `count`, `first`, `last`,
                `median`, `percentile`, `time_weighted_mean`.
            percentile: for the aggregate of that name.
            devices: see `readings`.
            site: see `readings`.
            quantities: see `readings`.
            group_by: devices together by `site`, `profile`, `building`, `zone` or `quantity`.
            start: see `readings`.
            end: see `readings`.
            zone: in which windows begin.
            fill: what stands in gaps: `none`, `null`, `previous`, `linear`; then `filled` says of
                each row whether it was.
            fill_limit: how far: a number of windows, or a length such as `2h`.
            quality: see `readings`.
            exclude_quality: see `readings`.
        """
        query = query_of(
            every=every, aggregate=aggregate, percentile=percentile, devices=devices, site=site,
            quantities=quantities, group_by=group_by, from_=start, to=end, zone=zone, fill=fill,
            fill_limit=fill_limit, quality=quality, exclude_quality=exclude_quality,
        )  # fmt: skip
        return self._run(_asking.windows(query))

    def joined(
        self,
        left: str,
        right: Names,
        *,
        devices: Names = None,
        site: str | None = None,
        start: Instant = "-24h",
        end: Instant = "now",
        zone: str | None = None,
        across: str | None = None,
        direction: str | None = None,
        tolerance: str | None = None,
    ) -> pd.DataFrame:
        """Return values of one quantity, each with the nearest ones in time of others.

        A column a quantity, and beside each of `right`: `_distance_s` (seconds, negative: earlier)
        and `_device`.

        Args:
            left: the quantity whose instants count.
            right: those that are joined to it.
            devices: see `readings`.
            site: see `readings`.
            start: see `readings`.
            end: see `readings`.
            zone: see `readings`.
            across: among which devices: of the same `device`, `zone`, `building` or `site`.
            direction: `nearest`, `backward` or `forward`.
            tolerance: how far apart they may be, such as `5min`.
        """
        query = query_of(
            left=left, right=right, devices=devices, site=site, from_=start, to=end, zone=zone,
            across=across, direction=direction, tolerance=tolerance,
        )  # fmt: skip
        return self._run(_asking.joined(query))

    def latest(
        self,
        *,
        devices: Names = None,
        site: str | None = None,
        quantities: Names = None,
        zone: str | None = None,
    ) -> pd.DataFrame:
        """Return the newest value of every series, with its age in seconds.

        Args:
            devices: of these devices; default: of every one.
            site: of every device of this site.
            quantities: of these quantities; default: every one.
            zone: IANA zone of `time`.
        """
        query = query_of(devices=devices, site=site, quantities=quantities, zone=zone)
        return self._run(_asking.latest(query))

    def completeness(
        self,
        *,
        site: str | None = None,
        device: str | None = None,
        start: Instant = "-24h",
        end: Instant = "now",
        group: str | None = None,
    ) -> pd.DataFrame:
        """Return the account of every message; the totals are in `attrs["totals"]`.

        Args:
            site: only of this site.
            device: only of this device.
            start: see `readings`.
            end: see `readings`.
            group: what a row counts: `hour`, `boot`, `device`, `site`, `total`.
        """
        query = query_of(site=site, device=device, from_=start, to=end, group=group)
        return self._run(_asking.completeness(query))

    def dead_letters(
        self, *, site: str | None = None, reason: str | None = None, state: str | None = None
    ) -> pd.DataFrame:
        """Return what could not be stored, and why.

        Args:
            site: only of this site.
            reason: only for this reason.
            state: only `open`, `replayed` or `discarded`.
        """
        return self._run(_asking.dead_letters(query_of(site=site, reason=reason, state=state)))

    def alerts(
        self,
        *,
        state: Names = None,
        rule: str | None = None,
        site: str | None = None,
        device: str | None = None,
        person: str | None = None,
        severity: str | None = None,
        alarm_class: str | None = None,
        since: Instant = None,
        until: Instant = None,
    ) -> pd.DataFrame:
        """Return alerts, the newest first; instants in UTC.

        Args:
            state: only these: `pending`, `incomplete`, `firing`, `acknowledged`, `resolved`,
                `withdrawn`; default: all that is not over.
            rule: only of this rule.
            site: only of this site.
            device: only about this device.
            person: only about this person (a pseudonym).
            severity: only `info`, `warning` or `critical`.
            alarm_class: only `measured`, `technical` or `no_data`.
            since: opened at or after.
            until: opened before.
        """
        query = query_of(
            state=state, rule=rule, site=site, device=device, person=person, severity=severity,
            since=since, until=until,
        )  # fmt: skip
        return self._run(_asking.alerts(query | query_of(**{"class": alarm_class})))

    def alert(self, alert: str) -> dict[str, Any]:
        """Return one alert, as it stands.

        Args:
            alert: identifier.
        """
        return self._run(_asking.alert(alert))

    def alert_history(self, alert: str) -> pd.DataFrame:
        """Return what happened to an alert, the oldest first.

        Args:
            alert: identifier.
        """
        return self._run(_asking.history(alert))

    def explain(self, alert: str, *, language: str | None = None) -> dict[str, Any]:
        """Return why an alert fires: the rule in words, evidence, limits, overrides, ...

        `series` is a DataFrame of the stored values around it, as `readings` gives them.

        Args:
            alert: identifier.
            language: of the words: `en` or `fr`.
        """
        return self._run(_asking.explained(alert, query_of(language=language)))

    def acknowledge(self, alert: str, note: str = "") -> dict[str, Any]:
        """Take an alert on: say that somebody looks after it; return it.

        Args:
            alert: identifier.
            note: what is done about it.

        Raises:
            ConflictError: it is over, or somebody looks after it already.
        """
        return self._run(_asking.acknowledged(alert, note))

    def silence_alert(self, alert: str, duration: str, reason: str) -> dict[str, Any]:
        """Have nobody told of an alert for a while, also when it fires again.

        Args:
            alert: identifier.
            duration: for how long: `30m`, `2h`, `1d`.
            reason: why.
        """
        return self._run(_asking.silenced(alert, duration, reason))

    def silence(
        self,
        reason: str,
        *,
        end: Instant,
        start: Instant = "now",
        kind: str = "silence",
        rule: Names = None,
        severity: Names = None,
        alarm_class: Names = None,
        site: Names = None,
        building: Names = None,
        zone: Names = None,
        device: Names = None,
        person: Names = None,
    ) -> dict[str, Any]:
        """Have nobody told of alerts that fit, for a while; return the silence.

        Everything that is given has to fit; `*` stands for anything.

        Args:
            reason: why.
            end: until when: a datetime with a zone, RFC 3339, or relative (`now+8h`).
            start: since when.
            kind: `silence` or `maintenance`.
            rule: names of rules.
            severity: of the rules.
            alarm_class: of the rules.
            site: identifiers of sites.
            building: buildings.
            zone: rooms or areas.
            device: identifiers of devices.
            person: pseudonyms.
        """
        match = _asking.lists(
            rule=rule, severity=severity, site=site, building=building, zone=zone, device=device,
            person=person, **{"class": alarm_class},
        )  # fmt: skip
        order = query_of(reason=reason, kind=kind, start=start, end=end)
        return self._run(_asking.written("POST", "/v1/silences", order | {"match": match}))

    def alert_rules(self, *, state: Names = None) -> pd.DataFrame:
        """Return the newest version of every rule.

        Args:
            state: only these: `active`, `disabled`, `deleted`; default: the first two.
        """
        return self._run(_asking.alert_rules(query_of(state=state)))

    def alert_rule(self, name: str) -> dict[str, Any]:
        """Return the newest version of a rule, with its YAML text.

        Args:
            name: of the rule.
        """
        return self._run(_asking.rule(name))

    def put_alert_rule(
        self,
        name: str,
        source: str,
        reason: str,
        *,
        state: str | None = None,
        version: int | None = None,
    ) -> dict[str, Any]:
        """Write the next version of a rule; return it.

        Args:
            name: of the rule.
            source: the YAML text.
            reason: why.
            state: `active` or `disabled`; default: as before.
            version: the version that it is to follow; 0: there has to be none yet.

        Raises:
            InvalidError: the text cannot be used; `errors` has line, field and detail.
            ConflictError: another version is the newest one.
        """
        order = query_of(source=source, reason=reason, state=state)
        return self._run(_asking.put_rule(name, order, version))

    def export(
        self,
        path: str | Path,
        *,
        devices: Names = None,
        site: str | None = None,
        quantities: Names = None,
        start: Instant = "-24h",
        end: Instant = "now",
        zone: str | None = None,
        every: str | None = None,
        aggregate: str | None = None,
        format: str | None = None,  # noqa: A002 - what people call it
        progress: Progress = False,
    ) -> Path:
        """Fetch values of any number as a file: made by the platform, checked here.

        A broken line is taken up where it broke; the SHA-256 of the whole is compared.

        Args:
            path: where it goes; its suffix chooses the format.
            devices: see `readings`.
            site: see `readings`.
            quantities: see `readings`.
            start: see `readings`.
            end: see `readings`.
            zone: see `readings`.
            every: length of windows; default: raw values.
            aggregate: of windows.
            format: `csv`, `jsonl`, `parquet`, `arrow`, `xlsx`; default: by the suffix.
            progress: True shows a bar; a function is called with bytes there, and of how many.

        Raises:
            ChecksumError: what arrived is not what was sent.
        """
        target = Path(path)
        order = query_of(
            site=site, from_=start, to=end, zone=zone, every=every, aggregate=aggregate
        )
        order["format"] = format or target.suffix.lstrip(".") or "parquet"
        made = self._run(
            _asking.ordered(
                "/v1/exports/jobs", order | _asking.lists(devices=devices, quantities=quantities)
            )
        )
        return self._fetch(made["file"], target, made, progress)

    def snapshot(
        self,
        title: str,
        *,
        devices: Names = None,
        site: str | None = None,
        quantities: Names = None,
        start: Instant = "-24h",
        end: Instant = "now",
        zone: str | None = None,
    ) -> dict[str, Any]:
        """Freeze a query for good; return its identifier, hashes, completeness and citation.

        Args:
            title: what it is; it stands in the citation.
            devices: see `readings`.
            site: see `readings`.
            quantities: see `readings`.
            start: see `readings`.
            end: see `readings`.
            zone: see `readings`.
        """
        order = query_of(title=title, site=site, from_=start, to=end, zone=zone)
        return self._run(
            _asking.ordered(
                "/v1/snapshots", order | _asking.lists(devices=devices, quantities=quantities)
            )
        )

    def fetch_snapshot(
        self, snapshot: str, path: str | Path, *, progress: Progress = False
    ) -> Path:
        """Fetch the frozen file of a snapshot; its checksum is compared.

        Args:
            snapshot: identifier.
            path: where the file goes.
            progress: see `export`.
        """
        made = self._run(_asking.document(f"/v1/snapshots/{snapshot}"))
        return self._fetch(f"/v1/snapshots/{snapshot}/data", Path(path), made, progress)

    def live(
        self,
        *,
        site: str | None = None,
        devices: Names = None,
        quantities: Names = None,
        zone: str | None = None,
        seconds: float | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield what arrives: dictionaries with `type` `hello`, `points`, `missed`.

        A connection that breaks is made again, and goes on where it was.

        Args:
            site: only of this site.
            devices: only of these devices.
            quantities: only of these quantities.
            zone: IANA zone of instants; default UTC.
            seconds: end after so long; default: never.

        Raises:
            UnauthorizedError: the key is not good, or not any more.
            UnavailableError: the platform did not answer, for all tries since it last did.
        """
        query = query_of(site=site, devices=devices, quantities=quantities, zone=zone)
        events = Events(seconds=seconds)
        tried, began_s = 0, time.monotonic()
        while True:
            try:
                with self._http.stream(
                    "GET", "/v1/live", params={**query, **events.query}, headers=events.headers
                ) as answer:
                    if not answer.is_success:
                        content = answer.read()
                        checked(Response(answer.status_code, dict(answer.headers), content))
                    events.begin()
                    for line in answer.iter_lines():
                        if not line:  # something came whole, or a sign of life
                            tried, began_s = 0, time.monotonic()
                        if (event := events.line(line)) is not None:
                            yield event
                if events.over:
                    return
            except (httpx.TransportError, UnavailableError) as error:
                lost: Exception = error
            else:
                lost = UnavailableError("the platform stops")
            tried += 1
            wait_s = self._retry.wait_s(
                tried=tried,
                elapsed_s=time.monotonic() - began_s,
                answer=None,
                chance=self._chance,
            )
            if wait_s is None:
                raise UnavailableError(f"{self.url} does not answer: {lost}") from lost
            time.sleep(wait_s)

    def _run(self, flow: Flow[T]) -> T:
        request = next(flow)
        while True:
            if request.wait_s:
                time.sleep(request.wait_s)
            answer = self._ask(request)
            try:
                request = flow.send(answer)
            except StopIteration as done:
                result: T = done.value
                return result

    def _ask(self, request: Request) -> Response:
        """Ask, and ask again where that may help."""
        began_s = time.monotonic()
        tried = 0
        while True:
            tried += 1
            answer: Response | None = None
            lost: httpx.TransportError | None = None
            try:
                found = self._http.request(
                    request.method,
                    request.path,
                    params=request.params or None,
                    json=request.body,
                    headers=dict(request.headers),
                )
                answer = Response(found.status_code, dict(found.headers), found.content)
            except httpx.TransportError as error:
                lost = error
            wait_s = None
            if worth_again(request, answer):
                wait_s = self._retry.wait_s(
                    tried=tried,
                    elapsed_s=time.monotonic() - began_s,
                    answer=answer,
                    chance=self._chance,
                )
            elif answer is not None:
                return answer
            if wait_s is None:
                if answer is not None:
                    return answer
                raise UnavailableError(f"{self.url} does not answer: {lost}") from lost
            time.sleep(wait_s)

    def _fetch(
        self, source: str, target: Path, made: Mapping[str, Any], progress: Progress
    ) -> Path:
        """Fetch a file, as often as it takes."""
        began_s = time.monotonic()
        tried = 0
        with Download(
            target, size=made["size"], sha256=made["sha256"], progress=progress
        ) as download:
            while True:
                tried += 1
                before = download.done
                try:
                    with self._http.stream("GET", source, headers=download.headers) as answer:
                        if not answer.is_success:
                            content = answer.read()
                            checked(Response(answer.status_code, dict(answer.headers), content))
                        download.begin(answer.status_code)
                        for piece in answer.iter_bytes():
                            download.add(piece)
                    if download.whole:
                        return download.finish()
                    lost: Exception = UnavailableError("the answer was cut short")
                except (httpx.TransportError, UnavailableError) as error:
                    lost = error
                if download.done > before:
                    tried, began_s = 1, time.monotonic()
                wait_s = self._retry.wait_s(
                    tried=tried,
                    elapsed_s=time.monotonic() - began_s,
                    answer=None,
                    chance=self._chance,
                )
                if wait_s is None:
                    raise UnavailableError(f"{source} cannot be fetched: {lost}") from lost
                time.sleep(wait_s)
