"""`passerelle dead-letters show`: one of them, and what decoding it now would give."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from cli.dead_letters.listing import shown
from cli.opened import opened_registry
from cli.points import points_table
from cli.tables import plain, print_table
from core.reasons import Reason, what_to_do
from core.settings import load_settings
from devices.registry import DeadLetter, DeadLetterState, LetterFate, Registry
from ingest.directory import take_snapshot
from ingest.duplicates import DuplicateWindow
from ingest.ledger import Account
from ingest.preview import Foreseen, Preview
from ingest.spool import NewDeadLetter
from ingest.validate import ClockPolicy
from ingest.worker import limits_of

_SHOWN_BYTES = 4096
_ROW = 16


def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, such as worker-1-42.")],
    *,
    full: Annotated[
        bool, typer.Option(help=f"The whole payload, not only its first {_SHOWN_BYTES} bytes.")
    ] = False,
    as_hex: Annotated[bool, typer.Option("--hex", help="The payload in hexadecimal.")] = False,
) -> None:
    """Show a dead letter, its payload, what to do, and what decoding it now would give."""
    with opened_registry() as registry:
        letter = registry.dead_letters.get(letter_id)
        foreseen = _foreseen(registry, letter) if letter.state == DeadLetterState.OPEN else None
    console = Console()
    table = Table(show_header=False)
    for name, value in shown(letter).items():
        if value not in ("", {}):
            table.add_row(name, plain(value))
    if hint := what_to_do(letter.reason):
        table.add_row("what to do", hint)
    print_table(table)
    _print_payload(letter, full=full, as_hex=as_hex)
    if foreseen is not None:
        _print_foreseen(console, letter, foreseen)


def _foreseen(registry: Registry, letter: DeadLetter) -> Foreseen | None:
    """Judge a dead letter by the devices and profiles in the registry."""
    if letter.reason == Reason.TOPIC_NOT_UTF8:
        return None
    settings = load_settings()
    ingest = settings.ingest
    preview = Preview(
        snapshot=take_snapshot(registry, limits=limits_of(settings)),
        window=DuplicateWindow(max_messages=0, max_age_s=0),
        load_progress=lambda _site, _device: None,
        clock=ClockPolicy.from_settings(
            earliest=ingest.clock_earliest, ahead_s=ingest.clock_ahead_s
        ),
        ingest=ingest,
    )
    return preview.of(
        NewDeadLetter(
            scope=letter.scope,
            reason=letter.reason,
            detail=letter.detail,
            account=Account(letter.site, letter.device, 0),
            profile=letter.profile,
            topic=letter.topic.encode(),
            payload=letter.payload,
            properties=letter.properties,
            received_ns=letter.received_ns,
            counted=True,
        )
    )


def _print_payload(letter: DeadLetter, *, full: bool, as_hex: bool) -> None:
    if letter.state != DeadLetterState.OPEN:
        typer.echo(f"it was {letter.state}: its payload ({letter.size:,} bytes) is not kept")
        return
    payload = letter.payload if full else letter.payload[:_SHOWN_BYTES]
    typer.echo(f"payload, {len(letter.payload):,} bytes:")
    typer.echo(_hexadecimal(payload) if as_hex else _readable(payload))
    if len(payload) < len(letter.payload):
        typer.echo(f"... ({len(letter.payload) - len(payload):,} bytes more; --full shows them)")


def _readable(payload: bytes) -> str:
    """Return JSON laid out, else text, else hexadecimal."""
    try:
        return msgspec.json.format(payload, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return _hexadecimal(payload)
    return text if text.isprintable() or text.replace("\n", "").isprintable() else repr(text)


def _hexadecimal(payload: bytes) -> str:
    rows = []
    for start in range(0, len(payload), _ROW):
        row = payload[start : start + _ROW]
        plain = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)  # noqa: PLR2004 - ASCII
        rows.append(f"{start:08x}  {row.hex(' '):<{3 * _ROW}} {plain}")
    return "\n".join(rows)


def _print_foreseen(console: Console, letter: DeadLetter, foreseen: Foreseen) -> None:
    if foreseen.fate is LetterFate.OPEN:
        typer.echo(f"decoded now it would stay a dead letter ({foreseen.reason}):")
        typer.echo(f"  {foreseen.detail}")
        return
    if not foreseen.points:
        typer.echo("decoded now it would be accepted; there is nothing in it to store")
        return
    again = " (its other values are stored already)" if letter.scope == "field" else ""
    typer.echo(f"decoded now this would be stored{again}:")
    console.print(points_table(foreseen.points))
    for reason, detail in foreseen.left_out:
        typer.echo(f"left out ({reason}): {detail}")
