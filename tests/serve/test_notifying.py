"""Notifications of new alarms: once per episode, whatever is killed or fails; to nobody but the settings' targets."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import update

from hvac.errors import ConfigError
from hvac.explain.reason import Reason, plain_reason
from hvac.panel.grid import Unit
from hvac.scoring.latest_rows import LatestRow
from serve.bodies.schemas import AskedUnit
from serve.graph.stages import LocalStages
from serve.memory.store import Store
from serve.memory.store_tables import NOTICES
from serve.notify import main as notify_main
from serve.notifying import Notifier, notify_forever
from serve.service import Service
from serve.settings import ServeConfig, read_serve_config
from tests.serve.notice_servers import Taken, mail_server, web_server
from tests.serve.serve_example import UNITS, scored, service_of

ROOT = Path(__file__).parents[2]
E1, E2, F2 = UNITS
REASON = plain_reason(Reason("p", "point", 1.1, now=4.21, usual=2.4, moved=3.0))


@pytest.fixture
def web() -> Iterator[Taken]:
    with web_server() as taken:
        yield taken


@pytest.fixture
def mail() -> Iterator[Taken]:
    with mail_server() as taken:
        yield taken


def predict_as(service: Service, unit: Unit, *alarms: int, **more: Any) -> None:
    """Keep predictions of a unit with alarms at these horizons, as scoring would."""
    rows = []
    for row in service.store.predictions(*unit):
        alarm = row["horizon"] in alarms
        date = dt.date.fromisoformat(row["end_date"])
        facts = {"risk": 0.9 if alarm else 0.01, "threshold": 0.5, "needs_look": False}
        facts |= {"reasons": [REASON] if alarm else None, "alarm": alarm}
        rows.append(cast(LatestRow, {**row, **facts, **more, "end_date": date}))
    service.store.save_predictions(rows)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Makes a service whose equipment is calm, with these settings of notifications, which are on already."""
    stores = []

    def made(**notify: Any) -> Service:
        service = scored(
            service_of(tmp_path, notify={"first_pause_s": 1000.0, **notify})
        )
        for unit in UNITS:
            predict_as(service, unit)
        Notifier(service, targets=[]).look()
        stores.append(service.store)
        return service

    yield made
    for store in stores:
        store.close()


def again(service: Service) -> Service:
    """The same service after a restart."""
    config = service.config
    return Service(
        config, Store.open(config.store_url), LocalStages(config.bundle_folder, 4)
    )


def work(notifier: Notifier) -> None:
    notifier.look()
    while notifier.deliver():
        pass


def pauses_over(service: Service) -> None:
    """Let everything that waits be due."""
    with service.store._database.write() as connection:
        connection.execute(update(NOTICES).values(due=0.0))


def told(taken: Taken) -> list[tuple[str, str]]:
    return [(body["facility_id"], body["equipment_id"]) for body in taken.bodies]


# What is told


def test_new_alarm_is_told_once_with_everything_one_needs(
    make: Any, web: Taken
) -> None:
    service = make(webhooks=[web.address], url="https://hvac.plant.example/")
    notifier = Notifier(service)
    work(notifier)
    assert web.bodies == []
    predict_as(service, E2, 60, 90)
    for _ in range(3):
        work(notifier)
    (body,) = web.bodies
    assert (body["equipment_id"], body["days"], body["risk"]) == ("E2", 60, 0.9)
    assert body["threshold"] == 0.5
    assert body["link"] == "https://hvac.plant.example/equipment/F1/E2"
    assert body["reason"] == "p is higher than usual: 4.21, usually 2.4"
    assert body["text"] == (
        "E2 (F1): an anomaly begins within 60 days with a probability of 90 % (alarm from 50 %)."
        " Why: p is higher than usual: 4.21, usually 2.4"
    )


def test_alarm_that_goes_on_or_grows_is_not_told_again(make: Any, web: Taken) -> None:
    service = make(webhooks=[web.address])
    notifier = Notifier(service)
    for alarms in ((90,), (60, 90), (30, 60, 90), (90,)):
        predict_as(service, E2, *alarms)
        work(notifier)
    assert told(web) == [E2]


def test_alarm_is_told_again_after_it_was_calm(make: Any, web: Taken) -> None:
    service = make(webhooks=[web.address])
    notifier = Notifier(service)
    for alarms in ((30, 60, 90), (), (90,)):
        predict_as(service, E2, *alarms)
        work(notifier)
    assert told(web) == [E2, E2]
    assert web.bodies[0]["id"] != web.bodies[1]["id"]


def test_equipment_that_cannot_be_scored_for_a_while_is_not_calm(
    make: Any, web: Taken
) -> None:
    service = make(webhooks=[web.address])
    notifier = Notifier(service)
    predict_as(service, E2, 30, 60, 90)
    work(notifier)
    predict_as(service, E2, status="insufficient_data", risk=None)
    work(notifier)
    predict_as(service, E2, 30, 60, 90, status="ok")
    work(notifier)
    assert told(web) == [E2]


def test_withheld_alarm_is_told_when_it_becomes_sure(make: Any, web: Taken) -> None:
    service = make(webhooks=[web.address])
    notifier = Notifier(service)
    predict_as(service, E2, 30, 60, 90, needs_look=True)
    work(notifier)
    assert web.bodies == []
    predict_as(service, E2, 30, 60, 90, risk=0.95)
    work(notifier)
    assert told(web) == [E2]


def test_alarm_beyond_the_horizon_asked_for_is_not_told(make: Any, web: Taken) -> None:
    service = make(webhooks=[web.address], within_days=30)
    notifier = Notifier(service)
    predict_as(service, E1, 60, 90)
    predict_as(service, E2, 30, 60, 90)
    work(notifier)
    assert told(web) == [E2]


@pytest.mark.parametrize("present", [False, True])
def test_alarms_that_are_there_when_it_is_turned_on_are_told_where_asked(
    tmp_path: Path, web: Taken, present: bool
) -> None:
    notify = {"webhooks": [web.address], "present": present}
    service = scored(service_of(tmp_path, notify=notify))
    for unit in UNITS:
        predict_as(service, unit, *((30, 60, 90) if unit == E2 else ()))
    work(Notifier(service))
    assert told(web) == ([E2] if present else [])
    predict_as(service, E1, 90)
    work(Notifier(again(service)))
    assert told(web)[-1] == E1


def test_japanese_is_told_in_japanese(make: Any, web: Taken) -> None:
    service = make(webhooks=[web.address], language="ja")
    predict_as(service, E2, 30, 60, 90)
    work(Notifier(service))
    assert web.bodies[0]["text"].startswith(
        "E2（F1）：30 日以内に異常が始まる確率 90 %"
    )


# Mail


def mail_settings(mail: Taken, **more: Any) -> dict[str, Any]:
    same = {
        "host": "127.0.0.1",
        "port": mail.port,
        "tls": "plain",
        "sender": "hvac@plant.example",
    }
    return {**same, "to": ["a@plant.example", "b@plant.example"], **more}


def test_alarms_that_are_new_together_share_a_mail_to_all(
    make: Any, mail: Taken, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("geheim\n")
    login = {"user": "me", "password_file": str(tmp_path / "password")}
    service = make(mail=mail_settings(mail, **login), url="http://h")
    predict_as(service, E1, 90)
    predict_as(service, E2, 30, 60, 90)
    work(Notifier(service))
    (message,) = mail.mails
    assert message["Subject"] == "2 new alarms"
    assert mail.recipients == [["a@plant.example", "b@plant.example"]]
    text = message.get_content()
    assert "E1 (F1): an anomaly begins within 90 days" in text
    assert "http://h/equipment/F1/E2" in text
    assert mail.logins == ["\0me\0geheim"]


def test_mail_in_japanese_can_be_read(make: Any, mail: Taken) -> None:
    service = make(mail=mail_settings(mail), language="ja")
    predict_as(service, E2, 30, 60, 90)
    work(Notifier(service))
    assert mail.mails[0]["Subject"] == "新しい警報：E2（F1）"
    assert "理由：" in mail.mails[0].get_content()


def test_mail_that_is_refused_is_sent_again_with_the_same_number(
    make: Any, mail: Taken
) -> None:
    service = make(mail=mail_settings(mail))
    notifier = Notifier(service)
    mail.status = 451
    predict_as(service, E2, 30, 60, 90)
    work(notifier)
    assert (mail.asked, mail.mails) == (1, [])
    mail.status = 200
    pauses_over(service)
    work(notifier)
    assert len(mail.mails) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate of 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    now = dt.datetime.now(dt.UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number()
        )
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    kind = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path_factory.mktemp("tls") / "here.pem"
    file.write_bytes(made.public_bytes(kind) + key.private_bytes(kind, *plain))
    return file


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("trusted", [True, False])
def test_password_goes_only_to_a_mail_server_with_a_trusted_certificate(
    make: Any,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tls: str,
    trusted: bool,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    (tmp_path / "password").write_text("geheim")
    login = {"tls": tls, "user": "me", "password_file": str(tmp_path / "password")}
    with mail_server(**{tls: context}) as mail:
        service = make(mail=mail_settings(mail, **login))
        predict_as(service, E2, 30, 60, 90)
        work(Notifier(service))
    assert mail.logins == (["\0me\0geheim"] if trusted else [])
    assert len(mail.mails) == trusted
    assert service.store.waiting_notices() == 1 - trusted


def test_mail_server_that_does_not_encrypt_gets_nothing(make: Any, mail: Taken) -> None:
    service = make(mail=mail_settings(mail, tls="starttls"))
    predict_as(service, E2, 30, 60, 90)
    work(Notifier(service))
    assert (mail.asked, service.store.waiting_notices()) == (0, 1)


# Failures


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
def test_failed_notification_is_sent_until_it_is_taken(
    make: Any, web: Taken, status: int
) -> None:
    service = make(webhooks=[web.address])
    notifier = Notifier(service)
    web.status = status
    predict_as(service, E2, 30, 60, 90)
    work(notifier)
    assert (web.asked, service.store.waiting_notices()) == (1, 1)
    work(notifier)
    assert web.asked == 1  # its pause is not over
    web.status = 200
    pauses_over(service)
    work(notifier)
    assert told(web) == [E2]
    assert service.store.waiting_notices() == 0


def test_pauses_grow_twofold_up_to_an_hour(make: Any, web: Taken, caplog: Any) -> None:
    service = make(webhooks=[web.address])
    web.status = 500
    predict_as(service, E2, 30, 60, 90)
    notifier = Notifier(service)
    notifier.look()
    pauses = []
    for _ in range(4):
        pauses_over(service)
        caplog.clear()
        assert notifier.deliver()
        pauses.append(caplog.records[-1].args[-1])
    assert pauses == [1000.0, 2000.0, 3600.0, 3600.0]


def test_notification_that_is_never_taken_is_given_up(make: Any, web: Taken) -> None:
    service = make(webhooks=[web.address], give_up_h=1e-6)
    web.status = 500
    predict_as(service, E2, 30, 60, 90)
    notifier = Notifier(service)
    notifier.look()
    time.sleep(0.05)
    assert notifier.deliver()
    assert service.store.waiting_notices() == 0
    work(notifier)
    assert web.asked == 1


def test_one_target_that_fails_holds_no_other_up(
    make: Any, web: Taken, mail: Taken
) -> None:
    service = make(webhooks=[web.address], mail=mail_settings(mail))
    web.status = 500
    predict_as(service, E2, 30, 60, 90)
    work(Notifier(service))
    assert len(mail.mails) == 1
    assert web.bodies == []


def test_target_that_settings_name_no_longer_is_told_nothing(
    make: Any, web: Taken
) -> None:
    service = make(webhooks=[web.address])
    predict_as(service, E2, 30, 60, 90)
    Notifier(service).look()
    work(Notifier(service, targets=[]))
    assert web.asked == 0


def test_secrets_are_in_no_log_and_no_error(make: Any, web: Taken, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    service = make(webhooks=[web.address, "http://user:pa55@127.0.0.1:1/s3cret-token"])
    for status in (500, 200):
        web.status = status
        predict_as(service, E2, 30, 60, 90)
        work(Notifier(service))
        pauses_over(service)
    assert "127.0.0.1 answered 500" in caplog.text
    assert "s3cret" not in caplog.text
    assert "pa55" not in caplog.text
    assert "s3cret" not in repr(service.config)


def test_target_that_hangs_delays_no_prediction(make: Any, web: Taken) -> None:
    service = make(webhooks=[web.address], every_s=0.05)
    web.hang_s = 5.0
    predict_as(service, E2, 30, 60, 90)
    asked = AskedUnit(facility_id="F1", equipment_id="E1")

    async def predicting() -> float:
        telling = asyncio.create_task(notify_forever(service))
        while web.asked == 0:
            await asyncio.sleep(0.02)
        started = time.monotonic()
        await service.predict([asked])
        taken_s = time.monotonic() - started
        assert web.bodies == []
        telling.cancel()
        return taken_s

    assert asyncio.run(predicting()) < 5.0


def test_without_targets_nothing_is_done(make: Any) -> None:
    service = make()
    predict_as(service, E2, 30)
    asyncio.run(asyncio.wait_for(notify_forever(service), 10))
    assert service.store.told() == set()


# Restarts, kills, replicas


def test_restart_tells_nothing_twice_and_loses_nothing(make: Any, web: Taken) -> None:
    service = make(webhooks=[web.address])
    predict_as(service, E2, 30, 60, 90)
    work(Notifier(service))
    predict_as(service, E1, 90)
    Notifier(service).look()  # it ends before it has told
    for _ in range(2):
        work(Notifier(again(service)))
    assert told(web) == [E2, E1]


def test_replicas_together_tell_each_alarm_once(make: Any, web: Taken) -> None:
    service = make(webhooks=[web.address])
    for unit in UNITS:
        predict_as(service, unit, 30, 60, 90)
    notifiers = [Notifier(again(service)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, notifiers))
    assert sorted(told(web)) == sorted(map(tuple, UNITS))


PROCESS = """
import json, sys
from serve.graph.stages import LocalStages
from serve.memory.store import Store
from serve.notifying import Notifier
from serve.service import Service
from serve.settings import ServeConfig
config = ServeConfig(**json.loads(sys.argv[1]))
notifier = Notifier(Service(config, Store.open(config.store_url), LocalStages(config.bundle_folder, 4)))
notifier.look()
print("looked", flush=True)
while notifier.deliver():
    pass
print("delivered", flush=True)
"""


def start(config: ServeConfig) -> subprocess.Popen[str]:
    given = json.dumps(config.model_dump(mode="json"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROCESS, given]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.slow
def test_killed_while_it_tells_it_tells_again_under_the_same_number(
    make: Any, web: Taken
) -> None:
    """What the target had not answered for is sent again at once by the next process; nothing else is."""
    service = make(webhooks=[web.address])
    predict_as(service, E1, 90)
    predict_as(service, E2, 30, 60, 90)
    web.hang_s = 30.0
    process = start(service.config)
    while web.asked == 0:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert service.store.waiting_notices() == 2
    web.hang_s = 0.0
    process = start(service.config)
    output, _ = process.communicate(timeout=120)
    assert output.split() == ["looked", "delivered"]
    work(Notifier(again(service)))
    assert sorted(told(web)) == [E1, E2]
    assert len({body["id"] for body in web.bodies}) == 2


def test_store_that_is_away_for_a_while_loses_nothing(
    make: Any, web: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make(webhooks=[web.address], every_s=0.02)
    predict_as(service, E2, 30, 60, 90)
    original = service.store.alarmed
    looks = iter([True, True, True])

    def away(within: Any) -> Any:
        if next(looks, False):
            raise RuntimeError("away")
        return original(within)

    monkeypatch.setattr(service.store, "alarmed", away)

    async def telling() -> None:
        task = asyncio.create_task(notify_forever(service))
        while not web.bodies:
            await asyncio.sleep(0.02)
        task.cancel()

    asyncio.run(asyncio.wait_for(telling(), 60))
    assert told(web) == [E2]


# The command, and the settings


def test_command_sends_a_test_to_every_target(
    web: Taken, mail: Taken, capsys: pytest.CaptureFixture[str]
) -> None:
    of_mail = [
        f"notify.mail.{key}={value}"
        for key, value in mail_settings(mail, to=[]).items()
    ]
    of_mail = [each for each in of_mail if not each.startswith("notify.mail.to")]
    settings = [
        f"notify.webhooks=[{web.address}]",
        "notify.mail.to=[a@b.example]",
        "language=ja",
    ]
    assert notify_main(["--test", *settings, *of_mail]) == 0
    assert (
        capsys.readouterr().out == "webhook 127.0.0.1: sent\nmail by 127.0.0.1: sent\n"
    )
    assert (web.bodies[0]["test"], web.bodies[0]["text"][:5]) == (True, "【テスト】")
    assert mail.mails[0]["Subject"].startswith("【テスト】新しい警報")


def test_command_says_which_target_failed(
    web: Taken, capsys: pytest.CaptureFixture[str]
) -> None:
    web.status = 403
    assert notify_main(["--test", f"notify.webhooks=[{web.address}]"]) == 2
    assert (
        capsys.readouterr().out
        == "webhook 127.0.0.1: failed: webhook 127.0.0.1 answered 403\n"
    )


def test_command_without_targets_says_what_to_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert notify_main(["--test"]) == 2
    assert "set notify.webhooks or notify.mail" in capsys.readouterr().err


def test_webhooks_of_a_file_join_those_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "hooks"
    file.write_text("https://a.example/1\nhttps://b.example/2\n")
    config = read_serve_config(
        {"notify": {"webhooks": ["https://b.example/2"], "webhooks_file": str(file)}}
    )
    assert config.notify.all_webhooks == ("https://b.example/2", "https://a.example/1")
    file.write_text("no url")
    with pytest.raises(ConfigError, match="URL 1: expected a URL"):
        _ = config.notify.all_webhooks
    file.unlink()
    with pytest.raises(ConfigError, match=r"notify\.webhooks_file .* cannot be read"):
        _ = config.notify.all_webhooks


def test_misspelt_setting_of_notifications_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'sender'"):
        read_serve_config(
            {"notify": {"mail": {"host": "h", "to": ["a@b.c"], "sendr": "x@y.z"}}}
        )
