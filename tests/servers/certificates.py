"""A throwaway certificate authority with one server and one client certificate, by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.availability import ServerUnavailableError, find_binary


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """PEM files: the authority, a server for localhost and 127.0.0.1, a client."""

    ca_file: Path
    cert_file: Path
    key_file: Path
    client_cert_file: Path
    client_key_file: Path


def make_certificates(directory: Path, *, client_name: str = "test-client") -> Certificates:
    """Make them in a directory that exists; valid for two days.

    Args:
        directory: where the files go.
        client_name: common name of the client certificate.

    Raises:
        ServerUnavailableError: there is no openssl.
    """
    if find_binary("openssl") is None:
        raise ServerUnavailableError(
            server="openssl", tried="there is no program openssl", remedy="install openssl"
        )
    made = Certificates(
        ca_file=directory / "ca.crt",
        cert_file=directory / "server.crt",
        key_file=directory / "server.key",
        client_cert_file=directory / "client.crt",
        client_key_file=directory / "client.key",
    )
    ca_key = directory / "ca.key"
    _openssl(
        *_request(made.ca_file, ca_key, "Passerelle test authority"),
        *_extension("basicConstraints=critical,CA:TRUE"),
        *_extension("keyUsage=critical,keyCertSign,cRLSign"),
    )
    for certificate, key, name, use in (
        (made.cert_file, made.key_file, "localhost", "serverAuth"),
        (made.client_cert_file, made.client_key_file, client_name, "clientAuth"),
    ):
        _openssl(
            *_request(certificate, key, name),
            *("-CA", str(made.ca_file), "-CAkey", str(ca_key)),
            *_extension("basicConstraints=critical,CA:FALSE"),
            *_extension("keyUsage=critical,digitalSignature"),
            *_extension(f"extendedKeyUsage={use}"),
            *_extension("subjectAltName=DNS:localhost,IP:127.0.0.1"),
        )
    return made


def _request(certificate: Path, key: Path, name: str) -> list[str]:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
    files = ("-keyout", str(key), "-out", str(certificate))
    return ["req", "-x509", *curve, *files, "-days", "2", "-subj", f"/CN={name}"]


def _extension(text: str) -> list[str]:
    return ["-addext", text]


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)
