"""Profiles from YAML: read, checked, compiled once; an error names the file, line and field.

YAML is read as version 1.2 has it: only `true` and `false` are booleans, so that Tasmota's `ON` and
`OFF` stay words. Anchors, tags and duplicate keys are refused.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from core.errors import ConfigurationError, ProfileError
from core.message import MessageKind
from devices.formats import Format, formats
from devices.limits import Limits
from devices.profile import (
    Description,
    ForEach,
    Profile,
    ProfileProblem,
    Rule,
    Segment,
    TimeRule,
    TopicRule,
    UnitFrom,
)
from devices.registry.records import Binding, ProfileVersion
from devices.topics import Template

_SHIPPED = Path(__file__).parent / "profiles"
_CHECKING = Limits(max_payload_bytes=1, max_depth=1, max_readings=1)
_FIELDS = tuple(
    sorted(
        {
            name
            for struct in (Profile, Description, TopicRule, Rule, TimeRule, UnitFrom, ForEach)
            for name in struct.__struct_fields__
        }
    )
)
_AT = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+)\]")
_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str"))
_CONSTANTS = {"null": None, "~": None, "": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?\d{1,18}", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:\d{1,40}\.\d{0,40}|\.\d{1,40}|\d{1,40}(?=[eE]))(?:[eE][-+]?\d{1,3})?", re.ASCII
)
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")


def shipped_profiles() -> list[ProfileVersion]:
    """Return the profiles that come with Passerelle."""
    return load_profiles(_SHIPPED)[0]


def shipped_bindings() -> list[Binding]:
    """Return the topics that the shipped profiles are bound to."""
    return load_profiles(_SHIPPED)[1]


def load_profiles(directory: Path) -> tuple[list[ProfileVersion], list[Binding]]:
    """Return the profiles of a directory (`*.yaml`), and a binding for each of their topics.

    Raises:
        ProfileError: one of them cannot be used, or two have the same name.
        ConfigurationError: the directory cannot be read.
    """
    versions: list[ProfileVersion] = []
    bindings: list[Binding] = []
    origins: dict[str, str] = {}
    for path in _yaml_files(directory):
        version, bound = load_profile(path)
        if version.name in origins:
            raise ProfileError(
                f"{path}: profile {version.name!r} is in {origins[version.name]} already; "
                "give it another name"
            )
        origins[version.name] = str(path)
        versions.append(version)
        bindings += bound
    return versions, bindings


def load_profile(path: Path) -> tuple[ProfileVersion, list[Binding]]:
    """Return the profile of one file, and a binding for each of its topics that names the site.

    Raises:
        ProfileError: it cannot be read, or cannot be used.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: it cannot be read ({error})") from None
    profile = parse_profile(source, origin=str(path))
    version = ProfileVersion(
        name=profile.name,
        version=profile.version,
        source=source,
        sha256=hashlib.sha256(source.encode()).hexdigest(),
    )
    return version, [
        Binding(template=topic.template, profile=profile.name, kind=topic.kind)
        for topic in profile.topics
        if "{site}" in topic.template.split("/")
    ]


def _yaml_files(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise ConfigurationError(f"{directory} is not a directory of device profiles")
    return sorted(path for path in directory.iterdir() if path.suffix in {".yaml", ".yml"})


def parse_profile(source: str, *, origin: str) -> Profile:
    """Return the profile that `source` describes, fully checked.

    Args:
        source: YAML text.
        origin: file name, or whatever says where it comes from, for errors.

    Raises:
        ProfileError: it cannot be used; the sentence begins with `origin:line: field:`.
    """
    tree = _Tree(source, origin)
    plain = tree.plain()
    try:
        profile = msgspec.convert(plain, Profile)
        _check(profile)
    except msgspec.ValidationError as error:
        raise tree.problem(*_explained(str(error))) from None
    except ProfileProblem as problem:
        raise tree.problem(problem.path, problem.detail) from None
    return profile


def _check(profile: Profile) -> None:
    """Compile everything once; what cannot be compiled is a problem.

    Raises:
        ProfileProblem: the first problem.
    """
    form = formats().get(profile.format)
    if form is None:
        raise ProfileProblem(
            ("format",), f"there is no format {profile.format!r}{_hint(profile.format, formats())}"
        )
    if profile.rules and not form.rules:
        raise ProfileProblem(("rules",), f"format {form.name} names its quantities itself")
    for index, topic in enumerate(profile.topics):
        _check_topic(profile, topic, form, index)


def _check_topic(profile: Profile, topic: TopicRule, form: Format, index: int) -> None:
    maker = form.readers.get(topic.reader)
    if maker is None:
        raise ProfileProblem(
            ("topics", index, "reader"),
            f"format {form.name} has no reader {topic.reader!r}{_hint(topic.reader, form.readers)}",
        )
    site = "" if "{site}" in topic.template.split("/") else "site"
    try:
        Template(topic.template, kind=MessageKind(topic.kind), profile=profile.name, site=site)
    except ConfigurationError as error:
        raise ProfileProblem(("topics", index, "template"), error.detail) from None
    maker(profile, topic, _CHECKING)


def _hint(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(known))}"


def _explained(message: str) -> tuple[tuple[Segment, ...], str]:
    """Take msgspec's sentence apart: where it is, and what it is."""
    found = _AT.fullmatch(message)
    what = (found["what"] if found else message).strip()
    steps = _STEP.finditer((found["path"] or "") if found else "")
    path: list[Segment] = [int(step["index"]) if step["index"] else step["key"] for step in steps]
    unknown = _UNKNOWN.search(what)
    if unknown:
        name = unknown["name"]
        return (*path, name), f"unknown key{_hint(name, _FIELDS)}"
    return tuple(path), what


class _Tree:
    """A YAML document with its line numbers.

    Args:
        source: the text.
        origin: where it comes from.

    Raises:
        ProfileError: it is not YAML, or not a mapping.
    """

    def __init__(self, source: str, origin: str) -> None:
        self._origin = origin
        self._lines: dict[tuple[Segment, ...], int] = {}
        self._seen: set[int] = set()
        try:
            root: Any = yaml.compose(source, Loader=yaml.BaseLoader)
        except (yaml.YAMLError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            what = getattr(error, "problem", None) or str(error) or type(error).__name__
            raise ProfileError(f"{origin}:{line}: it is not YAML: {what}") from None
        if not isinstance(root, yaml.MappingNode):
            raise ProfileError(f"{origin}:1: a profile is a mapping of keys to values")
        self._root: yaml.MappingNode = root

    def plain(self) -> Any:
        """Return the document as plain values.

        Raises:
            ProfileError: it uses more of YAML than plain values.
        """
        return self._plain(self._root, ())

    def problem(self, path: Sequence[Segment], detail: str) -> ProfileError:
        """Return the error for a field: file, line, field, what is wrong."""
        known = tuple(path)
        while known and known not in self._lines:
            known = known[:-1]
        line = self._lines.get(known, 1)
        return ProfileError(f"{self._origin}:{line}: {_shown(path)}: {detail}")

    def _plain(self, node: yaml.Node, path: tuple[Segment, ...]) -> Any:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen:
            raise self.problem(path, "anchors are not used here; write it out")
        self._seen.add(id(node))
        if node.tag not in _TAGS:
            raise self.problem(path, f"the tag {node.tag[:60]} is not used here")
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*path, n)) for n, item in enumerate(node.value)]
        return _scalar(node.value, quoted=getattr(node, "style", None) is not None)

    def _pairs(
        self, node: yaml.MappingNode, path: tuple[Segment, ...]
    ) -> Iterator[tuple[str, Any]]:
        keys: set[str] = set()
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key, str):
                raise self.problem(path, "a key is a word")
            self._lines[(*path, key)] = key_node.start_mark.line + 1
            if key in keys:
                raise self.problem((*path, key), "the key comes twice")
            keys.add(key)
            yield key, self._plain(value_node, (*path, key))


def _scalar(word: str, *, quoted: bool) -> Any:
    if quoted:
        return word
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    if _INTEGER.fullmatch(word):
        return int(word)
    return float(word) if _FLOAT.fullmatch(word) else word


def _shown(path: Sequence[Segment]) -> str:
    shown = ""
    for step in path:
        shown += f"[{step}]" if isinstance(step, int) else f".{step}"
    return shown.lstrip(".") or "profile"
