"""`passerelle alerts rules`: the rules of a running platform, version by version."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from alerts.rules.source import parse_rule
from cli.alerts.asked import (
    JsonOption,
    ReasonOption,
    RuleNameArgument,
    print_json,
    rule_path,
)
from cli.alerts.trial import check
from cli.alerts.words import Json, cut, instant, severity, title
from cli.exports.chosen import KeyOption, UrlOption
from cli.exports.client import opened_api
from cli.tables import plain, print_table
from core.errors import ConfigurationError, RuleError

_PATH = "/v1/alert-rules"

rules_app = typer.Typer(help="What raises an alert, and who said so.", no_args_is_help=True)
rules_app.command("check")(check)


@rules_app.command("list")
def list_rules(
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List the rules: whether they count, and who changed them last, and why."""
    with opened_api(url, key) as api:
        found = api.ask("GET", _PATH)["rules"]
    if as_json:
        print_json(found)
        return
    table = Table("rule", "title", "severity", "state", "version", "changed (UTC)", "by", "reason")
    for one in found:
        meaning = one["meaning"]
        table.add_row(
            plain(one["name"]),
            plain(cut(title(meaning) if meaning else f"cannot be used: {one['problem']}")),
            severity(meaning["severity"]) if meaning else "",
            one["state"],
            str(one["version"]),
            instant(one["created"])[:19],
            plain(one["author"]),
            plain(cut(one["reason"])),
        )
    if found:
        print_table(table)
    typer.echo(f"{len(found)} rule{'' if len(found) == 1 else 's'}")


@rules_app.command("show")
def show_rule(
    rule: RuleNameArgument,
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show a rule: what it says in words, its exceptions, and its text."""
    with opened_api(url, key) as api:
        found = api.ask("GET", rule_path(rule))
    if as_json:
        print_json(found)
        return
    console = Console(highlight=False)
    _print_head(console, found)
    for one in found["overrides"]:
        whose = one["device"] or one["person"]
        console.print(
            plain(f"for {whose}: {one['condition']['en']}, until {instant(one['expires'])}"),
            plain(f"({one['author']}: {one['reason']})", "dim"),
        )
    console.print()
    if found["source"] is None:
        console.print("its text names what is at sites that this key may not see")
    else:
        _print_source(console, found["source"])


@rules_app.command("put")
def put(
    file: Annotated[Path, typer.Argument(help="A YAML file with a rule.")],
    *,
    reason: ReasonOption,
    expected: Annotated[
        int | None, typer.Option(min=1, help="Only when this version is the newest.")
    ] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Do not let it count yet.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Keep a rule, or a new version of it; it counts within seconds."""
    try:
        source = file.read_text(encoding="utf-8")
        name = parse_rule(source, origin=str(file)).name
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: it cannot be read ({error})") from None
    except RuleError as error:
        sys.stderr.write(f"{error.detail}\n")
        raise typer.Exit(1) from None
    order = {"source": source, "reason": reason} | ({"state": "disabled"} if disabled else {})
    headers = {} if expected is None else {"If-Match": f'"{expected}"'}
    with opened_api(url, key) as api:
        found = api.ask("PUT", rule_path(name), json=order, headers=headers)
    _say(found, as_json=as_json)


@rules_app.command("enable")
def enable(
    rule: RuleNameArgument,
    *,
    reason: ReasonOption,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Let a rule count again."""
    _switch(rule, "enable", reason=reason, as_json=as_json, url=url, key=key)


@rules_app.command("disable")
def disable(
    rule: RuleNameArgument,
    *,
    reason: ReasonOption,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Let a rule not count; it stays, and what it raised is over."""
    _switch(rule, "disable", reason=reason, as_json=as_json, url=url, key=key)


@rules_app.command("delete")
def delete(
    rule: RuleNameArgument,
    *,
    reason: ReasonOption,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Take a rule away; its versions are kept."""
    with opened_api(url, key) as api:
        api.ask("DELETE", rule_path(rule), params={"reason": reason})
    typer.echo(plain(f"{rule} is deleted; `passerelle alerts rules history` keeps it").plain)


@rules_app.command("history")
def history(
    rule: RuleNameArgument,
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List the versions of a rule, the newest first: who, when, why."""
    with opened_api(url, key) as api:
        found = api.ask("GET", f"{rule_path(rule)}/versions")["versions"]
    if as_json:
        print_json(found)
        return
    table = Table("version", "state", "when (UTC)", "by", "reason")
    for one in found:
        table.add_row(
            str(one["version"]),
            one["state"],
            instant(one["created"])[:19],
            plain(one["author"]),
            plain(one["reason"]),
        )
    print_table(table)


@rules_app.command("diff")
def diff(
    rule: RuleNameArgument,
    first: Annotated[int, typer.Argument(metavar="V1", min=1, help="A version.")],
    second: Annotated[int, typer.Argument(metavar="V2", min=1, help="Another one.")],
    *,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show what is different between two versions of a rule."""
    with opened_api(url, key) as api:
        versions = api.ask("GET", f"{rule_path(rule)}/versions")["versions"]
    lines = difflib.unified_diff(
        _text(versions, rule, first),
        _text(versions, rule, second),
        f"{rule} {first}",
        f"{rule} {second}",
        lineterm="",
    )
    console = Console(highlight=False, soft_wrap=True)
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in lines:
        console.print(plain(line, styles.get(line[:1], "")))


def _text(versions: Sequence[Json], rule: str, number: int) -> list[str]:
    found = next((one for one in versions if one["version"] == number), None)
    if found is None:
        raise ConfigurationError(f"{rule} has no version {number}; see rules history {rule}")
    if found["source"] is None:
        raise ConfigurationError(f"the text of version {number} is not shown to this key")
    return str(found["source"]).splitlines()


def _switch(
    rule: str, act: str, *, reason: str, as_json: bool, url: str | None, key: str | None
) -> None:
    with opened_api(url, key) as api:
        found = api.ask("POST", f"{rule_path(rule)}/{act}", json={"reason": reason})
    _say(found, as_json=as_json)


def _say(rule: Json, *, as_json: bool) -> None:
    if as_json:
        print_json(rule)
    else:
        typer.echo(plain(f"{rule['name']} {rule['version']}: {rule['state']}").plain)


def _print_head(console: Console, rule: Json) -> None:
    meaning = rule["meaning"]
    head = plain(f"{rule['name']} {rule['version']}, {rule['state']}", "bold")
    console.print(head, plain(f"by {rule['author']} at {instant(rule['created'])}", "dim"))
    console.print(plain(rule["reason"], "dim"))
    if meaning is None:
        console.print(plain(f"it cannot be used: {rule['problem']}", "bold red"))
        return
    console.print(severity(meaning["severity"]), plain(title(meaning)))
    held = f", for {meaning['for']}" if meaning["for"] != "0 s" else ""
    console.print(plain(f"per {meaning['per']}: {meaning['condition']['en']}{held}"))


def _print_source(console: Console, source: str) -> None:
    if console.is_terminal:
        console.print(Syntax(plain(source).plain, "yaml", background_color="default"))
    else:
        typer.echo(plain(source).plain)
