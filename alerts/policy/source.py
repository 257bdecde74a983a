"""The policy from YAML: read and checked; errors name file, line and field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from alerts.deliver.spec import ChannelSpec, read_channel
from alerts.model import AlarmClass, Severity
from alerts.policy.model import (
    DEFAULT,
    Flapping,
    GroupBy,
    Inhibit,
    Match,
    Past,
    Policy,
    Route,
    Step,
)
from alerts.rules.reading import (
    Path,
    RuleProblem,
    duration_ns,
    mapping,
    one_of,
    several,
    text,
    texts,
    truth,
    whole,
)
from core.clock import NS_PER_HOUR, NS_PER_S
from core.errors import ConfigurationError, PolicyError
from core.identity import checked_slug
from core.placed_yaml import PlacedYaml, hint

SHIPPED = FilePath(__file__).parent / "default.yaml"
"""The policy where no other is given."""
_KEYS = ("channels", "routes", "default", "inhibit")
_ROUTE_KEYS = (
    "channels", "group_by", "group_wait", "group_interval", "repeat", "escalate", "resolved",
    "retroactive", "flapping",
)  # fmt: skip
_MATCHED = ("class", "severity", "rule", "site", "building", "zone", "device", "person")
_EQUAL = ("site", "building", "zone", "device", "person")
_MOST_BYTES = 1024 * 1024
_LONGEST_INTERVAL_NS = 24 * NS_PER_HOUR
_LEAST_NS = 10 * NS_PER_S
_NEVER = "never"


def load_policy(path: FilePath | None, *, environ: Mapping[str, str] | None = None) -> Policy:
    """Return the policy of a file; None: the shipped one (`SHIPPED`).

    Args:
        path: YAML file.
        environ: environment variables for `${NAME}`; default: those of the process.

    Raises:
        PolicyError: it cannot be read or used.
    """
    file = SHIPPED if path is None else path
    try:
        source = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{file}: it cannot be read ({error})") from None
    return parse_policy(source, origin=str(file), environ=environ)


def parse_policy(source: str, *, origin: str, environ: Mapping[str, str] | None = None) -> Policy:
    """Return the policy that YAML describes, fully checked.

    Args:
        source: YAML text.
        origin: file name, or whatever says where it comes from, for errors.
        environ: see `load_policy`.

    Raises:
        PolicyError: it cannot be used; the sentence begins with `origin:line: field:`.
    """
    if len(source) > _MOST_BYTES:
        raise PolicyError(f"{origin}: a policy has at most {_MOST_BYTES} characters")
    tree = PlacedYaml(source, origin, noun="policy", error=PolicyError)
    plain = tree.plain()
    try:
        return _policy(plain, environ)
    except RuleProblem as problem:
        raise tree.problem(problem.path, problem.detail) from None


def _policy(plain: Any, environ: Mapping[str, str] | None) -> Policy:
    said = mapping(plain, (), _KEYS, needed=("channels", "default"))
    channels = _channels(said["channels"], environ)
    routes: list[Route] = []
    if "routes" in said:
        names: set[str] = set()
        for one in several(said["routes"], ("routes",), _reader(channels)):
            if one.name in names:
                place = ("routes", len(routes), "name")
                raise RuleProblem(place, f"there are two routes named {one.name}")
            names.add(one.name)
            routes.append(one)
    last = mapping(said["default"], ("default",), _ROUTE_KEYS)
    routes.append(_route(last, ("default",), DEFAULT, Match(), channels))
    inhibits = several(said["inhibit"], ("inhibit",), _inhibit) if "inhibit" in said else ()
    return Policy(channels=channels, routes=tuple(routes), inhibits=inhibits)


def _channels(value: Any, environ: Mapping[str, str] | None) -> dict[str, ChannelSpec]:
    names = list(value) if isinstance(value, Mapping) else []
    said = mapping(value, ("channels",), names)
    if not said:
        raise RuleProblem(("channels",), "there has to be a channel, else nobody is told anything")
    return {
        name: read_channel(name, one, ("channels", name), environ=environ)
        for name, one in said.items()
    }


def _reader(channels: Mapping[str, ChannelSpec]) -> Any:
    def read(value: Any, path: Path) -> Route:
        said = mapping(
            value,
            path,
            ("name", "match", "continue", *_ROUTE_KEYS),
            needed=("name", "match"),
        )
        name = text(said["name"], (*path, "name"), longest=64)
        try:
            checked_slug(name, what="route")
        except ConfigurationError as error:
            raise RuleProblem((*path, "name"), error.detail) from None
        if name == DEFAULT:
            raise RuleProblem((*path, "name"), f"{DEFAULT} is what takes all the rest")
        match = _match(said["match"], (*path, "match"))
        goes_on = truth(said["continue"], (*path, "continue")) if "continue" in said else False
        return _route(said, path, name, match, channels, goes_on=goes_on)

    return read


def _route(
    said: Mapping[str, Any],
    path: Path,
    name: str,
    match: Match,
    channels: Mapping[str, ChannelSpec],
    *,
    goes_on: bool = False,
) -> Route:
    found: dict[str, Any] = {}
    if "group_by" in said:
        found["group_by"] = _group_by(said["group_by"], (*path, "group_by"))
    if "group_wait" in said:
        found["group_wait_ns"] = _bounded(said["group_wait"], (*path, "group_wait"))
    if "group_interval" in said:
        found["group_interval_ns"] = _bounded(said["group_interval"], (*path, "group_interval"))
    if "repeat" in said:
        found["repeat_ns"] = _repeat(said["repeat"], (*path, "repeat"))
    if "escalate" in said:
        found["escalate"] = _steps(said["escalate"], (*path, "escalate"), channels)
    if "resolved" in said:
        found["resolved"] = truth(said["resolved"], (*path, "resolved"))
    if "retroactive" in said:
        found["past"] = one_of(said["retroactive"], (*path, "retroactive"), Past)
    if "flapping" in said:
        found["flapping"] = _flapping(said["flapping"], (*path, "flapping"))
    if said.get("channels") is None:
        raise RuleProblem(path, "channels is missing; [] tells nobody")
    told = _names(said["channels"], (*path, "channels"), channels)
    return Route(name=name, match=match, channels=told, goes_on=goes_on, **found)


def _names(value: Any, path: Path, channels: Mapping[str, ChannelSpec]) -> tuple[str, ...]:
    """Return names of channels that there are; an empty list is one."""
    if value == []:
        return ()
    names = texts(value, path)
    for place, name in enumerate(names):
        if name not in channels:
            at = path if isinstance(value, str) else (*path, place)
            raise RuleProblem(at, f"there is no channel {name!r}{hint(name, channels)}")
    return tuple(dict.fromkeys(names))


def _match(value: Any, path: Path) -> Match:
    said = mapping(value, path, (*_MATCHED, "labels"))
    patterns: dict[str, tuple[str, ...]] = {}
    for name in _MATCHED:
        if name in said:
            patterns[name] = texts(said[name], (*path, name))
    for name, known in (("class", AlarmClass), ("severity", Severity)):
        for place, one in enumerate(patterns.get(name, ())):
            if "*" not in one:
                at = (*path, name) if isinstance(said[name], str) else (*path, name, place)
                one_of(one, at, known)
    labels = said.get("labels", {})
    for name, wanted in mapping(labels, (*path, "labels"), labels).items():
        patterns[f"label:{name}"] = texts(wanted, (*path, "labels", name))
    return Match(patterns)


def _group_by(value: Any, path: Path) -> tuple[GroupBy, ...]:
    if value == []:
        return ()
    return several(value, path, lambda one, at: one_of(one, at, GroupBy))


def _bounded(value: Any, path: Path) -> int:
    found = duration_ns(value, path)
    if found > _LONGEST_INTERVAL_NS:
        raise RuleProblem(path, "at most 24h: nobody would be told for longer than that")
    return found


def _repeat(value: Any, path: Path) -> int:
    return 0 if value == _NEVER else duration_ns(value, path, least_ns=_LEAST_NS)


def _steps(value: Any, path: Path, channels: Mapping[str, ChannelSpec]) -> tuple[Step, ...]:
    def read(one: Any, at: Path) -> Step:
        said = mapping(one, at, ("after", "channels"), needed=("after", "channels"))
        return Step(
            duration_ns(said["after"], (*at, "after"), least_ns=NS_PER_S),
            _names(said["channels"], (*at, "channels"), channels),
        )

    steps = several(value, path, read)
    for place in range(1, len(steps)):
        if steps[place].after_ns <= steps[place - 1].after_ns:
            raise RuleProblem((*path, place, "after"), "each step comes later than the one before")
    return steps


def _flapping(value: Any, path: Path) -> Flapping:
    names = ("changes", "within", "steady")
    said = mapping(value, path, names, needed=names)
    return Flapping(
        changes=whole(said["changes"], (*path, "changes"), least=3, most=50),
        within_ns=duration_ns(said["within"], (*path, "within"), least_ns=NS_PER_S),
        steady_ns=duration_ns(said["steady"], (*path, "steady"), least_ns=NS_PER_S),
    )


def _inhibit(value: Any, path: Path) -> Inhibit:
    said = mapping(value, path, ("source", "target", "equal"), needed=("source", "target"))
    for name in ("source", "target"):
        if said[name] == {}:
            raise RuleProblem((*path, name), "say which alerts are meant")
    equal = texts(said["equal"], (*path, "equal")) if "equal" in said else ()
    for place, one in enumerate(equal):
        if one not in _EQUAL:
            raise RuleProblem(
                (*path, "equal", place), f"{one!r} is not compared{hint(one, _EQUAL)}"
            )
    return Inhibit(
        _match(said["source"], (*path, "source")), _match(said["target"], (*path, "target")), equal
    )
