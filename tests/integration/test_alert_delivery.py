"""People and machines are told, by real receivers: mail, webhooks, MQTT; and over SIGKILL."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from alerts.deliver.apprise_channel import NOTICE_HEADER, is_final
from alerts.deliver.channel import DeliveryError
from alerts.deliver.spec import ChannelSpec
from alerts.deliver.webhook import IDEMPOTENCY_KEY, SIGNATURE
from alerts.model import Occasion, Subject
from core.clock import NS_PER_S, ManualClock, SystemClock
from core.settings import MqttSettings
from devices.registry.alert_records import NoticeState
from tests.servers.fixtures import MosquittoFactory
from tests.servers.mosquitto import MosquittoOptions, MosquittoServer
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support.listener import Listener
from tests.support.notices import AT_NS, SECRET, Post, patient, spec, view
from tests.support.receivers import DROP, HookReceiver, MailServer

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "alert-webhook.schema.json").read_text("utf-8"))


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def hook() -> Iterator[HookReceiver]:
    with HookReceiver() as server:
        yield server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AT_NS)


@pytest.fixture
def post_of(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[..., Post]]:
    made: list[Post] = []

    def make(*specs: ChannelSpec, **more: Any) -> Post:
        made.append(Post(tmp_path, *specs, clock=clock, **more))
        return made[-1]

    yield make
    for one in made:
        with one:
            pass


def go_on(post: Post, clock: ManualClock, name: str) -> None:
    """Let time pass until a notice is tried again."""
    clock.advance(max(60.0, (post.got(name).next_ns - clock.now_ns()) / NS_PER_S))
    post.outbox.deliver_due()


# --- mail


def test_a_mail_says_it_in_both_languages_as_text_and_as_html(
    mail: MailServer, post_of: Callable[..., Post]
) -> None:
    post = post_of(spec("ward-mail", url=mail.url()))
    post.order("n-1")
    post.outbox.deliver_due()
    assert post.got("n-1").state == NoticeState.DELIVERED, post.details("n-1")
    [got] = mail.mails
    assert "\r\nCRITICAL, a measured value.\r\n\r\nIt has been firing" in got.text
    assert got.to == ["ward@example.org"]
    assert " ".join(got.subject.split()) == (
        "[CRITIQUE] Salle serveur trop chaude : Salle serveurs, nord / "
        "[CRITICAL] Server room too hot: Salle serveurs, nord"
    )
    for text in (got.text.replace("\r\n", "\n"), got.html):
        assert "29,4 °C" in text.replace("\u202f", " ")
        assert "29.4 °C" in text.replace("\u202f", " ")
        assert "23 nov. 2026 11:00:00 (Africa/Tunis)" in text
        assert "https://passerelle.example/#/alerts/a1b2c3d4" in text
    assert '<a href="https://passerelle.example/#/alerts/a1b2c3d4">' in got.html
    headers = got.message
    assert headers[NOTICE_HEADER] == "n-1"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["Importance"] == "high"
    assert headers["References"] == "<a1b2c3d4@passerelle>"


def test_a_mail_server_that_asks_to_come_again_is_asked_again(
    mail: MailServer, post_of: Callable[..., Post], clock: ManualClock
) -> None:
    post = post_of(spec("ward-mail", url=mail.url()))
    mail.answers.extend(["451 4.7.1 greylisted, try again", "452 4.3.1 full"])
    post.order("n-1")
    post.outbox.deliver_due()
    [(outcome, detail)] = post.details("n-1")
    assert outcome == "retry"
    assert "451" in detail
    assert "greylisted" in detail
    go_on(post, clock, "n-1")
    go_on(post, clock, "n-1")
    assert [outcome for outcome, _ in post.details("n-1")] == ["retry", "retry", "delivered"]
    assert len(mail.mails) == 1


def test_a_mail_server_that_refuses_for_good_is_not_asked_again(
    mail: MailServer, post_of: Callable[..., Post]
) -> None:
    post = post_of(spec("ward-mail", url=mail.url()))
    mail.recipients["ward@example.org"] = "550 5.1.1 no such user"
    post.order("n-1")
    post.outbox.deliver_due()
    assert post.got("n-1").state == NoticeState.FAILED
    assert "550" in post.got("n-1").error
    assert "no such user" in post.got("n-1").error
    assert [(name, down) for name, down, _ in post.said] == [("ward-mail", True)]


def test_of_several_receivers_each_gets_it_once_whoever_has_to_be_asked_again(
    mail: MailServer, post_of: Callable[..., Post], clock: ManualClock
) -> None:
    post = post_of(spec("ward-mail", url=mail.url("a@example.org", "b@example.org", "c@x.org")))
    mail.recipients["b@example.org"] = "450 4.2.1 busy"
    mail.recipients["c@x.org"] = "550 5.1.1 no such user"
    post.order("n-1")
    post.outbox.deliver_due()
    assert post.details("n-1")[0][0] == "retry"
    mail.recipients["b@example.org"] = "250 OK"
    go_on(post, clock, "n-1")
    assert Counter(one for got in mail.mails for one in got.to) == {
        "a@example.org": 1,
        "b@example.org": 1,
    }
    assert post.got("n-1").state == NoticeState.FAILED, "c is refused for good"
    assert "550" in post.got("n-1").error


def test_a_mail_server_that_drops_the_connection_is_asked_again(
    mail: MailServer, post_of: Callable[..., Post], clock: ManualClock
) -> None:
    post = post_of(spec("ward-mail", url=mail.url()))
    mail.answers.append(DROP)
    post.order("n-1")
    post.outbox.deliver_due()
    assert post.details("n-1")[0][0] == "retry"
    go_on(post, clock, "n-1")
    assert post.got("n-1").state == NoticeState.DELIVERED
    assert [got.message[NOTICE_HEADER] for got in mail.mails] == ["n-1", "n-1"], (
        "nobody can know whether the first one counted; the id tells"
    )


def test_a_mail_server_that_does_not_answer_costs_the_timeout_not_the_outbox(
    mail: MailServer, post_of: Callable[..., Post]
) -> None:
    post = post_of(spec("ward-mail", url=mail.url(), timeout="1s"))
    mail.hold.clear()
    post.order("n-1")
    post.outbox.deliver_due()
    [(outcome, detail)] = post.details("n-1")
    assert outcome == "retry"
    assert "timed out" in detail


def test_a_mail_server_that_is_away_is_a_channel_that_is_down_and_back(
    mail: MailServer, post_of: Callable[..., Post], clock: ManualClock
) -> None:
    post = post_of(spec("ward-mail", url=mail.url()))
    mail.stop()
    post.order("n-1")
    post.outbox.deliver_due()
    for _ in range(6):
        go_on(post, clock, "n-1")
    [(name, down, error)] = post.said
    assert (name, down) == ("ward-mail", True)
    assert "refused" in error.lower()
    mail.start()
    go_on(post, clock, "n-1")
    assert post.said[1:] == [("ward-mail", False, "")]
    assert len(mail.mails) == 1


def test_nothing_of_a_person_is_mailed_unless_the_channel_may(
    mail: MailServer, post_of: Callable[..., Post]
) -> None:
    post = post_of(
        spec("messenger", url=mail.url("m@x.org"), language="en"),
        spec("ward", url=mail.url("w@x.org"), language="en", health="shown"),
    )
    for channel in ("messenger", "ward"):
        post.order(channel, channel=channel, alerts=(patient(),))
    post.outbox.deliver_due()
    by_name = {got.to[0]: got for got in mail.mails}
    assert "NEWS2 score: 7" in by_name["w@x.org"].text
    assert "NEWS2 score" not in by_name["m@x.org"].text
    assert "Measured values of persons are not shown" in by_name["m@x.org"].text


def test_the_short_form_is_what_goes_to_a_gateway_of_text_messages(
    hook: HookReceiver, post_of: Callable[..., Post]
) -> None:
    address = hook.url.replace("http://", "json://")
    post = post_of(spec("nurse-sms", url=address, language="fr", short=True))
    post.order("0123456789abcdef", channel="nurse-sms")
    post.outbox.deliver_due()
    [posted] = hook.posted
    said = json.loads(posted.body)
    assert said["message"] == (
        "CRITIQUE: Salle serveur trop chaude, elgazala/elg-env-004, 29,4 C, 23/11 11:00 "
        "https://passerelle.example/#/alerts/a1b2c3d4 #89abcdef"
    )
    assert posted.headers[NOTICE_HEADER] == "0123456789abcdef"


@pytest.mark.parametrize(
    ("status", "outcome"), [(400, "refused"), (401, "refused"), (429, "retry"), (503, "retry")]
)
def test_what_a_service_behind_apprise_answers_is_told_apart(
    hook: HookReceiver, post_of: Callable[..., Post], status: int, outcome: str
) -> None:
    post = post_of(spec("chat", url=hook.url.replace("http://", "json://")))
    hook.answers.append((status, {}))
    post.order("n-1", channel="chat")
    post.outbox.deliver_due()
    [(found, detail)] = post.details("n-1")
    assert found == outcome
    assert str(status) in detail
    assert "as the test wants it" in detail


def test_only_codes_of_refusal_end_it() -> None:
    assert is_final(["Socket Exception: {'a@b': (550, b'no such user')}"])
    assert is_final(["Failed to send X notification: Unauthorized, error=401."])
    assert not is_final(["Socket Exception: (451, b'greylisted')"])
    assert not is_final(["was refused: 550 x", "was refused: 451 y"])
    assert not is_final(["Failed: error=400.", "Failed: error=503."])
    assert not is_final(["A Connection Error occurred"])
    assert not is_final([])


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What the program logs, from debug on; pytest's own also hears what goes nowhere."""
    found: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(f"{record.name} {record.getMessage()}")

    root, handler, level = logging.getLogger(), Keep(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield found
    root.removeHandler(handler)
    root.setLevel(level)


def test_no_secret_is_in_an_attempt_or_in_a_log(
    hook: HookReceiver,
    post_of: Callable[..., Post],
    lines: list[str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    host = hook.url.removeprefix("http://").partition("/")[0]
    secret = "hush-hush-hush-hush"
    post = post_of(
        spec("chat", url=f"json://user:{secret}@{host}/{secret}"),
        spec("ops", webhook=f"http://{host}/{secret}", secret=secret),
        spec("mail", url=f"mailto://u:{secret}@127.0.0.1:{free_port()}?to=a@b.org&from=c@d.org"),
        spec("strange", url=f"nosuch://{secret}@{host}"),
    )
    channels = ("chat", "ops", "mail", "strange")
    hook.answers.extend([(403, {}), (503, {})])
    for channel in channels:
        post.order(channel, channel=channel)
    post.outbox.deliver_due()
    told = "".join(
        detail for name in ("chat", "ops", "mail", "strange") for _, detail in post.details(name)
    )
    out = capfd.readouterr()
    assert "403" in told
    assert "503" in told
    assert secret not in told + out.out + out.err + repr(post.said) + repr(lines)
    assert any("urllib3" in line for line in lines), "everything that is logged is seen here"


# --- webhooks


def test_a_webhook_is_signed_named_and_as_its_schema_says(
    hook: HookReceiver, post_of: Callable[..., Post]
) -> None:
    post = post_of(spec("ops", webhook=hook.url, secret=SECRET, language="en"))
    post.order("n-1", channel="ops")
    post.outbox.deliver_due()
    [posted] = hook.posted
    assert posted.path == "/hook/path"
    assert posted.headers[IDEMPOTENCY_KEY] == "n-1"
    assert posted.headers["Content-Type"] == "application/json"
    stamp = AT_NS // NS_PER_S
    digest = hmac.new(SECRET.encode(), f"{stamp}.".encode() + posted.body, hashlib.sha256)
    assert posted.headers[SIGNATURE] == f"t={stamp},v1={digest.hexdigest()}"
    said = json.loads(posted.body)
    jsonschema_rs.validate(SCHEMA, said)
    assert said["alerts"][0]["value"] == 29.4
    assert post.details("n-1") == [("delivered", "HTTP 204")]


@pytest.mark.parametrize(
    ("answer", "outcome", "wait_s"),
    [
        ((400, {}), "refused", None),
        ((404, {}), "refused", None),
        ((410, {"Retry-After": "5"}), "refused", None),
        ((408, {}), "retry", 0),
        ((425, {}), "retry", 0),
        ((429, {"Retry-After": "120"}), "retry", 120),
        ((503, {"Retry-After": "Mon, 23 Nov 2026 10:05:00 GMT"}), "retry", 300),
        ((503, {"Retry-After": "999999"}), "retry", 3600),
        ((500, {"Retry-After": "soon"}), "retry", 0),
        ((302, {"Location": "http://127.0.0.1:9/elsewhere"}), "retry", 0),
    ],
)
def test_what_a_receiver_answers_decides_whether_and_when_it_is_posted_again(
    hook: HookReceiver,
    post_of: Callable[..., Post],
    answer: tuple[int, dict[str, str]],
    outcome: str,
    wait_s: int | None,
) -> None:
    post = post_of(spec("ops", webhook=hook.url, secret=SECRET))
    hook.answers.append(answer)
    post.order("n-1", channel="ops")
    post.outbox.deliver_due()
    [(found, detail)] = post.details("n-1")
    assert found == outcome
    assert f"HTTP {answer[0]}" in detail
    assert len(hook.posted) == 1
    if wait_s is None:
        assert post.got("n-1").state == NoticeState.FAILED
    else:
        assert post.got("n-1").next_ns - AT_NS >= wait_s * NS_PER_S
        assert post.got("n-1").next_ns - AT_NS <= max(wait_s, 5) * NS_PER_S


def test_the_same_notice_posted_again_has_the_same_key_and_body(
    hook: HookReceiver, post_of: Callable[..., Post], clock: ManualClock
) -> None:
    post = post_of(spec("ops", webhook=hook.url, secret=SECRET))
    hook.answers.append((503, {}))
    post.order("n-1", channel="ops")
    post.outbox.deliver_due()
    go_on(post, clock, "n-1")
    first, second = hook.posted
    assert first.body == second.body
    assert first.headers[IDEMPOTENCY_KEY] == second.headers[IDEMPOTENCY_KEY]
    assert first.headers[SIGNATURE] != second.headers[SIGNATURE], "it is signed for its time"


def test_a_receiver_that_does_not_answer_or_is_not_there_is_asked_again(
    hook: HookReceiver, post_of: Callable[..., Post]
) -> None:
    post = post_of(
        spec("slow", webhook=hook.url, secret=SECRET, timeout="1s"),
        spec("away", webhook=f"http://127.0.0.1:{free_port()}/x", secret=SECRET),
        spec("nowhere", webhook="https://no-such-host.invalid/x", secret=SECRET, timeout="5s"),
        spec("plain", webhook=hook.url.replace("http://", "https://"), secret=SECRET),
    )
    hook.hold.clear()
    for channel in ("slow", "away", "nowhere", "plain"):
        post.order(channel, channel=channel)
    post.outbox.deliver_due()
    details = {name: post.details(name) for name in ("slow", "away", "nowhere", "plain")}
    assert {name: found[0][0] for name, found in details.items()} == dict.fromkeys(details, "retry")
    assert "did not answer in time" in details["slow"][0][1]
    assert "refused" in details["away"][0][1]
    assert "name of its host" in details["nowhere"][0][1]


# --- MQTT


def mqtt_of(server: MosquittoServer) -> MqttSettings:
    return MqttSettings.model_validate({"url": server.url, "reconnect_max_s": 1})


def test_a_siren_hears_each_notice_on_the_topic_of_its_site(
    mosquitto: MosquittoServer, post_of: Callable[..., Post]
) -> None:
    siren = spec("siren", mqtt="passerelle/v1/{site}/alerts", language="fr")
    with Listener(mosquitto.url) as listener:
        post = post_of(siren, mqtt=mqtt_of(mosquitto))
        elsewhere = view(id="other", subject=Subject("diamniadio", device="d"))
        post.order("n-1", channel="siren", alerts=(view(), elsewhere))
        post.order("n-2", channel="siren", occasion=Occasion.TEST, alerts=())
        post.outbox.deliver_due()
        listener.wait_for(3)
        heard = {topic: json.loads(payload) for topic, payload in listener.heard}
    assert set(heard) == {
        "passerelle/v1/elgazala/alerts",
        "passerelle/v1/diamniadio/alerts",
        "passerelle/v1/platform/alerts",
    }
    for said in heard.values():
        jsonschema_rs.validate(SCHEMA, said)
    assert [one["id"] for one in heard["passerelle/v1/diamniadio/alerts"]["alerts"]] == ["other"]
    assert post.details("n-1") == [("delivered", "PUBACK")]
    with Listener(mosquitto.url) as late:
        late.wait_for_last("test/end")
        assert late.heard == [], "a siren does not start late"


def test_a_lamp_that_is_switched_on_later_knows_what_is_open(
    mosquitto: MosquittoServer, post_of: Callable[..., Post], clock: ManualClock
) -> None:
    post = post_of(spec("siren", mqtt="passerelle/v1/{site}/alerts"), mqtt=mqtt_of(mosquitto))
    lane = post.outbox._lanes["siren"]
    lane.show_state()

    def shown() -> dict[str, Any]:
        with Listener(mosquitto.url) as lamp:
            lamp.wait_for_last("test/end")
            return {topic: json.loads(one) for topic, one in lamp.heard}

    before = shown()
    assert set(before) == {
        f"passerelle/v1/{site}/alerts/state" for site in ("elgazala", "diamniadio", "platform")
    }
    state = before["passerelle/v1/elgazala/alerts/state"]
    assert state == {
        "version": 1,
        "site": "elgazala",
        "time": "2026-11-23T10:00:00Z",
        "firing": {"critical": 0, "warning": 0, "info": 0},
        "acknowledged": {"critical": 0, "warning": 0, "info": 0},
        "muted": 0,
        "worst": "",
    }
    _open_alerts(post)
    clock.advance(1)
    lane.show_state()
    after = shown()
    state = after["passerelle/v1/elgazala/alerts/state"]
    assert state["firing"] == {"critical": 1, "warning": 1, "info": 0}
    assert state["acknowledged"]["critical"] == 1
    assert (state["muted"], state["worst"]) == (1, "critical")
    assert after["passerelle/v1/diamniadio/alerts/state"]["time"] == "2026-11-23T10:00:00Z", (
        "nothing changed there"
    )
    clock.advance(61)
    lane.show_state()
    assert shown()["passerelle/v1/diamniadio/alerts/state"]["time"] == "2026-11-23T10:01:02Z"


def test_what_is_open_is_shown_by_itself_again_after_the_broker_forgot(
    mosquitto_factory: MosquittoFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.deliver.lane_thread.STATE_S", 0.1)
    server = mosquitto_factory(MosquittoOptions(persistence=False))
    siren = spec("siren", mqtt="passerelle/v1/{site}/alerts", timeout="2s")
    with Post(tmp_path, siren, clock=SystemClock(), mqtt=mqtt_of(server)) as post:
        post.outbox.start()
        with Listener(server.url) as lamp:
            lamp.wait_for(3)
        server.stop()
        server.start()
        with Listener(server.url) as lamp:
            lamp.wait_for(3)
            assert {topic.rpartition("/")[2] for topic, _ in lamp.heard} == {"state"}


def _open_alerts(post: Post) -> None:
    from devices.registry.alert_records import AlertRecord  # noqa: PLC0415

    def alert(name: str, **more: Any) -> AlertRecord:
        fields: dict[str, Any] = {
            "rule": "r",
            "version": 1,
            "title": "{}",
            "severity": "critical",
            "alarm_class": "measured",
            "site": "elgazala",
            "device": name,
            "state": "firing",
            "at_ns": AT_NS,
            "opened_ns": AT_NS,
        }
        return AlertRecord(id=name, **(fields | more))

    with post.registry.alerts.work() as work:
        for one in (
            alert("a"),
            alert("b", severity="warning"),
            alert("c", state="acknowledged"),
            alert("d", silence="s"),
            alert("e", state="resolved"),
        ):
            work.put(one)


def test_a_broker_that_is_away_is_a_channel_that_waits_and_nothing_comes_twice(
    mosquitto: MosquittoServer, post_of: Callable[..., Post], clock: ManualClock
) -> None:
    siren = spec("siren", mqtt="passerelle/v1/{site}/alerts", timeout="1s")
    post = post_of(siren, mqtt=mqtt_of(mosquitto))
    mosquitto.stop()
    post.order("n-1", channel="siren")
    post.outbox.deliver_due()
    go_on(post, clock, "n-1")
    assert [one for one, _ in post.details("n-1")] == ["retry", "retry"]
    assert "cannot be reached" in post.details("n-1")[0][1]
    mosquitto.start()
    with Listener(mosquitto.url) as listener:
        go_on(post, clock, "n-1")
        assert post.got("n-1").state == NoticeState.DELIVERED
        listener.wait_for_last("test/end")
        assert [topic for topic, _ in listener.heard].count("passerelle/v1/elgazala/alerts") == 1


def test_a_broker_that_refuses_says_so(
    mosquitto_factory: MosquittoFactory, post_of: Callable[..., Post]
) -> None:
    server = mosquitto_factory(MosquittoOptions(username="one", password="right"))
    wrong = MqttSettings.model_validate({"url": f"mqtt://one:wrong@127.0.0.1:{server.port}"})
    post = post_of(spec("siren", mqtt="a/{site}", timeout="2s"), mqtt=wrong)
    with pytest.raises(DeliveryError, match="refuses the connection"):
        post.outbox.test("siren")


# --- SIGKILL


class Deaths:
    """Outboxes in processes of their own, that are killed.

    Args:
        directory: where the registry is.
        channels: as under `channels` of the policy.
    """

    def __init__(self, directory: Path, channels: dict[str, Any]) -> None:
        self.post = Post(directory, clock=SystemClock())
        self._channels = json.dumps(channels)

    def start(self, where: str = "") -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                sys.executable, "-m", "tests.support.faulty_outbox", self.post.url,
                self._channels, *([where] if where else []),
            ],
            cwd=ROOT,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, where: str = "") -> int:
        with self.start(where) as process:
            told = process.communicate(timeout=120)[1]
        if not where:
            assert process.returncode == 0, told.decode()
        return process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("where", ["begun:2", "sent:2", "recorded:2"])
@pytest.mark.parametrize("kind", ["mail", "hook"])
def test_a_process_that_is_killed_repeats_at_most_one_notice_and_loses_none(
    tmp_path: Path, mail: MailServer, hook: HookReceiver, kind: str, where: str
) -> None:
    said = {"url": mail.url()} if kind == "mail" else {"webhook": hook.url, "secret": SECRET}
    deaths = Deaths(tmp_path, {"c": said})
    names = [f"n-{number}" for number in range(4)]
    with deaths.post as post:
        for number, name in enumerate(names):
            post.order(name, channel="c", alerts=(view(id=f"a-{number}"),))
        assert deaths.run(where) == -signal.SIGKILL
        assert deaths.run() == 0
        got = [one.message[NOTICE_HEADER] for one in mail.mails]
        got += [one.headers[IDEMPOTENCY_KEY] for one in hook.posted]
        counts = Counter(got)
        assert set(counts) == set(names)
        repeated = [name for name, count in counts.items() if count > 1]
        assert repeated == (["n-1"] if where.startswith("sent") else [])
        assert max(counts.values()) <= 2
        assert {post.got(name).state for name in names} == {"delivered"}
        outcomes = [outcome for outcome, _ in post.details("n-1")]
        assert outcomes == (
            ["delivered"] if where.startswith("recorded") else ["unknown", "delivered"]
        )


@pytest.mark.slow
def test_killed_at_any_moment_each_notice_arrives_and_none_more_often_than_it_was_killed(
    tmp_path: Path, hook: HookReceiver
) -> None:
    deaths = Deaths(tmp_path, {"c": {"webhook": hook.url, "secret": SECRET}})
    moments = random.Random(11)
    names = [f"n-{number:02}" for number in range(60)]
    kills = 0
    with deaths.post as post:
        for number, name in enumerate(names):
            post.order(name, channel="c", alerts=(view(id=f"a-{number}"),))
        for _ in range(6):
            before = len(hook.posted)
            wanted = before + moments.randint(1, 6)
            with deaths.start() as process:
                wait_until(
                    lambda: len(hook.posted) >= wanted,  # noqa: B023 - awaited at once
                    seconds=60,
                    what="it delivers",
                    every=0.001,
                )
                process.kill()
                kills += process.wait() == -signal.SIGKILL
                assert process.stderr is not None
                process.stderr.close()
        assert kills == 6
        assert deaths.run() == 0
        counts = Counter(one.headers[IDEMPOTENCY_KEY] for one in hook.posted)
        assert set(counts) == set(names)
        assert sum(counts.values()) <= len(names) + kills
        assert max(counts.values()) <= 2
