"""Topic templates: which topics they match, which template wins, and the MQTT filters to subscribe.

A template is a topic whose levels are literal or one of

- `{site}`: one level, the site;
- `{device}`: one level, the device; `{device*}`: one or more levels, the device (Zigbee2MQTT's
  friendly names hold `/`);
- `{any}`: one level that names nothing; `{any*}`: one or more.

At most one element of a template matches several levels. When two templates match the same topic,
one that carries no telemetry wins (a wildcard must not swallow `/availability`), then the one whose
topics are all matched by the other too, then, inside one profile, the one that is literal first
from the left. Anything else is ambiguous, and an error when the decoder is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.errors import ConfigurationError
from core.message import MessageKind
from devices.topic_filters import HASH, PLUS, contains, overlap

_SITE, _DEVICE, _ANY = "{site}", "{device}", "{any}"
_ONE = frozenset({_SITE, _DEVICE, _ANY})
_SEVERAL = frozenset({"{device*}", "{any*}"})
_MAX_SITE, _MAX_DEVICE = 64, 200
_MAX_CACHED_TOPIC, _MAX_CACHED = 300, 50_000


class Found(NamedTuple):
    """What a topic says: which template (by its place), which site, which device."""

    template: int
    site: str
    device: str


class Template:
    """A topic template, checked and taken apart.

    Args:
        text: the template.
        kind: what its topics carry.
        profile: profile that it is bound to.
        site: the site, when the template does not name it.

    Raises:
        ConfigurationError: it is not a template.
    """

    def __init__(self, text: str, *, kind: MessageKind, profile: str, site: str = "") -> None:
        self.text = text
        self.kind = kind
        self.profile = profile
        self.site = site
        self.levels = tuple(text.split("/"))
        several = [n for n, level in enumerate(self.levels) if level in _SEVERAL]
        self._check(several)
        self.star = several[0] if several else None
        cut = len(self.levels) if self.star is None else self.star
        self.head = self.levels[:cut]
        self.tail = self.levels[cut + 1 :] if several else ()
        self._unnamed = self._name_of_literals()

    def _check(self, several: list[int]) -> None:
        for level in self.levels:
            odd = set("{}+#\x00").intersection(level)
            if not level or (odd and level not in _ONE and level not in _SEVERAL):
                raise self._error(
                    f"level {level!r} is neither literal nor one of {{site}}, {{device}}, "
                    "{device*}, {any}, {any*}"
                )
        if len(several) > 1:
            raise self._error("only one element may match several levels")
        devices = sum(level in {_DEVICE, "{device*}"} for level in self.levels)
        if devices > 1 or (devices == 0 and self.kind is not MessageKind.METADATA):
            raise self._error("it must name the device exactly once, as {device} or {device*}")
        if (_SITE in self.levels) == bool(self.site) or self.levels.count(_SITE) > 1:
            raise self._error("the site must come once, from {site} or from the binding")

    def _error(self, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"topic template {self.text!r} of profile {self.profile}: {what}; correct the template"
        )

    def _name_of_literals(self) -> str:
        """Name what a template without a device stands for: its literal levels but the last one."""
        literal = [level for level in self.levels if level not in _ONE and level not in _SEVERAL]
        if len(literal) > 1 and self.levels[-1] == literal[-1]:
            literal.pop()
        return "/".join(literal)

    def filter(self) -> str:
        """Return the narrowest MQTT filter that covers the template's topics."""
        head = [PLUS if level in _ONE else level for level in self.head]
        return "/".join([*head, HASH] if self.star is not None else head)

    def found(self, levels: Sequence[str], index: int) -> Found | None:
        """Return what a topic says that matches this template; None when a name is not usable."""
        site, device = self.site, self._unnamed
        last = len(levels) - len(self.tail)
        for position, level in enumerate(self.head):
            if level == _SITE:
                site = levels[position]
            elif level == _DEVICE:
                device = levels[position]
        for position, level in enumerate(self.tail, start=last):
            if level == _SITE:
                site = levels[position]
            elif level == _DEVICE:
                device = levels[position]
        if self.star is not None and self.levels[self.star] == "{device*}":
            middle = levels[self.star : last]
            device = "/".join(middle) if all(middle) else ""
        if not site or not device or len(site) > _MAX_SITE or len(device) > _MAX_DEVICE:
            return None
        return Found(index, site, device)

    def outranks(self, other: Template) -> bool:
        """Say whether this one wins where both match.

        Raises:
            ConfigurationError: nothing tells which one wins.
        """
        telemetry = MessageKind.TELEMETRY
        if (self.kind is telemetry) != (other.kind is telemetry):
            return other.kind is telemetry
        mine, theirs = self._shape(), other._shape()
        inside, around = contains(theirs, mine), contains(mine, theirs)
        if inside != around:
            return inside
        if self.profile == other.profile and not inside and self.order() != other.order():
            return self.order() < other.order()
        raise ConfigurationError(
            f"topic templates {self.text!r} (profile {self.profile}) and {other.text!r} (profile "
            f"{other.profile}) match the same topics and neither is more specific; make one of "
            "them narrower or remove a binding"
        )

    def overlaps(self, other: Template) -> bool:
        """Say whether some topic matches both."""
        return overlap(self._shape(), other._shape())

    def order(self) -> tuple[int, ...]:
        """Return how specific each level is, from the left: 0 literal, 1 one level, 2 several."""
        return tuple(0 if x not in _ONE | _SEVERAL else 1 + (x in _SEVERAL) for x in self.levels)

    def _shape(self) -> tuple[str, ...]:
        shape: list[str] = []
        for level in self.levels:
            if level in _SEVERAL:
                shape += [PLUS, HASH]  # one level, then any number of them
            else:
                shape.append(PLUS if level in _ONE else level)
        return tuple(shape)


class _Branch:
    """A level of the trie: what may follow, and the templates that end or widen here."""

    __slots__ = ("ending", "literal", "single", "widening")

    def __init__(self) -> None:
        self.literal: dict[str, _Branch] = {}
        self.single: _Branch | None = None
        self.ending: list[int] = []
        self.widening: list[int] = []


class Router:
    """Finds the template of a topic: a trie, and the answers of topics seen lately.

    Args:
        templates: in any order.

    Raises:
        ConfigurationError: two of them match the same topic and nothing tells which one wins.
    """

    def __init__(self, templates: Sequence[Template]) -> None:
        self._templates = tuple(templates)
        self._beaten_by = self._rank()
        self._root = _Branch()
        self._cache: dict[str, Found | None] = {}
        for index, template in enumerate(self._templates):
            branch = self._root
            for level in template.head:
                if level in _ONE:
                    branch.single = branch.single or _Branch()
                    branch = branch.single
                else:
                    branch = branch.literal.setdefault(level, _Branch())
            (branch.ending if template.star is None else branch.widening).append(index)

    def _rank(self) -> tuple[frozenset[int], ...]:
        beaten: list[set[int]] = [set() for _ in self._templates]
        for i, one in enumerate(self._templates):
            for j, two in enumerate(self._templates[:i]):
                if one.overlaps(two):
                    if one.outranks(two):
                        beaten[j].add(i)
                    else:
                        beaten[i].add(j)
        return tuple(frozenset(winners) for winners in beaten)

    def find(self, topic: str) -> Found | None:
        """Return what `topic` says, or None when nothing is bound to it."""
        cache = self._cache
        try:
            return cache[topic]
        except KeyError:
            pass
        found = self._search(topic)
        if len(topic) <= _MAX_CACHED_TOPIC:
            if len(cache) >= _MAX_CACHED:
                cache.clear()
            cache[topic] = found
        return found

    def _search(self, topic: str) -> Found | None:
        if "\x00" in topic:
            return None
        levels = topic.split("/")
        matching = self._matching(levels)
        for index in matching:
            if self._beaten_by[index].isdisjoint(matching):
                return self._templates[index].found(levels, index)
        return None

    def _matching(self, levels: list[str]) -> set[int]:
        """Collect every template that matches; each branch of the trie is visited once at most."""
        matching: set[int] = set()
        pending = [(self._root, 0)]
        while pending:
            branch, depth = pending.pop()
            for index in branch.widening:
                if self._tail_matches(self._templates[index], levels, depth):
                    matching.add(index)
            if depth == len(levels):
                matching.update(branch.ending)
                continue
            level = levels[depth]
            following = branch.literal.get(level)
            if following is not None:
                pending.append((following, depth + 1))
            if branch.single is not None and level:
                pending.append((branch.single, depth + 1))
        return matching

    @staticmethod
    def _tail_matches(template: Template, levels: list[str], depth: int) -> bool:
        tail = template.tail
        if len(levels) - depth - len(tail) < 1:
            return False
        return all(
            bool(level) if wanted in _ONE else level == wanted
            for wanted, level in zip(tail, levels[len(levels) - len(tail) :], strict=True)
        )
