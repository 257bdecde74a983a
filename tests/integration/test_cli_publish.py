"""`passerelle publish` on real brokers: TLS, passwords, and what it says when not let in."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from cli.main import program
from core.errors import PasserelleError
from tests.servers.fixtures import MosquittoFactory
from tests.servers.mosquitto import MosquittoOptions
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until

TOPIC = "passerelle/v1/elgazala/d/telemetry"
SECURED = MosquittoOptions(
    tls=True, username="fleet", password="a-secret", lines=("log_type debug",)
)


def publish(*arguments: str, **environment: str) -> Result:
    names = {f"PASSERELLE_MQTT__{name.upper()}": value for name, value in environment.items()}
    return CliRunner().invoke(program("publish"), ["publish", TOPIC, "{}", *arguments], env=names)


def test_it_enters_as_the_settings_say(mosquitto_factory: MosquittoFactory) -> None:
    broker = mosquitto_factory(SECURED)
    assert broker.certificates is not None
    address = f"mqtts://fleet@localhost:{broker.port}"
    done = publish(url=address, password="a-secret", ca_file=str(broker.certificates.ca_file))
    assert (done.exit_code, "has it" in done.output, "a-secret" in done.output) == (0, True, False)
    wait_until(lambda: f"'{TOPIC}'" in broker.log(), seconds=10, what="the broker says what came")


def test_a_refusal_is_said_with_its_reason(mosquitto_factory: MosquittoFactory) -> None:
    broker = mosquitto_factory(MosquittoOptions(username="fleet", password="a-secret"))
    address = f"mqtt://fleet@127.0.0.1:{broker.port}"
    # The password of the settings is for their own broker, not for one that is named.
    for refused in (
        publish(url=address, password="wrong"),
        publish("--broker", address, url=address, password="a-secret"),
    ):
        assert isinstance(refused.exception, PasserelleError)
        assert "refused the connection: Not authorized" in str(refused.exception)
    nobody = publish("--broker", f"mqtt://127.0.0.1:{free_port()}")
    assert isinstance(nobody.exception, PasserelleError)
    assert "cannot be reached" in str(nobody.exception)
