"""Tables for a terminal. What people or firmware wrote is shown, never obeyed."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH = 200


def plain(text: object, style: str = "") -> Text:
    """Return text as it is: no markup, and no character that steers a terminal."""
    shown = str(text)
    kept = "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in shown)
    return Text(kept, style=style)


def print_table(table: Table) -> None:
    """Print a table without markup; cells with text that somebody wrote are `plain`.

    In a file or a pipe a row is a line, however narrow the terminal behind it is.
    """
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    console.print(table)
