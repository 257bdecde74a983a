"""An OpenID provider of one's own: the certified `oidc-provider`, with keys that a test knows.

`sign` makes a token that the provider never gave, with the provider's own key: how a test gets one
that is wrong in one respect only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.servers.availability import ServerUnavailableError, server_cache
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess
from tests.servers.server import Server

VERSION = "9.13.3"
REMEDY = "make test-servers"
SCRIPT = Path(__file__).with_name("oidc_provider.mjs")


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A key pair of a provider: `private` is its JSON web key, with `kid` and `alg`."""

    private: Mapping[str, Any]

    @property
    def kid(self) -> str:
        """Its name."""
        return str(self.private["kid"])

    @property
    def algorithm(self) -> str:
        """What it signs with."""
        return str(self.private["alg"])

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """Return a token with these claims; `header` stands above what is usual."""
        key = jwt.PyJWK(dict(self.private)).key
        return jwt.encode(
            dict(claims),
            key,
            algorithm=self.algorithm,
            headers={"kid": self.kid, "typ": "at+jwt", **header},
        )


def new_key(kid: str, algorithm: str = "RS256") -> SigningKey:
    """Return a key pair made just now: RSA of 2048 bits, or on the curve P-256."""
    if algorithm == "ES256":
        made = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        made = RSAAlgorithm.to_jwk(private, as_dict=True)
    usable = {name: value for name, value in made.items() if name != "key_ops"}
    return SigningKey(private={**usable, "kid": kid, "alg": algorithm, "use": "sig"})


@dataclass(frozen=True, kw_only=True)
class OidcOptions:
    """What a test may choose.

    Args:
        audience: whom its tokens are for.
        lives_s: how long they are good, seconds.
        roles: the claim `roles` of each client and of each person.
        programs: clients with the secret `secret` that get tokens for themselves.
        pages: public clients that log people in, with where each is sent back to.
    """

    audience: str = "passerelle"
    lives_s: int = 600
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    programs: Sequence[str] = ("lab-scripts",)
    pages: Mapping[str, str] = field(default_factory=dict)


class OidcServer(Server):
    """A provider on a free port of 127.0.0.1; made by `new_oidc` or the fixture."""

    name = "oidc-provider"

    def __init__(
        self, *, runner: ServerProcess, port: int, file: Path, options: OidcOptions
    ) -> None:
        super().__init__(runner=runner)
        self.issuer = f"http://127.0.0.1:{port}"
        self.options = options
        self.keys: list[SigningKey] = []
        self._file = file
        self._port = port

    def answers(self) -> bool:
        """Tell whether it describes itself."""
        try:
            described = httpx.get(f"{self.issuer}/.well-known/openid-configuration", timeout=2)
        except httpx.TransportError:
            return False
        return described.status_code == httpx.codes.OK

    def configure(self, keys: Sequence[SigningKey]) -> None:
        """Say with which keys it starts the next time; it signs with the first that fits."""
        self.keys = list(keys)
        options = self.options
        programs = [
            {
                "client_id": name,
                "client_secret": "secret",
                "grant_types": ["client_credentials"],
                "redirect_uris": [],
                "response_types": [],
            }
            for name in options.programs
        ]
        pages = [
            {
                "client_id": name,
                "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code"],
                "response_types": ["code"],
                "redirect_uris": [address],
            }
            for name, address in options.pages.items()
        ]
        configuration = {
            "issuer": self.issuer,
            "port": self._port,
            "audience": options.audience,
            "lives_s": options.lives_s,
            "roles": {name: list(roles) for name, roles in options.roles.items()},
            "clients": programs + pages,
            "jwks": {"keys": [dict(key.private) for key in keys]},
            "algorithm": keys[0].algorithm,
        }
        self._file.write_text(json.dumps(configuration), encoding="utf-8")

    def rotate(self, keys: Sequence[SigningKey]) -> None:
        """Restart it with other keys."""
        self.stop()
        self.configure(keys)
        self.start()

    def program_token(self, client: str = "lab-scripts") -> str:
        """Return a token that a program gets for itself (client credentials)."""
        answer = httpx.post(
            f"{self.issuer}/token",
            data={"grant_type": "client_credentials"},
            auth=(client, "secret"),
        )
        return cast("str", answer.raise_for_status().json()["access_token"])


def new_oidc(directory: Path, options: OidcOptions | None = None) -> OidcServer:
    """Return a provider with one RSA key that keeps its files in an empty directory; not started.

    Raises:
        ServerUnavailableError: it is not installed on this machine.
    """
    installed = server_cache() / f"oidc-provider-{VERSION}"
    if not (installed / ".complete").exists():
        raise ServerUnavailableError(
            server="oidc-provider", tried=f"there is nothing in {installed}", remedy=REMEDY
        )
    file = directory / "oidc.json"
    runner = ServerProcess(
        command=[str(installed / "node"), str(SCRIPT), str(installed / "node_modules"), str(file)],
        log_file=directory / "oidc.log",
    )
    server = OidcServer(
        runner=runner, port=free_port(), file=file, options=options or OidcOptions()
    )
    server.configure([new_key("first")])
    return server


@contextmanager
def running_oidc(directory: Path, options: OidcOptions | None = None) -> Iterator[OidcServer]:
    """Run a provider for as long as the context lasts."""
    with new_oidc(directory, options) as server:
        yield server
