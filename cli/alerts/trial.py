"""`passerelle alerts check`, `backtest` and `tune`: rules before they are switched on."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from alerts.backtest import History, Label, quantities, run, score, variants
from alerts.conditions.node import MISSING, RECEIVED
from alerts.rules.model import Rule
from alerts.rules.reading import RuleProblem, duration_ns
from alerts.rules.series import series_of
from alerts.rules.source import load_rules
from cli.alerts.history import Source, of_platform, of_series
from cli.alerts.labels import read_labels
from cli.alerts.shown import (
    Thinned,
    as_json,
    counted,
    duration,
    label_spans,
    percent,
    show_alarms,
    show_score,
    spans_of,
    strip,
)
from cli.exports.chosen import FromOption, KeyOption, ToOption, UrlOption
from cli.exports.client import opened_api
from core.clock import NS_PER_S
from core.errors import ConfigurationError, RuleError
from core.quantities import CATALOGUE
from simulators.commands import series_mapping

_FEWEST_COLUMNS = 120
_MOST_STEPS = 1000
RuleArgument = Annotated[Path, typer.Argument(help="A YAML file with a rule.")]
CsvOption = Annotated[
    Path | None, typer.Option("--csv", help="A recorded series, instead of the platform's values.")
]
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", help="column=quantity:unit of the CSV; give it once a column."),
]
SiteOption = Annotated[str, typer.Option(help="Site of the CSV.")]
DeviceOption = Annotated[str, typer.Option(help="Device of the CSV.")]
DeviceColumnOption = Annotated[
    str | None, typer.Option(help="Column that names the device, instead of --device.")
]
TimeColumnOption = Annotated[str, typer.Option(help="Column of the time in the CSV.")]
ZoneOption = Annotated[str, typer.Option(help="IANA zone of times that do not say theirs.")]
LabelsOption = Annotated[
    Path | None,
    typer.Option(help="When something was really wrong: CSV with start and end, or JSON."),
]


def check(
    rules: Annotated[Path, typer.Argument(help="A YAML file with a rule, or a folder of them.")],
) -> None:
    """Say whether rules can be used; what is wrong is named with file, line and field."""
    folder = sorted(rules.glob("*.y*ml")) if rules.is_dir() else [rules]
    problems = []
    for file in folder:
        try:
            [rule] = load_rules(file)
        except RuleError as error:
            problems.append(error.detail)
            continue
        looked = quantities(rule)
        names = sorted(name for name in looked or () if name not in (RECEIVED, MISSING))
        overrides = f", {len(rule.overrides)} overrides" if rule.overrides else ""
        typer.echo(
            f"{rule.name} {rule.version}: {rule.severity}, {rule.alarm_class}, per {rule.per}; "
            f"looks at {', '.join(names) or 'every quantity'}{overrides}"
        )
    if not problems:
        try:
            load_rules(rules)  # is there any, have no two the same name
        except RuleError as error:
            problems.append(error.detail)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if problems:
        raise typer.Exit(1)


def backtest(
    rule: RuleArgument,
    *,
    start: FromOption = None,
    end: ToOption = None,
    csv: CsvOption = None,
    columns: MapOption = None,
    site: SiteOption = "elgazala",
    device: DeviceOption = "recorded",
    device_column: DeviceColumnOption = None,
    time_column: TimeColumnOption = "timestamp",
    zone: ZoneOption = "UTC",
    labels: LabelsOption = None,
    plot: Annotated[bool, typer.Option(help="Draw values, alarms and labels.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show when a rule would have fired, on stored or recorded values; changes nothing."""
    tried = _one(rule)
    truth = _labels(labels, csv)
    console = Console(width=max(_FEWEST_COLUMNS, shutil.get_terminal_size().columns))
    with _sources(
        tried, start=start, end=end, csv=csv, columns=columns, site=site, device=device,
        device_column=device_column, time_column=time_column, zone=zone, url=url, key=key,
    ) as sources:  # fmt: skip
        count = 0
        for source in sources:
            count += 1
            thinned, history, took_s = _tried(tried, source)
            found = None if truth is None else score(history.alarms, truth, end_ns=source.end_ns)
            if json:
                typer.echo(msgspec.json.encode(as_json(tried, history, found)).decode())
                continue
            _show(console, tried, history, source, took_s=took_s)
            if found is not None:
                show_score(console, found)
            if plot:
                _draw(console, thinned, history, source, truth or [])
    if not count:
        raise ConfigurationError("the rule's select fits no registered device")


def tune(
    rule: RuleArgument,
    *,
    limits: Annotated[
        str | None, typer.Option(help="Limits (deviations of a seasonal) to try: 70,75 or 60:90:5.")
    ] = None,
    margins: Annotated[str | None, typer.Option(help="Margins (hysteresis) to try: 0,1,2.")] = None,
    hold: Annotated[
        str | None, typer.Option("--for", help="How long it has to hold: 0s,5m,1h.")
    ] = None,
    start: FromOption = None,
    end: ToOption = None,
    csv: CsvOption = None,
    columns: MapOption = None,
    site: SiteOption = "elgazala",
    device: DeviceOption = "recorded",
    device_column: DeviceColumnOption = None,
    time_column: TimeColumnOption = "timestamp",
    zone: ZoneOption = "UTC",
    labels: LabelsOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Try a rule with other limits, margins and durations, and show what each costs and finds."""
    tried = _one(rule)
    truth = _labels(labels, csv)
    table = Table("limit", "margin", "for", "alarms a day", box=None, pad_edge=False)
    for name in ("precision", "recall", "found after") if truth is not None else ():
        table.add_column(name)
    with _sources(
        tried, start=start, end=end, csv=csv, columns=columns, site=site, device=device,
        device_column=device_column, time_column=time_column, zone=zone, url=url, key=key,
    ) as sources:  # fmt: skip
        held = [
            msgspec.structs.replace(source, readings=tuple(source.readings)) for source in sources
        ]
    if not held:
        raise ConfigurationError("the rule's select fits no registered device")
    try:
        every = list(
            variants(
                tried,
                limits=_numbers(limits, "--limits"),
                margins=_numbers(margins, "--margins"),
                for_ns=_durations(hold),
            )
        )
    except ValueError as error:
        raise ConfigurationError(f"{rule}: {error}, for --limits and --margins") from None
    for variant, limit, margin, for_ns in every:
        runs = [_tried(variant, source)[1] for source in held]
        row = [_shown(limit), _shown(margin), duration(for_ns), f"{_a_day(runs):.3g}"]
        if truth is not None:
            alarms = [alarm for history in runs for alarm in history.alarms]
            found = score(alarms, truth, end_ns=held[0].end_ns)
            delay = "-" if found.delay_ns is None else duration(found.delay_ns)
            row += [percent(found.precision), percent(found.recall), delay]
        table.add_row(*row)
    Console(width=max(_FEWEST_COLUMNS, shutil.get_terminal_size().columns)).print(table)


def _one(path: Path) -> Rule:
    found = load_rules(path)
    if len(found) != 1:
        raise ConfigurationError(f"{path}: one rule is tried at a time; name its file")
    return found[0]


def _labels(path: Path | None, csv: Path | None) -> list[Label] | None:
    return None if path is None else read_labels(path, series=csv.name if csv else None)


@contextmanager
def _sources(
    rule: Rule,
    *,
    start: str | None,
    end: str | None,
    csv: Path | None,
    columns: list[str] | None,
    site: str,
    device: str,
    device_column: str | None,
    time_column: str,
    zone: str,
    url: str | None,
    key: str | None,
) -> Iterator[Iterator[Source]]:
    if csv is None:
        with opened_api(url, key) as api:
            yield of_platform(api, rule, start=start or "-24h", end=end)
        return
    if not columns:
        raise ConfigurationError("--map is needed: what the CSV holds: value=air_temperature:°F")
    mapping = series_mapping(
        site=site, device=None if device_column else device, device_column=device_column,
        columns=columns, time_column=time_column, time_format="iso", zone=zone, delimiter=",",
    )  # fmt: skip
    yield iter((of_series(csv, mapping),))


def _tried(rule: Rule, source: Source) -> tuple[Thinned, History, float]:
    looked = sorted((quantities(rule) or set()) & set(CATALOGUE))
    drawn = series_of(rule) or looked[:1]
    thinned = Thinned(drawn, start_ns=source.start_ns, end_ns=source.end_ns)
    began_s = time.perf_counter()
    history = run(
        rule,
        inventory=source.inventory,
        readings=thinned.through(source.readings),
        start_ns=source.start_ns,
        end_ns=source.end_ns,
    )
    return thinned, history, time.perf_counter() - began_s


def _show(console: Console, rule: Rule, history: History, source: Source, *, took_s: float) -> None:
    span_ns = history.end_ns - history.start_ns
    console.print(
        f"{rule.name} {rule.version}: {counted(history.readings, 'value')} of "
        f"{counted(len(source.inventory.devices), 'device')}, {duration(span_ns)}, "
        f"judged in {took_s:.1f} s ({span_ns / NS_PER_S / took_s:,.0f} times real time)"
    )
    late = f"; {counted(history.late, 'value')} came too late to be judged" if history.late else ""
    unsaid = f"; {history.incomplete} times it could not be said" if history.incomplete else ""
    each = ""
    if history.subjects > 1:
        each = f" ({history.alarms_a_subject_and_day:.3g} for each of {history.subjects})"
    console.print(
        f"{counted(len(history.alarms), 'alarm')}, {history.alarms_a_day:.3g} a day{each}"
        f"{late}{unsaid}"
    )
    if not history.subjects:
        console.print(
            f"nothing was judged: no value is of a quantity that the rule looks at, or no device "
            f"that it selects is of a {rule.per}"
        )
    show_alarms(console, history.alarms, zone=source.zone, end_ns=history.end_ns)


def _draw(
    console: Console, thinned: Thinned, history: History, source: Source, truth: list[Label]
) -> None:
    device = history.alarms[0].subject.device if history.alarms else ""
    quantity = history.alarms[0].subject.quantity if history.alarms else ""
    for chart in thinned.chart(
        device, quantity, zone=source.zone, width=console.width, color=sys.stdout.isatty()
    ):
        typer.echo(chart)
    span = {"start_ns": history.start_ns, "end_ns": history.end_ns}
    typer.echo(f"alarms {strip(spans_of(history.alarms, history.end_ns), **span)}")
    if truth:
        typer.echo(f"labels {strip(label_spans(truth), **span)}")


def _a_day(runs: list[History]) -> float:
    return sum(history.alarms_a_day for history in runs)


def _numbers(text: str | None, option: str) -> list[float]:
    """Return `70,75` or `60:90:5` (from, to inclusive, step) as numbers."""
    if text is None:
        return []
    try:
        if ":" not in text:
            return [float(part) for part in text.split(",")]
        first, last, step = (float(part) for part in text.split(":"))
        steps = int((last - first) / step + 0.5)
    except (ValueError, ArithmeticError):
        raise ConfigurationError(
            f"option {option}: numbers such as 70,75,80 or 60:90:5 are expected, not {text!r}"
        ) from None
    if not 0 <= steps <= _MOST_STEPS:
        raise ConfigurationError(f"option {option}: {text!r} has not 1 to {_MOST_STEPS} steps")
    return [first + step * place for place in range(steps + 1)]


def _durations(text: str | None) -> list[int]:
    try:
        return [] if text is None else [duration_ns(part, ()) for part in text.split(",")]
    except RuleProblem as problem:
        raise ConfigurationError(f"option --for: {problem.detail}") from None


def _shown(number: float | None) -> str:
    return "-" if number is None else f"{number:g}"
