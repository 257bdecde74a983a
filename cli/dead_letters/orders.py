"""`passerelle dead-letters replay`, `discard` and `requests`."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer
from rich.table import Table

from cli.dead_letters.chosen import (
    DeviceOption,
    ProfileOption,
    ReasonOption,
    ScopeOption,
    SinceOption,
    SiteOption,
    State,
    UntilOption,
    WorkerOption,
    chosen,
    counted,
)
from cli.dead_letters.follow import (
    confirmed,
    follow,
    numbers,
    print_outcomes,
    require_workers,
    say,
)
from cli.opened import opened_registry
from cli.tables import print_table
from core.clock import iso
from core.errors import ConfigurationError
from devices.registry import LetterAction, LetterFilter, LetterRequest, Registry

_RATE = 1000.0
_FEW = 10

IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Their ids; or choose by filters.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would become of them.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
WaitOption = Annotated[
    bool, typer.Option(help="Wait until the workers are done; they go on in any case.")
]


def replay(
    ids: IdsArgument = None,
    *,
    site: SiteOption = None,
    device: DeviceOption = None,
    reason: ReasonOption = None,
    scope: ScopeOption = None,
    profile: ProfileOption = None,
    worker: WorkerOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    rate: Annotated[
        float, typer.Option(min=0, help="Dead letters a second, at most; 0: no bound.")
    ] = _RATE,
    wait: WaitOption = True,
    resume: Annotated[
        list[int] | None, typer.Option(help="Go on with this request, which was stopped.")
    ] = None,
) -> None:
    """Judge open dead letters again, with the present profiles: a dry run, a question, then all."""
    wanted = chosen(
        site=site, device=device, reason=reason, scope=scope, profile=profile, worker=worker,
        since=since, until=until,
    )  # fmt: skip
    _one_kind(ids, wanted, resume)
    with opened_registry() as registry:
        if resume:
            _finish(registry, [_resumed(registry, one) for one in resume])
            return
        if (dry_run or not yes) and not _dry_run(registry, ids, wanted):
            return
        if dry_run or not confirmed("replay them?", yes=yes):
            return
        asked = registry.dead_letters.request(
            LetterAction.REPLAY,
            requested_by=_operator(),
            letters=ids,
            wanted=None if ids else wanted,
            rate=rate,
        )
        if not asked:
            typer.echo("no open dead letter matches")
        elif wait:
            _finish(registry, asked)
        else:
            typer.echo(f"{numbers(asked)}: the workers carry it out")


def discard(
    ids: IdsArgument = None,
    *,
    why: Annotated[str, typer.Option(help="Why; it is kept with each of them.")],
    site: SiteOption = None,
    device: DeviceOption = None,
    reason: ReasonOption = None,
    scope: ScopeOption = None,
    profile: ProfileOption = None,
    worker: WorkerOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    wait: WaitOption = True,
) -> None:
    """Let the payloads of open dead letters go for good; rows, reasons and account stay."""
    wanted = chosen(
        site=site, device=device, reason=reason, scope=scope, profile=profile, worker=worker,
        since=since, until=until,
    )  # fmt: skip
    _one_kind(ids, wanted, None)
    if not why.strip():
        raise ConfigurationError("option --why: say why they are discarded")
    with opened_registry() as registry:
        if ids:
            total = len(set(ids))
            for one in ids:
                registry.dead_letters.get(one)
        else:
            counts = counted(registry, wanted, State.OPEN)
            total = sum(counts.values())
            for name, count in counts.items():
                typer.echo(f"{count:>9,}  {name}")
        if not total:
            typer.echo("no open dead letter matches")
            return
        typer.echo(f"{total:>9,}  dead letters would be discarded: their payloads are gone then")
        if dry_run or not confirmed("discard them?", yes=yes):
            return
        asked = registry.dead_letters.request(
            LetterAction.DISCARD,
            requested_by=_operator(),
            letters=ids,
            wanted=None if ids else wanted,
            why=why,
        )
        if wait:
            _finish(registry, asked)
        else:
            typer.echo(f"{numbers(asked)}: the workers carry it out")


def requests() -> None:
    """List what was asked of the workers lately, and how far it is."""
    with opened_registry() as registry:
        found = registry.dead_letters.requests(limit=50)
    table = Table(
        "request", "asked (UTC)", "by", "what", "worker", "matched", "done", "replayed", "stay",
        "state",
    )  # fmt: skip
    for one in found:
        state = "paused" if one.paused else one.waiting or "under way"
        if one.finished_ns is not None:
            state = f"done {iso(one.finished_ns)[:19]}Z"
        table.add_row(
            str(one.id), iso(one.created_ns)[:19] + "Z", one.requested_by, one.action, one.worker,
            f"{one.matched:,}", f"{one.done:,}", f"{one.replayed:,}", f"{one.failed:,}", state,
        )  # fmt: skip
    if found:
        print_table(table)
    typer.echo(f"{len(found)} requests")


def _dry_run(registry: Registry, ids: list[str] | None, wanted: LetterFilter) -> bool:
    """Say what would become of the dead letters; return whether there are any."""
    asked = registry.dead_letters.request(
        LetterAction.DRY_RUN,
        requested_by=_operator(),
        letters=ids,
        wanted=None if ids else wanted,
    )
    if not asked:
        typer.echo("no open dead letter matches")
        return False
    done = follow(registry, asked)
    print_outcomes(LetterAction.DRY_RUN, done)
    return True


def _resumed(registry: Registry, number: int) -> LetterRequest:
    """Let a request go on; one that is done already is only shown."""
    found = registry.dead_letters.get_request(number)
    if found.finished_ns is not None:
        return found
    return registry.dead_letters.pause(number, paused=False)


def _finish(registry: Registry, asked: list[LetterRequest]) -> None:
    if len(asked) > _FEW:
        say(f"{len(asked)} workers hold some of them")
    require_workers(registry, [one for one in asked if one.finished_ns is None])
    done = follow(registry, asked)
    for action in dict.fromkeys(one.action for one in done):
        mine = [one for one in done if one.action == action]
        print_outcomes(LetterAction(action), mine)
    typer.echo(f"{numbers(done)} done: {sum(one.done for one in done):,} looked at")


def _one_kind(ids: list[str] | None, wanted: LetterFilter, resume: list[int] | None) -> None:
    given = [bool(ids), wanted != LetterFilter(), bool(resume)]
    if sum(given) > 1:
        raise ConfigurationError("give ids, or filters, or --resume: not two of them")


def _operator() -> str:
    """Return who is at the terminal."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"
