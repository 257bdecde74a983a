"""Channels as the policy file has them, read and checked; what is secret in them stays so.

```yaml
channels:
  ward-mail: {url: "mailto://user:${SMTP_PASSWORD}@mail.example?to=ward@example", language: fr}
  nurse-sms: {url: "${SMS_URL}", language: fr, short: true, per_hour: 30}
  ops: {webhook: "https://ops.example/hook", secret: "${HOOK_SECRET}", language: en}
  siren: {mqtt: "passerelle/v1/{site}/alerts"}
```

`${NAME}` stands for an environment variable. Inside an address its value is percent-encoded, so
that a password may hold any character; where an address begins with it, it is taken as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit
from zoneinfo import ZoneInfo

import msgspec
from pydantic import SecretStr

from alerts.rules.reading import (
    Path,
    RuleProblem,
    duration_ns,
    mapping,
    one_of,
    text,
    truth,
    whole,
)
from core.clock import NS_PER_HOUR, NS_PER_S
from core.errors import ConfigurationError
from core.identity import checked_slug

SITE = "{site}"
"""Stands for the site in an MQTT topic."""
HIDDEN = "***"
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://.+", re.DOTALL | re.ASCII)
_AUTHORITY = re.compile(r"^[^/?#]*")
_SHORTEST_SECRET = 4
_SHORTEST_KEY = 16
_LONGEST_WORD = 15  # what is longer in a path may be a token
_SECRET_WORDS = ("pass", "token", "secret", "key", "auth")
_TIMEOUT_NS = 15 * NS_PER_S
_GIVE_UP_NS = 24 * NS_PER_HOUR
_MOST_TIMEOUT_NS = 120 * NS_PER_S
_LEAST_GIVE_UP_NS = 60 * NS_PER_S
_COMMON = ("language", "short", "timeout", "per_hour", "give_up", "zone", "health")


class ChannelKind(StrEnum):
    """By which means a channel delivers; the key of the address in the policy file."""

    APPRISE = "url"
    WEBHOOK = "webhook"
    MQTT = "mqtt"


class Language(StrEnum):
    """In which language a channel speaks."""

    EN = "en"
    FR = "fr"
    BOTH = "both"


class Health(StrEnum):
    """What a channel tells of vital signs."""

    HIDDEN = "hidden"
    """Which rule, and where to look; no values: messengers are third parties."""
    SHOWN = "shown"


class ChannelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A channel, as the policy says.

    Attributes:
        name: slug.
        kind: see `ChannelKind`.
        address: the address with everything filled in, or the topic with `{site}` in it.
        secret: of a webhook's signature, else empty.
        language: of its texts.
        short: one line of at most 160 characters (SMS).
        timeout_s: longest wait for the receiver, seconds.
        per_hour: most notices an hour; further ones wait. None: any number.
        give_up_ns: for how long a notice is tried before it is given up.
        zone: IANA zone of all times; "": that of each site.
        health: what it tells of vital signs.
        hidden: texts that must not be seen anywhere, longest first.
    """

    name: str
    kind: ChannelKind
    address: SecretStr
    secret: SecretStr = SecretStr("")
    language: Language = Language.BOTH
    short: bool = False
    timeout_s: float = _TIMEOUT_NS / NS_PER_S
    per_hour: int | None = None
    give_up_ns: int = _GIVE_UP_NS
    zone: str = ""
    health: Health = Health.HIDDEN
    hidden: tuple[SecretStr, ...] = ()

    @property
    def masked(self) -> str:
        """What may be shown of the address: its scheme, of a webhook the host; all of a topic."""
        address = self.address.get_secret_value()
        if self.kind is ChannelKind.MQTT:
            return address
        parts = urlsplit(address)
        if self.kind is ChannelKind.WEBHOOK:
            port = f":{parts.port}" if parts.port else ""
            return f"{parts.scheme}://{parts.hostname}{port}/{HIDDEN}"
        return f"{address.partition('://')[0].lower()}://{HIDDEN}"

    def scrubbed(self, told: str) -> str:
        """Return a text with everything secret in it replaced by `***`."""
        for one in self.hidden:
            told = told.replace(one.get_secret_value(), HIDDEN)
        return told

    @property
    def languages(self) -> tuple[str, ...]:
        """The codes of its languages."""
        return ("fr", "en") if self.language is Language.BOTH else (self.language.value,)


def read_channel(
    name: str, value: Any, path: Path, *, environ: Mapping[str, str] | None = None
) -> ChannelSpec:
    """Return the channel that an entry of the policy's `channels` describes.

    Args:
        name: its key.
        value: what stands there.
        path: where it stands.
        environ: environment variables; default: those of the process.

    Raises:
        RuleProblem: it cannot be used; no secret is in the sentence.
    """
    try:
        checked_slug(name, what="channel")
    except ConfigurationError as error:
        raise RuleProblem(path, error.detail) from None
    said = mapping(value, path, (*ChannelKind, "secret", *_COMMON))
    kinds = [kind for kind in ChannelKind if kind.value in said]
    if len(kinds) != 1:
        raise RuleProblem(path, "url (Apprise), webhook or mqtt says how it delivers; one of them")
    [kind] = kinds
    if "secret" in said and kind is not ChannelKind.WEBHOOK:
        raise RuleProblem((*path, "secret"), "only a webhook is signed")
    if "secret" not in said and kind is ChannelKind.WEBHOOK:
        raise RuleProblem(path, "secret is missing: every webhook is signed")
    filler = _Filler(os.environ if environ is None else environ)
    address = filler.filled(said[kind.value], (*path, kind.value), encode=True)
    _CHECKS[kind](address, (*path, kind.value))
    secret = ""
    if "secret" in said:
        secret = filler.filled(said["secret"], (*path, "secret"), encode=False)
        if len(secret) < _SHORTEST_KEY:
            raise RuleProblem(
                (*path, "secret"), f"it needs at least {_SHORTEST_KEY} characters, random ones"
            )
        filler.values.append(secret)
    return ChannelSpec(
        name=name,
        kind=kind,
        address=SecretStr(address),
        secret=SecretStr(secret),
        hidden=_hidden(kind, address, filler.values),
        **_common(said, path),
    )


def _common(said: Mapping[str, Any], path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "language" in said:
        found["language"] = one_of(said["language"], (*path, "language"), Language)
    if "short" in said:
        found["short"] = truth(said["short"], (*path, "short"))
    if "timeout" in said:
        at = (*path, "timeout")
        timeout_ns = duration_ns(said["timeout"], at, least_ns=NS_PER_S)
        if timeout_ns > _MOST_TIMEOUT_NS:
            raise RuleProblem(at, "at most 2m: a receiver that takes longer is down")
        found["timeout_s"] = timeout_ns / NS_PER_S
    if "per_hour" in said:
        found["per_hour"] = whole(said["per_hour"], (*path, "per_hour"), least=1, most=100_000)
    if "give_up" in said:
        at = (*path, "give_up")
        found["give_up_ns"] = duration_ns(said["give_up"], at, least_ns=_LEAST_GIVE_UP_NS)
    if "zone" in said:
        found["zone"] = _zone(said["zone"], (*path, "zone"))
    if "health" in said:
        found["health"] = one_of(said["health"], (*path, "health"), Health)
    return found


class _Filler:
    """Puts environment variables into texts, and remembers what it put there."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.values: list[str] = []

    def filled(self, value: Any, path: Path, *, encode: bool) -> str:
        """Return a text with its variables filled in."""

        def one(found: re.Match[str]) -> str:
            name = found[1]
            if _NAME.fullmatch(name) is None:
                raise RuleProblem(path, f"${{{name[:60]}}} is no name of an environment variable")
            there = self._environ.get(name, "")
            if not there:
                raise RuleProblem(path, f"the environment variable {name} is not set")
            self.values.append(there)
            return quote(there, safe="") if encode and found.start() else there

        return _VARIABLE.sub(one, text(value, path)).strip()


def _zone(value: Any, path: Path) -> str:
    name = text(value, path, longest=64)
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise RuleProblem(
            path, f"{name!r} is no time zone; one is named such as Africa/Dakar"
        ) from None
    return name


def _check_url(address: str, path: Path) -> None:
    if _SCHEME.fullmatch(address) is None:
        raise RuleProblem(path, "an address of Apprise is expected, such as mailto://user@host")


def _check_webhook(address: str, path: Path) -> None:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise RuleProblem(path, "an address https://host/path is expected")
    if parts.username or parts.password:
        raise RuleProblem(path, "name and password do not belong in the address; use secret")


def _check_topic(topic: str, path: Path) -> None:
    if any(sign in topic for sign in "+#\0") or topic.startswith("$"):
        raise RuleProblem(path, "a topic to publish on has no +, no # and no $ at its start")
    if SITE not in topic.split("/"):
        raise RuleProblem(path, "{site} has to be one level of the topic: alerts are of a site")
    if "{" in topic.replace(SITE, ""):
        raise RuleProblem(path, "{site} is all that is filled into a topic")


_CHECKS = {
    ChannelKind.APPRISE: _check_url,
    ChannelKind.WEBHOOK: _check_webhook,
    ChannelKind.MQTT: _check_topic,
}


def _hidden(kind: ChannelKind, address: str, values: list[str]) -> tuple[SecretStr, ...]:
    """Return what must not be seen: what was filled in, and of an address all but its ends."""
    parts = [*values]
    if kind is not ChannelKind.MQTT:
        parts += _parts(address)
    forms = {
        form
        for one in parts
        for form in (one, unquote(one), quote(one, safe=""), quote_plus(one), repr(one)[1:-1])
        if len(form) >= _SHORTEST_SECRET
    }
    return tuple(SecretStr(form) for form in sorted(forms, key=len, reverse=True))


def _parts(address: str) -> Iterator[str]:
    """Give the address, and what stands in it where services have their tokens."""
    yield address
    rest = address.partition("://")[2]
    [authority] = _AUTHORITY.findall(rest)
    before, at, _ = authority.rpartition("@")
    if at:
        yield from (before, *before.split(":")[1:])
    path, _, query = rest.removeprefix(authority).partition("?")
    yield from (step for step in path.split("/") if len(step) > _LONGEST_WORD)
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if any(word in name.lower() for word in _SECRET_WORDS):
            yield value
