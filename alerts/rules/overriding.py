"""Overrides added to a rule's YAML and taken out of it; the rest of the text stays as it is.

The list `overrides` is written anew, so comments inside of it are lost; all others are kept.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from alerts.rules.source import parse_rule
from core.errors import NotFoundError, RuleError
from core.placed_yaml import PlacedYaml

MOST_OVERRIDES = 200
"""Overrides that one rule may have."""
_KEY = "overrides"
_WIDTH = 100


def with_override(source: str, override: Mapping[str, Any], *, origin: str) -> str:
    """Return a rule's text with one more override, at the end of the list.

    Args:
        source: YAML of a rule.
        override: as it is written in YAML: `device` or `person`, `set` or `when`, `author`,
            `reason`, `expires`.
        origin: for errors.

    Raises:
        RuleError: the rule with the override cannot be used; or it has too many of them.
    """
    there = _overrides(source, origin)
    if len(there) >= MOST_OVERRIDES:
        raise RuleError(f"{origin}: a rule has at most {MOST_OVERRIDES} overrides; make another")
    made = _with_list(source, [*there, dict(override)], origin)
    parse_rule(made, origin=origin)
    return made


def without_override(source: str, number: int, *, origin: str) -> str:
    """Return a rule's text without an override.

    Args:
        source: YAML of a rule.
        number: which: 1 is the first.
        origin: for errors.

    Raises:
        NotFoundError: it has none of that number.
    """
    there = _overrides(source, origin)
    if not 1 <= number <= len(there):
        raise NotFoundError(f"{origin}: there is no override {number}; it has {len(there)}")
    left = [one for place, one in enumerate(there, start=1) if place != number]
    made = _with_list(source, left, origin)
    parse_rule(made, origin=origin)
    return made


def _overrides(source: str, origin: str) -> list[Any]:
    found = _plain(source, origin).get(_KEY) or []
    if not isinstance(found, list):
        raise RuleError(f"{origin}: {_KEY}: a list is expected")
    return found


def _plain(source: str, origin: str) -> dict[str, Any]:
    found: dict[str, Any] = PlacedYaml(source, origin, noun="rule", error=RuleError).plain()
    return found


def _with_list(source: str, overrides: Sequence[Any], origin: str) -> str:
    """Return the text with another list at the key; where it cannot be put, all is written anew."""
    wanted = {name: said for name, said in _plain(source, origin).items() if name != _KEY}
    if overrides:
        wanted[_KEY] = list(overrides)
    made = _spliced(source, overrides)
    try:
        if _plain(made, origin) == wanted:
            return made
    except RuleError:  # a text written in a way that has no place for a block
        pass
    return _dumped(wanted)


def _spliced(source: str, overrides: Sequence[Any]) -> str:
    root: Any = yaml.compose(source, Loader=yaml.BaseLoader)
    block = _dumped({_KEY: list(overrides)}) if overrides else ""
    block = textwrap.indent(block, " " * root.start_mark.column)
    for key, value in root.value:
        if key.value == _KEY:
            start, end = key.start_mark.index - key.start_mark.column, value.end_mark.index
            return source[:start] + block + _trailing(source[start:end]) + source[end:]
    end = root.end_mark.index
    return f"{source[:end].rstrip()}\n{block}{source[end:]}"


def _trailing(text: str) -> str:
    """Return the comments and empty lines at the end of a list: they belong to what follows."""
    lines = text.splitlines(keepends=True)
    kept = len(lines)
    while kept > 1 and (not lines[kept - 1].strip() or lines[kept - 1].startswith("#")):
        kept -= 1
    return "".join(lines[kept:])


def _dumped(said: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(said), allow_unicode=True, sort_keys=False, width=_WIDTH)
    return text
