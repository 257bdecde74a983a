"""Bearer tokens of a real OpenID provider, accepted and refused by the API."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import structlog
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.app import create_app
from api.oidc.errors import REFUSALS
from api.problems import PROBLEMS
from core.clock import NS_PER_S, ManualClock
from core.metrics import Metrics
from core.settings import load_settings
from devices.registry import Registry
from storage.backends.memory import MemoryStore
from tests.servers.fixtures import OidcFactory
from tests.servers.oidc import OidcServer, new_key
from tests.servers.waiting import wait_until

LAB = {"value": "lab", "role": "researcher", "site": "elgazala"}


class Platform:
    """The application, called without a socket, with a clock that a test moves."""

    def __init__(self, directory: Path, **oidc: Any) -> None:
        self.clock = ManualClock(time.time_ns())
        settings = load_settings(data_dir=directory, oidc={"grants": [LAB], **oidc})
        self.registry = Registry.open(settings.registry_url, clock=self.clock)
        self.registry.migrate()
        self.registry.seed([], [])
        self.store = MemoryStore()
        app = create_app(
            settings=settings,
            registry=self.registry,
            store=self.store,
            metrics=Metrics(),
            clock=self.clock,
        )
        self.app = app
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://passerelle.test"
        )

    def ask(self, token: str, path: str = "/v1/sites") -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return self._runner.run(self._client.get(path, headers=headers))

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()
        self.store.close()
        self.registry.close()


@pytest.fixture
def platform_with(tmp_path: Path) -> Iterator[Callable[..., Platform]]:
    made: list[Platform] = []

    def make(**oidc: Any) -> Platform:
        made.append(Platform(tmp_path, **oidc))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def platform(platform_with: Callable[..., Platform], oidc: OidcServer) -> Platform:
    return platform_with(issuer=oidc.issuer)


def claims(provider: OidcServer, **changed: Any) -> dict[str, Any]:
    """Return the claims of a good token, changed; None takes one away."""
    now_s = int(time.time())
    usual = {
        "iss": provider.issuer,
        "aud": "passerelle",
        "sub": "amina",
        "name": "Amina B.",
        "client_id": "lab-scripts",
        "roles": ["lab"],
        "iat": now_s,
        "exp": now_s + 600,
    }
    return {name: value for name, value in (usual | changed).items() if value is not None}


def code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return str(problem["type"]).removeprefix("urn:passerelle:problem:")


def test_a_token_that_the_provider_gives_is_accepted(oidc: OidcServer, platform: Platform) -> None:
    answer = platform.ask(oidc.program_token())
    assert answer.status_code == 200
    assert "elgazala" in answer.text
    assert answer.headers["RateLimit"].startswith('"key"')
    assert code(platform.ask(oidc.program_token(), "/metrics")) == "forbidden"  # no researcher's


def test_a_role_that_the_settings_do_not_name_gives_nothing(
    oidc: OidcServer, platform_with: Callable[..., Platform]
) -> None:
    platform = platform_with(issuer=oidc.issuer, grants=[LAB | {"value": "another"}])
    assert code(platform.ask(oidc.program_token())) == "forbidden"


def hmac_with_the_public_key(provider: OidcServer) -> str:
    """Return a token signed with the published key as if it were a shared secret."""
    key = jwt.PyJWK({**provider.keys[0].private}).key.public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts = [{"alg": "HS256", "typ": "JWT", "kid": provider.keys[0].kid}, claims(provider)]
    signed = b".".join(base64url(json.dumps(part).encode()) for part in parts)
    mac = hmac.HMAC(pem, hashes.SHA256())
    mac.update(signed)
    return (signed + b"." + base64url(mac.finalize())).decode()


def base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def tampered(provider: OidcServer) -> str:
    head, _, signature = provider.keys[0].sign(claims(provider)).split(".")
    body = base64url(json.dumps(claims(provider, sub="root")).encode()).decode()
    return f"{head}.{body}.{signature}"


def signed(**changed: Any) -> Callable[[OidcServer], str]:
    return lambda provider: provider.keys[0].sign(claims(provider, **changed))


def by_another_key(provider: OidcServer) -> str:
    return new_key("first").sign(claims(provider))


HOUR = 3600
WRONG: dict[str, tuple[str, Callable[[OidcServer], str]]] = {
    "wrong audience": ("token_wrong_audience", signed(aud="grafana")),
    "several wrong audiences": ("token_wrong_audience", signed(aud=["a", "b"])),
    "no audience": ("token_wrong_audience", signed(aud=None)),
    "expired": ("token_expired", signed(exp=int(time.time()) - HOUR)),
    "no end": ("token_malformed", signed(exp=None)),
    "an end that is text": ("token_malformed", signed(exp=True)),
    "not yet valid": ("token_not_yet_valid", signed(nbf=int(time.time()) + HOUR)),
    "issued in the future": ("token_not_yet_valid", signed(iat=int(time.time()) + HOUR)),
    "another issuer": ("token_wrong_issuer", signed(iss="https://evil.example")),
    "no issuer": ("token_wrong_issuer", signed(iss=None)),
    "no subject": ("token_malformed", signed(sub=None)),
    "alg none": (
        "token_algorithm_refused",
        lambda provider: jwt.encode(claims(provider), "", algorithm="none"),
    ),
    "HS256 with the public key": ("token_algorithm_refused", hmac_with_the_public_key),
    "tampered claims": ("token_signature_wrong", tampered),
    "another key of the same name": ("token_signature_wrong", by_another_key),
    "an unknown key": (
        "token_key_unknown",
        lambda provider: new_key("unheard-of").sign(claims(provider)),
    ),
    "a logout token": (
        "token_malformed",
        lambda provider: provider.keys[0].sign(claims(provider), typ="logout+jwt"),
    ),
    "no token": ("token_malformed", lambda _: "a.b.c"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_token_that_is_wrong_in_one_respect_is_refused_with_its_own_type(
    oidc: OidcServer, platform: Platform, wrong: str
) -> None:
    expected, make = WRONG[wrong]
    token = make(oidc)
    answer = platform.ask(token)
    assert (answer.status_code, code(answer)) == (401, expected)
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert len(answer.json()["detail"]) > 20
    assert token not in answer.text
    assert platform.ask(oidc.keys[0].sign(claims(oidc))).status_code == 200


def test_every_refusal_is_tried_above_or_below() -> None:
    tried = {expected for expected, _ in WRONG.values()} | {"token_wrong_client"}
    assert {error.code for error in REFUSALS} == tried
    assert tried <= set(PROBLEMS)


def test_only_the_clients_that_are_named_may_call(
    oidc: OidcServer, platform_with: Callable[..., Platform]
) -> None:
    platform = platform_with(issuer=oidc.issuer, client_id="dashboard", clients=["billing"])
    assert code(platform.ask(oidc.program_token())) == "token_wrong_client"
    assert platform.ask(oidc.keys[0].sign(claims(oidc, azp="billing"))).status_code == 200


@pytest.mark.parametrize("party", [["program"], {"program": 1}, 7, None])
def test_a_party_that_is_no_text_is_not_among_the_clients(
    oidc: OidcServer, platform_with: Callable[..., Platform], party: object
) -> None:
    platform = platform_with(issuer=oidc.issuer, grants=[LAB], clients=["program"])
    token = oidc.keys[0].sign(claims(oidc) | {"azp": party})
    assert code(platform.ask(token)) == "token_wrong_client"


def test_without_a_provider_a_token_is_no_key(
    oidc: OidcServer, platform_with: Callable[..., Platform]
) -> None:
    assert code(platform_with().ask(oidc.program_token())) == "unauthorized"


def test_a_clock_that_is_a_little_off_is_forgiven_and_no_more(
    oidc: OidcServer, platform: Platform
) -> None:
    token = oidc.keys[0].sign(claims(oidc, exp=platform.clock.now_ns() // NS_PER_S + 10))
    for passed_s, status in ((0, 200), (69, 200), (2, 401)):
        platform.clock.advance(passed_s)
        assert platform.ask(token).status_code == status


def test_keys_that_change_are_asked_for_once_and_not_more_often_than_set(
    oidc_factory: OidcFactory, platform_with: Callable[..., Platform]
) -> None:
    provider = oidc_factory()
    platform = platform_with(issuer=provider.issuer, refetch_s=10, grants=[])
    first, second = provider.keys[0], new_key("second", "ES256")
    assert code(platform.ask(provider.program_token())) == "forbidden"
    provider.rotate([second, first])
    token = provider.program_token()
    assert jwt.get_unverified_header(token)["kid"] == "second"
    assert code(platform.ask(token)) == "token_key_unknown"  # asked less than 10 s ago
    platform.clock.advance(10)
    assert code(platform.ask(token)) == "forbidden"
    assert code(platform.ask(first.sign(claims(provider)))) == "forbidden"
    provider.rotate([second])
    platform.clock.advance(600)  # the withdrawn key serves until the keys are renewed
    assert code(platform.ask(second.sign(claims(provider, exp=late())))) == "forbidden"
    wait_until(
        lambda: code(platform.ask(first.sign(claims(provider, exp=late())))) == "token_key_unknown",
        what="the withdrawn key is not believed any more",
    )


def test_a_provider_that_is_away_stops_only_those_whose_key_is_not_known(
    oidc_factory: OidcFactory, platform_with: Callable[..., Platform]
) -> None:
    provider = oidc_factory()
    platform = platform_with(issuer=provider.issuer, refetch_s=10, keys_kept_s=3600)
    known = provider.keys[0].sign(claims(provider, exp=late()))
    assert platform.ask(known).status_code == 200
    provider.stop()
    platform.clock.advance(10)
    with structlog.testing.capture_logs() as logged:
        for _ in range(2):
            answer = platform.ask(new_key("second").sign(claims(provider)))
            assert (answer.status_code, code(answer)) == (503, "identity_provider_unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
            assert platform.ask(known).status_code == 200
            platform.clock.advance(10)
        platform.clock.advance(3600)  # too long: its keys are not believed any more
        assert code(platform.ask(known)) == "identity_provider_unavailable"
        provider.start()
        platform.clock.advance(10)
        assert platform.ask(known).status_code == 200
    events = [entry["event"] for entry in logged]
    assert events == ["identity_provider_unavailable", "identity_provider_back"]


def test_a_provider_that_was_never_there_is_said_to_be_away(
    oidc_factory: OidcFactory, platform_with: Callable[..., Platform]
) -> None:
    provider = oidc_factory()
    token = provider.program_token()
    platform = platform_with(issuer=provider.issuer)
    provider.stop()
    answer = platform.ask(token)
    assert code(answer) == "identity_provider_unavailable"
    assert provider.issuer in answer.json()["detail"]


def test_forged_tokens_count_as_guesses_of_their_address_and_good_ones_go_on(
    oidc: OidcServer, platform_with: Callable[..., Platform]
) -> None:
    platform = platform_with(issuer=oidc.issuer)
    statuses = [platform.ask(tampered(oidc)).status_code for _ in range(61)]
    assert statuses == [401] * 60 + [429]
    assert platform.ask(oidc.program_token()).status_code == 200
    expired = oidc.keys[0].sign(claims(oidc, exp=int(time.time()) - HOUR))
    assert platform.ask(expired).status_code == 401


def test_who_looks_on_with_a_good_token_goes_on_beside_somebody_who_guesses(
    oidc: OidcServer, platform_with: Callable[..., Platform]
) -> None:
    callers = platform_with(issuer=oidc.issuer).app.state.services.callers
    for _ in range(61):
        assert callers.identify(tampered(oidc), address="10.0.0.7") is None
        assert callers.identify("psl_0123456789ab_" + "0" * 64, address="10.0.0.7") is None
    assert callers.identify(oidc.program_token(), address="10.0.0.7") is not None
    expired = oidc.keys[0].sign(claims(oidc, exp=int(time.time()) - HOUR))
    for _ in range(61):
        assert callers.identify(expired, address="10.0.0.8") is None
    assert callers.identify(oidc.program_token(), address="10.0.0.8") is not None


def late() -> int:
    """Return an end that a test does not reach however far it moves the clock."""
    return int(time.time()) + 10 * HOUR
