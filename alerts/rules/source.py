"""Alert rules from YAML: read, checked, every number in its unit; errors name file, line, field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from alerts.model import AlarmClass, Severity
from alerts.rules.conditions import condition, holds_kind
from alerts.rules.inventory import matches
from alerts.rules.model import (
    Completeness,
    News2,
    Override,
    Per,
    Retroactive,
    Rule,
    Select,
)
from alerts.rules.reading import (
    Path,
    RuleProblem,
    duration_ns,
    instant_ns,
    mapping,
    one_of,
    several,
    text,
    texts,
    whole,
)
from alerts.rules.series import selected
from core.errors import ConfigurationError, RuleError
from core.identity import checked_slug
from core.placed_yaml import PlacedYaml, hint
from core.quality import Quality
from core.quantities import CATALOGUE

_KEYS = (
    "rule", "version", "title", "severity", "class", "select", "per", "when", "for", "clear_for",
    "lateness", "retroactive", "ignore_quality", "overrides", "runbook",
)  # fmt: skip
_MOST_BYTES = 256 * 1024
_RESERVED = "platform."
LANGUAGES = ("en", "fr")
"""Languages in which a rule has a title."""


def load_rules(path: FilePath) -> list[Rule]:
    """Return the rule of a file, or those of a directory (`*.yaml`), by name.

    Raises:
        RuleError: one cannot be read or used, or two have the same name.
    """
    files = [path]
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.suffix in {".yaml", ".yml"})
        if not files:
            raise RuleError(f"{path}: there is no rule (*.yaml) in it")
    origins: dict[str, FilePath] = {}
    found = []
    for file in files:
        try:
            source = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RuleError(f"{file}: it cannot be read ({error})") from None
        rule = parse_rule(source, origin=str(file))
        if rule.name in origins:
            raise RuleError(f"{file}: rule {rule.name!r} is in {origins[rule.name]} already")
        origins[rule.name] = file
        found.append(rule)
    return sorted(found, key=lambda rule: rule.name)


def parse_rule(source: str, *, origin: str) -> Rule:
    """Return the rule that YAML describes, fully checked.

    Args:
        source: YAML text.
        origin: file name, or whatever says where it comes from, for errors.

    Raises:
        RuleError: it cannot be used; the sentence begins with `origin:line: field:`.
    """
    if len(source) > _MOST_BYTES:
        raise RuleError(f"{origin}: a rule has at most {_MOST_BYTES} characters")
    tree = PlacedYaml(source, origin, noun="rule", error=RuleError)
    plain = tree.plain()
    try:
        return _rule(plain)
    except RuleProblem as problem:
        raise tree.problem(problem.path, problem.detail) from None


def _rule(plain: Any) -> Rule:
    said = mapping(plain, (), _KEYS, needed=("rule", "title", "when"))
    per = one_of(said.get("per", "device"), ("per",), Per)
    select = _select(said.get("select", {}), per)
    series = selected(select) if per is Per.SERIES else ()
    rule = Rule(
        name=_slug(said["rule"], ("rule",)),
        title=_title(said["title"]),
        severity=one_of(said.get("severity", "warning"), ("severity",), Severity),
        alarm_class=_alarm_class(said),
        select=select,
        per=per,
        when=condition(said["when"], ("when",), series=series),
        for_ns=duration_ns(said.get("for", "0s"), ("for",)),
        clear_for_ns=duration_ns(said.get("clear_for", "0s"), ("clear_for",)),
        lateness_ns=duration_ns(said.get("lateness", "10m"), ("lateness",)),
        retroactive=one_of(said.get("retroactive", "notify"), ("retroactive",), Retroactive),
        ignore_quality=_quality(said.get("ignore_quality")),
        overrides=_overrides(said, series),
        runbook=text(said["runbook"], ("runbook",)) if "runbook" in said else "",
        version=whole(said.get("version", 1), ("version",), least=1, most=1_000_000),
    )
    _check_fit(rule)
    return rule


def _check_fit(rule: Rule) -> None:
    if holds_kind(rule.when, News2) and rule.per is not Per.PERSON:
        raise RuleProblem(("per",), "news2 is of a person: per: person")
    if holds_kind(rule.when, Completeness) and rule.per not in (Per.DEVICE, Per.SITE):
        raise RuleProblem(("per",), "completeness is of a device or of a site")
    for place, one in enumerate(rule.overrides):
        if one.person and rule.per is not Per.PERSON:
            raise RuleProblem(("overrides", place, "person"), "the rule is not per person")


def _slug(value: Any, path: Path) -> str:
    try:
        name = checked_slug(text(value, path, longest=64), what="rule")
    except ConfigurationError as error:
        raise RuleProblem(path, error.detail) from None
    if name.startswith(_RESERVED):
        raise RuleProblem(path, f"names that begin with {_RESERVED} are the platform's own")
    return name


def _title(value: Any) -> Mapping[str, str]:
    said = mapping(value, ("title",), LANGUAGES, needed=LANGUAGES)
    return {name: text(said[name], ("title", name), longest=200) for name in LANGUAGES}


def _alarm_class(said: Mapping[str, Any]) -> AlarmClass:
    if "class" in said:
        return one_of(said["class"], ("class",), AlarmClass)
    kind = next(iter(said["when"]), "") if isinstance(said["when"], Mapping) else ""
    if kind == "absence":
        return AlarmClass.NO_DATA
    technical = kind in ("battery", "completeness")
    return AlarmClass.TECHNICAL if technical else AlarmClass.MEASURED


def _select(value: Any, per: Per) -> Select:
    fields = ("site", "building", "zone", "device", "profile")
    said = mapping(value, ("select",), (*fields, "quantity", "labels"))
    labels = said.get("labels", {})
    return Select(
        **{name: texts(said[name], ("select", name)) for name in fields if name in said},
        quantity=_quantities(said["quantity"], per) if "quantity" in said else (),
        labels={
            name: texts(patterns, ("select", "labels", name))
            for name, patterns in mapping(labels, ("select", "labels"), labels).items()
        },
    )


def _quantities(value: Any, per: Per) -> tuple[str, ...]:
    path = ("select", "quantity")
    if per is not Per.SERIES:
        raise RuleProblem(
            path, f"it is for per: series; per: {per}, the condition says of which quantity it is"
        )
    if isinstance(value, str):
        return (_quantity_pattern(value, path),)
    return several(value, path, _quantity_pattern)


def _quantity_pattern(value: Any, path: Path) -> str:
    pattern = text(value, path, longest=100)
    if not any(matches((pattern,), name) for name in CATALOGUE):
        raise RuleProblem(path, f"no quantity fits {pattern!r}{hint(pattern, CATALOGUE)}")
    return pattern


def _quality(value: Any) -> int:
    if value is None:
        return 0
    known = {str(flag.name).lower(): flag for flag in Quality if flag}
    found = 0
    for place, name in enumerate(texts(value, ("ignore_quality",))):
        if name not in known:
            names = ", ".join(known)
            raise RuleProblem(("ignore_quality", place), f"{name!r} is no flag; there are {names}")
        found |= known[name]
    return int(found)


def _overrides(said: Mapping[str, Any], series: tuple[str, ...]) -> tuple[Override, ...]:
    if "overrides" not in said:
        return ()

    def read(value: Any, path: Path) -> Override:
        one = mapping(
            value,
            path,
            ("device", "person", "set", "when", "author", "reason", "expires"),
            needed=("author", "reason", "expires"),
        )
        for first, second, what in (
            ("device", "person", "whose limits they are"),
            ("set", "when", "what is different (set: parts of when; when: all of it)"),
        ):
            if (first in one) == (second in one):
                raise RuleProblem(path, f"{first} or {second} says {what}; one of the two")
        changed = one.get("when")
        if changed is None:
            changed = _merged(said["when"], one["set"], (*path, "set"))
        at = (*path, "when" if "when" in one else "set")
        return Override(
            when=condition(changed, at, series=series),
            author=text(one["author"], (*path, "author"), longest=200),
            reason=text(one["reason"], (*path, "reason")),
            expires_ns=instant_ns(one["expires"], (*path, "expires")),
            device=text(one["device"], (*path, "device"), longest=64) if "device" in one else "",
            person=text(one["person"], (*path, "person"), longest=64) if "person" in one else "",
        )

    return several(said["overrides"], ("overrides",), read)


def _merged(whole: Any, changes: Any, path: Path) -> Any:
    """Return the condition as it is written, with other values at some keys."""
    if not isinstance(changes, Mapping):
        return changes
    if not isinstance(whole, Mapping):
        raise RuleProblem(path, "there is no mapping at this place of when; write when out instead")
    return dict(whole) | {
        key: _merged(whole.get(key, {}), change, (*path, key)) for key, change in changes.items()
    }
