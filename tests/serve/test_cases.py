"""Cases, outcomes and maintenance: over HTTP, by forms, by rules; nothing lost, nothing overwritten."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi.testclient import TestClient

from hvac.days import date_of, today
from hvac.explain.reason import Reason, plain_reason
from hvac.panel.grid import Unit
from hvac.readings.accepted import newest_day
from hvac.scoring.latest_rows import LatestRow
from serve.case_keeping import SNOOZE_OVER, CaseKeeper
from serve.http.form_tokens import FormTokens
from serve.keys import make_key
from serve.memory.store import CaseConflictError, Store
from serve.memory.store_cases import CaseFacts
from serve.notifying import Notifier
from serve.service import Service
from tests.serve.notice_servers import Taken, web_server
from tests.serve.serve_example import LAST, UNITS, client_of, scored, service_of

ROOT = Path(__file__).parents[2]
E1, E2, F2 = UNITS
TODAY = str(date_of(today()))
REASON = plain_reason(Reason("p", "point", 1.1, now=4.21, usual=2.4, moved=3.0))
FACTS = CaseFacts(
    point="p", risks={30: 0.9}, thresholds={30: 0.5}, alarms=(30,), reasons=(REASON,)
)


def score_day(service: Service, unit: Unit, day: int, *alarms: int) -> None:
    """Keep predictions of a day with alarms at these horizons, as scoring would."""
    rows = []
    for row in service.store.predictions(*unit):
        alarm = row["horizon"] in alarms
        facts = {"risk": 0.9 if alarm else 0.01, "threshold": 0.5, "needs_look": False}
        facts |= {"reasons": [REASON] if alarm else None, "alarm": alarm}
        rows.append(cast(LatestRow, {**row, **facts, "end_date": date_of(day)}))
    service.store.save_predictions(rows)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Makes a service whose equipment was calm on its last three scored days."""
    stores = []

    def made(**settings: Any) -> Service:
        service = scored(service_of(tmp_path, **settings))
        for unit in UNITS:
            for ago in (3, 2, 1):
                score_day(service, unit, LAST - ago)
        stores.append(service.store)
        return service

    yield made
    for store in stores:
        store.close()


@pytest.fixture
def service(make: Callable[..., Service]) -> Service:
    return make()


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


def opened(service: Service, unit: Unit = E2) -> str:
    case_id = service.store.open_case(unit, LAST - 5, FACTS)
    assert case_id is not None
    return case_id


def listed(client: TestClient, state: str = "open") -> list[tuple[str, str]]:
    cases = client.get("/v1/cases", params={"state": state}).json()["cases"]
    return [(case["equipment_id"], case["state"]) for case in cases]


# When a case opens


def test_case_opens_when_a_second_day_confirms_the_alarm(
    service: Service, client: TestClient
) -> None:
    keeper = CaseKeeper(service)
    score_day(service, E2, LAST, 30, 60, 90)
    assert (keeper.look(), listed(client)) == (0, [])
    score_day(service, E2, LAST + 1, 30, 60, 90)
    assert (keeper.look(), listed(client)) == (1, [("E2", "new")])
    assert (keeper.look(), CaseKeeper(service).look()) == (0, 0)


def test_alarm_at_longer_horizons_only_opens_none_unless_asked(
    make: Callable[..., Service],
) -> None:
    service = make()
    for day in (LAST, LAST + 1):
        score_day(service, E2, day, 60, 90)
    assert CaseKeeper(service).look() == 0
    asked = service.config.model_copy(
        update={"cases": service.config.cases.model_copy(update={"within_days": 60})}
    )
    assert CaseKeeper(Service(asked, service.store, service.stages)).look() == 1


def test_reasons_stay_as_they_were_on_the_day_it_opened(
    service: Service, client: TestClient
) -> None:
    for day in (LAST, LAST + 1):
        score_day(service, E2, day, 30)
    CaseKeeper(service).look()
    score_day(service, E2, LAST + 2)
    (case,) = client.get("/v1/cases").json()["cases"]
    shown = client.get(f"/v1/cases/{case['case_id']}").json()
    assert shown["reasons"][0]["text"]["en"].startswith("p is higher than usual: 4.21")
    assert (shown["risks"]["30"], shown["alarm_date"]) == (0.9, str(date_of(LAST + 1)))


def test_alarm_that_never_ended_opens_no_second_case_soon_after_closing(
    service: Service,
) -> None:
    for day in (LAST, LAST + 1):
        score_day(service, E2, day, 30)
    keeper = CaseKeeper(service)
    keeper.look()
    (case,) = service.store.cases()
    service.store.change_case(
        case, {"state": "done", "closed_day": LAST + 1}, who="sato"
    )
    score_day(service, E2, LAST + 2, 30)
    assert keeper.look() == 0
    score_day(service, E2, LAST + 3)
    for day in (LAST + 4, LAST + 5):
        score_day(service, E2, day, 30)
    assert keeper.look() == 1


def test_nothing_is_closed_without_a_rule_and_only_the_unseen_with_one(
    make: Callable[..., Service],
) -> None:
    service = make(cases={"close_calm_days": 10})
    new, seen = opened(service, E1), opened(service, E2)
    (case,) = service.store.cases(unit=E2)
    service.store.change_case(case, {"state": "seen"}, who="sato")
    without = service.config.model_copy(
        update={
            "cases": service.config.cases.model_copy(update={"close_calm_days": None})
        }
    )
    for unit in UNITS:
        score_day(service, unit, LAST + 20)
    CaseKeeper(Service(without, service.store, service.stages)).look()
    assert {case.state for case in service.store.cases()} == {"new", "seen"}
    CaseKeeper(service).look()
    states = {case.case_id: case.state for case in service.store.cases()}
    assert states == {new: "dismissed", seen: "seen"}
    assert service.store.case_changes(new)[-1].note == "no alarm for 10 days"


def test_maintenance_opens_no_case_until_it_is_over(
    service: Service, client: TestClient
) -> None:
    window = {"facility_id": "F1", "first_date": TODAY, "last_date": TODAY}
    assert client.post("/v1/maintenance", json=window).status_code == 202
    for unit in (E2, F2):
        for day in (LAST, LAST + 1):
            score_day(service, unit, day, 30)
    keeper = CaseKeeper(service)
    assert (keeper.look(), listed(client)) == (1, [("E1", "new")])
    assert service.store.drop_maintenance(Unit("F1", ""), today())
    assert keeper.look() == 1


def test_horizon_that_only_an_earlier_bundle_had_keeps_no_case_shut(
    service: Service,
) -> None:
    past = [(*E2, "", 14, LAST - 40, 0.1, 0, "an-earlier-bundle")]
    service.store.take_history(past)
    for day in (LAST, LAST + 1):
        score_day(service, E2, day, 30)
    assert CaseKeeper(service).look() == 1


# Changes


def test_second_of_two_people_sees_a_conflict_and_overwrites_nothing(
    service: Service, client: TestClient
) -> None:
    case_id = opened(service)
    first = {"version": 1, "state": "planned", "assignee": "Sato", "due_date": TODAY}
    assert client.post(f"/v1/cases/{case_id}", json=first).status_code == 200
    second = client.post(
        f"/v1/cases/{case_id}", json={"version": 1, "state": "dismissed"}
    )
    assert second.status_code == 409
    assert "somebody else changed this case" in second.json()["error"]
    shown = client.get(f"/v1/cases/{case_id}").json()
    assert (shown["state"], shown["assignee"], shown["version"]) == (
        "planned",
        "Sato",
        2,
    )
    assert [change["version"] for change in shown["history"]] == [1, 2]


def test_every_change_is_kept_with_what_was_before(
    service: Service, client: TestClient
) -> None:
    case_id = opened(service)
    for version, change in enumerate(
        ({"state": "seen"}, {"assignee": "Sato"}, {"state": "done", "note": "ok"}), 1
    ):
        client.post(f"/v1/cases/{case_id}", json={"version": version, **change})
    history = client.get(f"/v1/cases/{case_id}").json()["history"]
    assert [change["changes"].get("state") for change in history] == [
        [None, "new"], ["new", "seen"], None, ["seen", "done"],
    ]  # fmt: skip
    assert (history[2]["changes"], history[3]["note"]) == (
        {"assignee": ["", "Sato"]},
        "ok",
    )
    assert (listed(client), listed(client, "closed")) == ([], [("E2", "done")])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"state": "new"}, "state 'new' cannot follow 'seen'"),
        ({"snooze_until": TODAY}, "snooze_reason is missing"),
        ({"state": "finished"}, "state"),
        ({"due_dat": TODAY}, "did you mean 'due_date'?"),
    ],
)
def test_change_that_cannot_be_is_refused_in_a_sentence(
    service: Service, client: TestClient, change: dict[str, str], sentence: str
) -> None:
    case_id = opened(service)
    client.post(f"/v1/cases/{case_id}", json={"version": 1, "state": "seen"})
    answer = client.post(f"/v1/cases/{case_id}", json={"version": 2, **change})
    assert answer.status_code == 422
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize("field", ["note", "assignee", "snooze_reason"])
def test_control_character_is_refused_in_a_sentence(
    service: Service, client: TestClient, field: str
) -> None:
    case_id = opened(service)
    change = {"version": 1, field: "a\x00b"}
    answer = client.post(f"/v1/cases/{case_id}", json=change)
    assert answer.status_code == 422
    assert r"control character '\x00' cannot be kept" in answer.json()["error"]
    lines = {"version": 1, "note": "two\r\nlines\tand a tab"}
    assert client.post(f"/v1/cases/{case_id}", json=lines).status_code == 200


def test_closed_case_that_is_closed_again_keeps_its_day(
    service: Service, client: TestClient
) -> None:
    case_id = opened(service)
    (case,) = service.store.cases()
    closed = {"state": "done", "closed_day": LAST - 2}
    service.store.change_case(case, closed, who="sato")
    again = {"version": 2, "state": "done", "note": "belt was changed"}
    answer = client.post(f"/v1/cases/{case_id}", json=again).json()
    assert answer["closed_date"] == str(date_of(LAST - 2))
    assert answer["history"][-1]["note"] == "belt was changed"


def test_new_snooze_that_is_over_already_is_refused(
    service: Service, client: TestClient
) -> None:
    case_id = opened(service)
    yesterday = {"snooze_until": str(date_of(today() - 1)), "snooze_reason": "parts"}
    answer = client.post(f"/v1/cases/{case_id}", json={"version": 1, **yesterday})
    assert answer.status_code == 422
    assert "is over already: give" in answer.json()["error"]
    (case,) = service.store.cases()
    service.store.change_case(case, {"snooze_day": today() - 1}, who="x")
    form = {"version": 2, **yesterday, "state": "seen"}  # of a page opened yesterday
    assert client.post(f"/v1/cases/{case_id}", json=form).status_code == 200


def test_one_of_many_at_once_wins(service: Service) -> None:
    opened(service)
    (case,) = service.store.cases()

    def change(number: int) -> bool:
        try:
            service.store.change_case(case, {"assignee": f"p{number}"}, who="x")
        except CaseConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(change, range(24)))
    (after,) = service.store.cases()
    assert sum(won) == 1
    assert after.assignee == f"p{won.index(True)}"
    assert len(service.store.case_changes(case.case_id)) == 2


KILLED = textwrap.dedent("""
    import sys
    from serve.memory.store import Store
    store = Store.open(sys.argv[1])
    (case,) = store.cases()
    while True:
        case = store.change_case(case, {"assignee": f"p{case.version}"}, who="x")
        print(case.version, flush=True)
""")


def test_killed_service_loses_no_change_that_it_answered(
    service: Service, tmp_path: Path
) -> None:
    case_id = opened(service)
    url = service.config.store_url
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, url], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    answered = [int(process.stdout.readline()) for _ in range(20)][-1]
    os.kill(process.pid, signal.SIGKILL)
    rest = [int(line) for line in process.stdout.read().split()]
    process.wait(30)
    answered = max([answered, *rest])
    store = Store.open(url)
    case = store.case(case_id)
    assert case is not None
    versions = [change.version for change in store.case_changes(case_id)]
    store.close()
    assert case.version in (answered, answered + 1)
    assert versions == list(range(1, case.version + 1))


# What is told


@pytest.fixture
def web() -> Iterator[Taken]:
    with web_server() as taken:
        yield taken


def work(notifier: Notifier) -> None:
    notifier.look()
    while notifier.deliver():
        pass


def told_of(web: Taken) -> list[str]:
    return [body["equipment_id"] for body in web.bodies]


@pytest.fixture
def telling(make: Callable[..., Service], web: Taken) -> Service:
    service = make(notify={"webhooks": [web.address], "first_pause_s": 1000.0})
    Notifier(service, targets=[]).look()
    return service


@pytest.mark.parametrize(
    "change",
    [
        {"state": "planned"},
        {"snooze_until": TODAY, "snooze_reason": "parts are ordered"},
    ],
)
def test_planned_or_snoozed_case_raises_no_second_alarm(
    telling: Service, web: Taken, change: dict[str, str]
) -> None:
    case_id = opened(telling)
    with client_of(telling) as client:
        answer = client.post(f"/v1/cases/{case_id}", json={"version": 1, **change})
        assert answer.status_code == 200
    notifier = Notifier(telling)
    for day, alarms in ((LAST, (30,)), (LAST + 1, ()), (LAST + 2, (30, 60))):
        score_day(telling, E2, day, *alarms)
        work(notifier)
    score_day(telling, E1, LAST, 30)
    work(notifier)
    assert told_of(web) == ["E1"]


def test_alarm_that_outlasts_the_snooze_is_told_once_more(
    telling: Service, web: Taken
) -> None:
    notifier, keeper = Notifier(telling), CaseKeeper(telling)
    score_day(telling, E2, LAST, 30)
    work(notifier)
    opened(telling)
    (case,) = telling.store.cases()
    case = telling.store.change_case(
        case, {"snooze_day": today() + 1, "snooze_reason": "parts"}, who="sato"
    )
    keeper.look()
    work(notifier)
    assert told_of(web) == ["E2"]
    telling.store.change_case(case, {"snooze_day": today() - 1}, who="sato")
    keeper.look()
    for _ in range(3):
        work(notifier)
    assert told_of(web) == ["E2", "E2"]
    (case,) = telling.store.cases()
    assert case.snooze_day is None
    last_change = telling.store.case_changes(case.case_id)[-1]
    assert (last_change.who, last_change.note) == ("software", SNOOZE_OVER)


def test_alarm_of_a_snooze_that_is_over_is_told_once_whoever_looks_first(
    telling: Service, web: Taken
) -> None:
    notifier, other, keeper = Notifier(telling), Notifier(telling), CaseKeeper(telling)
    opened(telling)
    (case,) = telling.store.cases()
    over = {"snooze_day": today() - 1, "snooze_reason": "parts"}
    telling.store.change_case(case, over, who="sato")
    score_day(telling, E2, LAST, 30)
    for _ in range(2):
        work(notifier)
    keeper.look()
    for one in (notifier, other, notifier):
        work(one)
    assert told_of(web) == ["E2"]


def test_alarm_that_outlasts_the_visit_is_told_with_its_second_case(
    telling: Service, web: Taken
) -> None:
    notifier, keeper = Notifier(telling), CaseKeeper(telling)
    opened(telling)
    (case,) = telling.store.cases()
    case = telling.store.change_case(case, {"state": "planned"}, who="sato")
    for day in (LAST, LAST + 1):
        score_day(telling, E2, day, 30)
    work(notifier)
    assert told_of(web) == []
    telling.store.change_case(
        case, {"state": "done", "closed_day": today()}, who="sato"
    )
    for day in range(LAST + 2, LAST + 18):
        score_day(telling, E2, day, 30)
        keeper.look()
        work(notifier)
    assert [case.state for case in telling.store.cases()] == ["new", "done"]
    assert told_of(web) == ["E2"]


def test_alarm_that_began_after_the_visit_is_not_told_again_with_its_case(
    telling: Service, web: Taken
) -> None:
    notifier, keeper = Notifier(telling), CaseKeeper(telling)
    opened(telling)
    (case,) = telling.store.cases()
    closed = {"state": "done", "closed_day": LAST - 2}
    telling.store.change_case(case, closed, who="sato")
    for day in (LAST, LAST + 1):
        score_day(telling, E2, day, 30)
        work(notifier)
    assert keeper.look() == 1
    work(notifier)
    assert told_of(web) == ["E2"]


def test_alarm_told_just_before_the_snooze_ended_is_told_again(
    telling: Service, web: Taken
) -> None:
    notifier, keeper = Notifier(telling), CaseKeeper(telling)
    score_day(telling, E2, LAST, 30)
    work(notifier)
    opened(telling)
    (case,) = telling.store.cases()
    telling.store.change_case(case, {"snooze_day": today() - 1}, who="sato")
    keeper.look()  # before the notifier looks again
    work(notifier)
    assert told_of(web) == ["E2", "E2"]


def test_many_processes_open_one_case_and_tell_one_alarm(
    telling: Service, web: Taken
) -> None:
    url = telling.config.store_url
    services = [
        Service(telling.config, Store.open(url), telling.stages) for _ in range(4)
    ]
    looks: list[Callable[[], object]] = []
    for one in services:
        looks += [CaseKeeper(one).look, partial(work, Notifier(one))]
    for day in (LAST, LAST + 1):
        score_day(telling, E2, day, 30)
    with ThreadPoolExecutor(len(looks)) as pool:
        for _ in range(3):
            list(pool.map(lambda look: look(), looks))
        (case,) = telling.store.cases()
        over = {"snooze_day": today() - 1, "snooze_reason": "parts"}
        telling.store.change_case(case, over, who="sato")
        for _ in range(3):
            list(pool.map(lambda look: look(), looks))
    for one in services:
        one.store.close()
    assert told_of(web) == ["E2", "E2"]
    assert [change.who for change in telling.store.case_changes(case.case_id)] == [
        "software", "sato", "software",
    ]  # fmt: skip


def test_alarm_during_maintenance_is_told_when_it_is_over(
    telling: Service, web: Taken
) -> None:
    with client_of(telling) as client:
        window = {"facility_id": "F1", "equipment_id": "E2", "reason": "cleaning"}
        days = {"first_date": TODAY, "last_date": TODAY}
        client.post("/v1/maintenance", json={**window, **days})
    notifier = Notifier(telling)
    score_day(telling, E2, LAST, 30)
    work(notifier)
    assert told_of(web) == []
    telling.store.drop_maintenance(E2, today())
    work(notifier)
    assert told_of(web) == ["E2"]


# Outcomes


def outcome(unit: Unit = E2, **more: Any) -> dict[str, Any]:
    return {**unit._asdict(), "date": TODAY, "code": "hit", **more}


def tell(client: TestClient, *outcomes: dict[str, Any], **more: Any) -> Any:
    return client.post("/v1/outcomes", json={"outcomes": list(outcomes)}, **more)


def test_outcome_joins_the_open_case_and_may_close_it(
    service: Service, client: TestClient
) -> None:
    case_id = opened(service)
    told = outcome(code="空振り", note="belt fine", who="Sato", close_case=True)
    for _ in range(2):
        assert tell(client, told).json() == {"kept": 1}
    (kept,) = client.get("/v1/outcomes").json()["outcomes"]
    assert (kept["code"], kept["case_id"], kept["who"]) == (
        "nothing_found",
        case_id,
        "Sato",
    )
    assert listed(client, "closed") == [("E2", "done")]


@pytest.mark.parametrize(
    ("told", "status", "sentence"),
    [
        (outcome(case_id="nothing"), 404, "case 'nothing' is not known here"),
        (outcome(Unit("F1", "E9")), 404, "equipment F1 E9 is not known here"),
        (outcome(date=str(date_of(today() + 3))), 422, "lies in the future"),
        (outcome(code="hits"), 422, "did you mean 'hit'?"),
        (outcome(codes="hit"), 422, "did you mean 'code'?"),
    ],
)
def test_outcome_that_cannot_be_is_refused_and_nothing_is_kept(
    client: TestClient, told: dict[str, Any], status: int, sentence: str
) -> None:
    answer = tell(client, outcome(), told)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]
    assert client.get("/v1/outcomes").json()["outcomes"] == []


def test_two_outcomes_of_one_push_close_their_case_once(
    service: Service, client: TestClient
) -> None:
    case_id = opened(service)
    told = [outcome(who=who, close_case=True) for who in ("Sato", "Suzuki")]
    assert tell(client, *told).json() == {"kept": 2}
    changes = service.store.case_changes(case_id)
    assert [change.changes.get("state") for change in changes] == [
        [None, "new"], ["new", "done"],
    ]  # fmt: skip


def test_outcome_closes_a_case_that_somebody_changes_meanwhile(
    service: Service, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(service)
    keep = service.store.add_outcomes

    def keep_and_assign(*given: Any) -> None:
        keep(*given)
        (case,) = service.store.cases()
        service.store.change_case(case, {"assignee": "Suzuki"}, who="x")

    monkeypatch.setattr(service.store, "add_outcomes", keep_and_assign)
    assert tell(client, outcome(close_case=True)).status_code == 202
    (case,) = service.store.cases()
    assert (case.state, case.assignee) == ("done", "Suzuki")


def test_outcomes_as_csv_hold_no_formula_and_no_none(client: TestClient) -> None:
    tell(client, outcome(note="=1+1", who="@x"))
    text = client.get("/v1/outcomes?format=csv").content.decode("utf-8-sig")
    (row,) = text.splitlines()[1:]
    assert row == f"F1,E2,{TODAY},hit,'=1+1,'@x,"


def test_outcome_of_a_day_before_the_alarm_is_refused(
    service: Service, client: TestClient
) -> None:
    case_id = opened(service)
    early = str(date_of(LAST - 6))
    answer = tell(client, outcome(case_id=case_id, date=early))
    assert answer.status_code == 422
    assert (
        f"date {early} is before the alarm of {date_of(LAST - 5)}"
        in answer.json()["error"]
    )
    assert tell(client, outcome(date=early)).status_code == 202
    assert client.get("/v1/outcomes").json()["outcomes"][0]["case_id"] is None


def test_key_decides_what_may_be_written_and_seen(service: Service) -> None:
    case_id = opened(service)
    keys = {
        name: {"X-API-Key": make_key(service.store, name, facility_id=facility, role=role)}
        for name, facility, role in (
            ("reader", "F1", "read"), ("writer", "F1", "push"), ("other", "F2", "push"),
        )
    }  # fmt: skip
    with client_of(service, keys=True) as client:
        address, change = f"/v1/cases/{case_id}", {"version": 1, "state": "seen"}
        assert tell(client, outcome(), headers=keys["reader"]).status_code == 403
        assert (
            client.post(address, json=change, headers=keys["reader"]).status_code == 403
        )
        assert tell(client, outcome(), headers=keys["other"]).status_code == 404
        assert (
            client.post(address, json=change, headers=keys["other"]).status_code == 404
        )
        assert client.get(address, headers=keys["other"]).status_code == 404
        assert client.get("/v1/cases", headers=keys["other"]).json() == {"cases": []}
        assert tell(client, outcome(), headers=keys["writer"]).status_code == 202
        assert (
            client.post(address, json=change, headers=keys["writer"]).status_code == 200
        )
        history = client.get(address, headers=keys["reader"]).json()["history"]
    assert history[-1]["who"] == "writer"


def test_episodes_tell_what_became_of_alarms(
    service: Service, client: TestClient
) -> None:
    for day in (LAST - 100, LAST - 93):
        score_day(service, E1, day, 30)
    score_day(service, E1, LAST + 1)
    tell(client, outcome(E1, code="nothing_found", date=str(date_of(LAST - 80))))
    address = "/v1/facilities/F1/episodes"
    episodes = client.get(address).json()["episodes"]
    (episode,) = [e for e in episodes if e["first_date"] == str(date_of(LAST - 100))]
    assert (episode["result"], episode["visited"], episode["days"]) == (
        "false",
        True,
        30,
    )
    text = client.get(address, params={"format": "csv"}).content.decode("utf-8-sig")
    assert text.splitlines()[0].split(",")[:4] == [
        "facility_id", "equipment_id", "days", "first_date",
    ]  # fmt: skip
    assert "E1,30," in text


# Pages


def token_of(page: str) -> str:
    (token, *_) = re.findall(r'name="token" value="([0-9a-f]+)"', page)
    return str(token)


def test_forms_change_a_case_and_keep_an_outcome(
    service: Service, client: TestClient
) -> None:
    case_id = opened(service)
    token = token_of(client.get("/equipment/F1/E2").text)
    change = {"token": token, "version": "1", "state": "planned", "assignee": "佐藤"}
    answer = client.post(f"/cases/{case_id}", data=change, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/equipment/F1/E2#case",
    )
    page = client.get("/equipment/F1/E2?lang=ja").text
    assert "点検予定" in page
    assert "佐藤" in page
    told = {**outcome(), "token": token, "who": "", "note": "<b>", "close_case": "1"}
    assert client.post("/outcomes", data=told).status_code == 200
    page = client.get("/equipment/F1/E2?lang=en").text
    assert "a fault was found" in page
    assert "&lt;b&gt;" in page
    assert listed(client, "closed") == [("E2", "done")]


def test_form_takes_the_day_that_it_is_where_the_sun_rises_first(
    client: TestClient,
) -> None:
    page = client.get("/equipment/F1/E2").text
    assert f'max="{newest_day()}"' in page


def test_closed_cases_are_listed_newest_first_whatever_their_risk(
    service: Service, client: TestClient
) -> None:
    for unit, risk in ((E2, 0.9), (E1, 0.2)):
        facts = FACTS.model_copy(update={"risks": dict.fromkeys(FACTS.risks, risk)})
        case_id = service.store.open_case(unit, LAST - 5, facts)
        change = {"version": 1, "state": "done"}
        assert client.post(f"/v1/cases/{case_id}", json=change).status_code == 200
    assert listed(client, "closed") == [("E1", "done"), ("E2", "done")]
    page = client.get("/cases?state=closed").text
    assert page.index("/equipment/F1/E1") < page.index("/equipment/F1/E2")


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_form_of_another_sites_page_changes_nothing(
    service: Service, client: TestClient, token: str
) -> None:
    case_id = opened(service)
    change = {"token": token, "version": "1", "state": "done"}
    answer = client.post(f"/cases/{case_id}", data=change)
    assert (answer.status_code, listed(client)) == (403, [("E2", "new")])


def test_token_is_of_one_caller_and_of_today(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = FormTokens(service.store)
    from serve.bodies.problems import OldForm
    from serve.keys import ANYONE

    token = tokens.token(ANYONE)
    FormTokens(service.store).check(ANYONE, token)
    with pytest.raises(OldForm):
        tokens.check(ANYONE._replace(name="another"), token)
    monkeypatch.setattr("serve.http.form_tokens.time.time", lambda: 4e9)
    with pytest.raises(OldForm, match="open the page again"):
        tokens.check(ANYONE, token)


def test_second_form_of_two_people_is_answered_with_a_page(
    service: Service, client: TestClient
) -> None:
    case_id = opened(service)
    token = token_of(client.get("/equipment/F1/E2").text)
    change = {"token": token, "version": "1", "state": "seen"}
    client.post(f"/cases/{case_id}", data=change)
    answer = client.post(
        f"/cases/{case_id}?lang=ja", data=change, headers={"Accept": "text/html"}
    )
    assert answer.status_code == 409
    assert "ほかの人が先に変更しました" in answer.text


def test_reader_sees_the_case_and_no_forms(service: Service) -> None:
    opened(service)
    key = make_key(service.store, "r", role="read")
    with client_of(service, keys=True) as client:
        page = client.get("/equipment/F1/E2", headers={"X-API-Key": key}).text
    assert 'id="case"' in page
    assert "<form" not in page


def test_list_shows_state_and_who_sees_to_it(
    service: Service, client: TestClient
) -> None:
    opened(service)
    (case,) = service.store.cases()
    service.store.change_case(
        case, {"assignee": "Sato", "due_day": today() - 1, "state": "planned"}, who="x"
    )
    page = client.get("/cases?lang=en").text
    for words in ("visit planned", "Sato", "overdue", "p is higher than usual"):
        assert words in page
    assert "There are no such cases." in client.get("/cases?state=closed&lang=en").text


def test_planned_visit_is_no_visit_of_today(
    service: Service, client: TestClient
) -> None:
    for unit in (E1, E2):
        score_day(service, unit, LAST, 30)
    opened(service)
    (case,) = service.store.cases()
    service.store.change_case(case, {"state": "planned"}, who="x")
    page = client.get("/?lang=en").text
    assert "/equipment/F1/E1" in page
    assert "/equipment/F1/E2" not in page
    assert "1 further pieces of equipment" in page
