"""Profiles from YAML: read, checked, compiled once; an error names the file, line and field.

How YAML is read: `core.placed_yaml`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from core.errors import ConfigurationError, ProfileError
from core.message import MessageKind
from core.placed_yaml import PlacedYaml, explained, hint
from devices.formats import Format, formats
from devices.limits import Limits
from devices.profile import (
    Description,
    ForEach,
    Profile,
    ProfileProblem,
    Rule,
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
    tree = PlacedYaml(source, origin, noun="profile", error=ProfileError)
    plain = tree.plain()
    try:
        profile = msgspec.convert(plain, Profile)
        _check(profile)
    except msgspec.ValidationError as error:
        raise tree.problem(*explained(str(error), _FIELDS)) from None
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
            ("format",), f"there is no format {profile.format!r}{hint(profile.format, formats())}"
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
            f"format {form.name} has no reader {topic.reader!r}{hint(topic.reader, form.readers)}",
        )
    site = "" if "{site}" in topic.template.split("/") else "site"
    try:
        Template(topic.template, kind=MessageKind(topic.kind), profile=profile.name, site=site)
    except ConfigurationError as error:
        raise ProfileProblem(("topics", index, "template"), error.detail) from None
    maker(profile, topic, _CHECKING)
