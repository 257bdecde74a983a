"""From a message to what it says: topic -> profile -> reader, a pure function of the message.

Everything is compiled when the decoder is built; it is immutable from then on (but for a cache of
topics) and may be shared by threads. Whatever the bytes, `decode` returns or raises `DecodeError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from core.errors import ConfigurationError, ProfileError
from core.message import Decoded, DecodeError, MessageKind, RawMessage
from core.reasons import Reason
from devices.formats import FlatFormat, Origin, Reader, formats
from devices.limits import Limits
from devices.payload import too_deep
from devices.profile import Profile, ProfileProblem, TopicRule, profile_schema
from devices.profile_files import (
    load_profiles,
    parse_profile,
    shipped_bindings,
    shipped_profiles,
)
from devices.registry.records import Binding, ProfileVersion
from devices.topic_filters import common_tail, disjoint_filters
from devices.topics import Found, Router, Template

__all__ = [
    "Decoder",
    "Limits",
    "load_profiles",
    "parse_profile",
    "profile_schema",
    "shipped_bindings",
    "shipped_profiles",
]


class Decoder:
    """Decodes messages by the profiles that their topics are bound to.

    Args:
        profiles: profiles; of several versions of one the highest counts.
        bindings: topics bound to profiles.
        sites: time zone of each registered site.
        limits: bounds of a payload.

    Attributes:
        filters: MQTT filters to subscribe; no two of them match one topic.
        metadata_filters: those among their topics that carry facts about devices: they are
            published as retained messages, which a shared subscription does not deliver.

    Raises:
        ProfileError: a profile cannot be used.
        ConfigurationError: a binding cannot be used, or two match the same topics.
    """

    def __init__(
        self,
        *,
        profiles: Sequence[ProfileVersion],
        bindings: Sequence[Binding],
        sites: Mapping[str, ZoneInfo],
        limits: Limits,
    ) -> None:
        self._sites = dict(sites)
        known = _newest(profiles)
        templates: list[Template] = []
        readers: list[Reader] = []
        flat: list[FlatFormat | None] = []
        facts: list[Template] = []
        for binding in dict.fromkeys(bindings):
            profile = known.get(binding.profile)
            if profile is None:
                raise ConfigurationError(
                    f"topic {binding.template!r} is bound to profile {binding.profile!r}, which "
                    "does not exist; remove the binding or add the profile"
                )
            template = self._template(binding)
            topic = _topic_rule(profile, binding)
            templates.append(template)
            readers.append(_reader(profile, topic, limits))
            flat.append(_flat_format(profile, topic, limits))
            if template.kind is MessageKind.METADATA and topic.reader != "ignore":
                facts.append(template)
        self._readers = tuple(readers)
        self._flat = tuple(flat)
        self._templates = tuple(templates)
        self._router = Router(templates)
        self.filters = disjoint_filters(template.filter() for template in templates)
        self.metadata_filters = disjoint_filters(template.filter() for template in facts)

    def _template(self, binding: Binding) -> Template:
        if binding.site and binding.site not in self._sites:
            raise ConfigurationError(
                f"topic {binding.template!r} is bound to site {binding.site!r}, which is not "
                "registered; register the site or remove the binding"
            )
        try:
            kind = MessageKind(binding.kind)
        except ValueError:
            raise ConfigurationError(
                f"topic {binding.template!r}: kind {binding.kind!r} is none of "
                f"{', '.join(MessageKind)}"
            ) from None
        return Template(binding.template, kind=kind, profile=binding.profile, site=binding.site)

    def decode(self, message: RawMessage) -> Decoded:
        """Return what `message` says.

        Raises:
            DecodeError: it cannot be used; the code is one of `core.reasons.Reason`.
        """
        found = self._router.find(message.topic)
        if found is None:
            raise DecodeError(
                Reason.TOPIC_UNBOUND,
                f"no profile is bound to topic {message.topic[:200]!r}; bind one, then replay",
            )
        origin = Origin(
            self._templates[found.template].profile,
            found.site,
            found.device,
            self._sites.get(found.site),
        )
        try:
            return self._readers[found.template](message, origin)
        except DecodeError:
            raise
        except RecursionError:
            raise too_deep(Limits(0, 1000, 0)) from None
        except Exception as error:
            raise DecodeError(
                Reason.INTERNAL_ERROR,
                f"profile {origin.profile} failed on this message ({type(error).__name__}: "
                f"{str(error)[:200]}); please report it, then replay",
            ) from error

    def locate(self, topic: str) -> tuple[str, str, str] | None:
        """Return (profile, site, external name of the device), told by the topic alone.

        A message whose payload cannot be used is accounted for under its device by this.
        """
        found = self._router.find(topic)
        return None if found is None else self._names(found)

    def flat_format(self, topic: str) -> FlatFormat | None:
        """Return what reads the usual messages of a topic quickly, if its format has such."""
        found = self._router.find(topic)
        return None if found is None else self._flat[found.template]

    def _names(self, found: Found) -> tuple[str, str, str]:
        return self._templates[found.template].profile, found.site, found.device


def _newest(versions: Sequence[ProfileVersion]) -> dict[str, Profile]:
    newest: dict[str, ProfileVersion] = {}
    for version in versions:
        other = newest.get(version.name)
        if other is None or version.version > other.version:
            newest[version.name] = version
    profiles = {
        name: parse_profile(version.source, origin=f"profile {name} version {version.version}")
        for name, version in newest.items()
    }
    for name, profile in profiles.items():
        if profile.name != name:
            raise ProfileError(f"profile {name}: its text calls it {profile.name!r}; rename one")
    return profiles


def _reader(profile: Profile, topic: TopicRule, limits: Limits) -> Reader:
    try:
        return formats()[profile.format].readers[topic.reader](profile, topic, limits)
    except ProfileProblem as problem:  # parse_profile compiled it already
        raise ProfileError(f"profile {profile.name}: {problem.detail}") from None


def _flat_format(profile: Profile, topic: TopicRule, limits: Limits) -> FlatFormat | None:
    maker = formats()[profile.format].flat.get(topic.reader)
    return None if maker is None else maker(limits)


def _topic_rule(profile: Profile, binding: Binding) -> TopicRule:
    """Return how a binding's messages are read.

    A template of the profile itself says so. Another one (Tasmota's order of levels is free) is
    read as the profile's topic of the same kind with which it has the longest ending in common.
    """
    candidates = [topic for topic in profile.topics if topic.kind == binding.kind]
    if not candidates:
        raise ConfigurationError(
            f"topic {binding.template!r}: profile {profile.name} has no topics of kind "
            f"{binding.kind!r}"
        )
    lengths = [common_tail(topic.template, binding.template) for topic in candidates]
    best = [topic for topic, n in zip(candidates, lengths, strict=True) if n == max(lengths)]
    if len({topic.reader for topic in best}) > 1:
        endings = " or ".join(repr(topic.template.rpartition("/")[2]) for topic in best)
        raise ConfigurationError(
            f"topic {binding.template!r}: it does not tell how profile {profile.name} is to read "
            f"it; let it end in {endings}"
        )
    return best[0]
