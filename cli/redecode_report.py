"""What `passerelle redecode` prints: counts by quantity, examples, what was left out."""

from __future__ import annotations

from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from cli.tables import print_table
from core.clock import iso
from core.settings import Settings
from ingest.redecode import Redecoded
from ingest.redecode_compare import Change, ChangeKind
from ingest.redecode_versions import ProfileJudges


def print_report(
    done: Redecoded, *, profile: str, version: int, dry_run: bool, as_json: bool
) -> None:
    """Print what decoding again did, or would do."""
    if as_json:
        typer.echo(msgspec.json.encode(_as_json(done, profile, version, dry_run=dry_run)).decode())
        return
    console = Console()
    verb = "would be" if dry_run else "were"
    table = Table("site", "device", "quantity", "added", "changed", "removed", "same")
    for (site, device, quantity), tally in sorted(done.values.items()):
        counts = (tally.added, tally.changed, tally.removed, tally.same)
        table.add_row(site, device, quantity, *(f"{count:,}" for count in counts))
    if table.row_count:
        print_table(table)
    for kind in ChangeKind:
        for change in done.examples.get(kind, []):
            console.print(f"{kind.value}: {_shown(change)}", highlight=False, soft_wrap=True)
    added, changed, removed = (done.count(kind) for kind in ChangeKind)
    typer.echo(
        f"{done.messages:,} messages decoded with profile {profile} version {version}: "
        f"{added:,} values {verb} added, {changed:,} changed, {removed:,} given no more"
    )
    if not dry_run:
        typer.echo(f"{done.points:,} points written, {done.deleted:,} values deleted")


def say_what_was_left(
    done: Redecoded, *, judges: ProfileJudges, settings: Settings, dry_run: bool
) -> None:
    """Print what was not decoded again, and what to do about it."""
    removed = done.count(ChangeKind.REMOVED)
    if removed > done.deleted and not dry_run:
        typer.echo(f"{removed - done.deleted:,} values that the profile gives no more stay stored")
    if done.rejected:
        typer.echo(f"the store refused {done.rejected:,} points: {'; '.join(done.reasons)}")
    for reason, count in done.unusable.most_common():
        typer.echo(f"{count:,} messages give nothing with this profile ({reason})")
    if done.set_aside:
        typer.echo(
            f"{done.set_aside:,} messages are dead letters and were left out: "
            "`passerelle dead-letters replay` decodes them again"
        )
    if done.waiting:
        typer.echo(
            f"{done.waiting:,} messages still wait for the store and were left out: "
            "run this again later"
        )
    if done.gaps:
        missing = sum(gap.messages for gap in done.gaps)
        typer.echo(
            f"{missing:,} messages of about that time are not in the archive: {done.gaps[0].reason}"
        )
    for damage in done.damaged:
        typer.echo(
            f"{damage.path}: {damage.hole.size:,} bytes at {damage.hole.offset:,} "
            f"{'end in the middle of a block' if damage.hole.torn else 'cannot be read'}"
        )
    for version, why in judges.unusable:
        typer.echo(f"what version {version} gave is not known, nor what it gives no more: {why}")
    if done.points and settings.sinks:
        typer.echo(
            "further sinks were not corrected: "
            f"{', '.join(sink.name for sink in settings.sinks)} keep the values of before"
        )


def _shown(change: Change) -> str:
    what = f"{change.site}/{change.device} {change.quantity} {iso(change.time_ns)}"
    if change.before is None:
        return f"{what} {change.after:.10g}"
    if change.after is None:
        return f"{what} {change.before:.10g}"
    return f"{what} {change.before:.10g} -> {change.after:.10g}"


def _as_json(done: Redecoded, profile: str, version: int, *, dry_run: bool) -> dict[str, Any]:
    return {
        "profile": profile,
        "version": version,
        "dry_run": dry_run,
        "messages": done.messages,
        "points": done.points,
        "deleted": done.deleted,
        "rejected": done.rejected,
        "waiting": done.waiting,
        "set_aside": done.set_aside,
        "unusable": done.unusable,
        "not_in_archive": sum(gap.messages for gap in done.gaps),
        "damaged": len(done.damaged),
        "values": [
            {
                "site": site, "device": device, "quantity": quantity,
                **msgspec.to_builtins(tally),
            }
            for (site, device, quantity), tally in sorted(done.values.items())
        ],
        "examples": [
            msgspec.to_builtins(change) for kind in ChangeKind
            for change in done.examples.get(kind, [])
        ],
    }  # fmt: skip
