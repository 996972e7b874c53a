"""The pages a facility manager reads: what they say, and a click through them in a real browser."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
import uvicorn
import yaml
from fastapi.testclient import TestClient

from hvac.panel.grid import Unit
from hvac.panel.names import save_names
from hvac.scoring.latest_rows import RankedUnit
from serve.case_keeping import known_at_opening
from serve.http.api import make_api
from serve.http.chart import Drawing, draw_chart
from serve.http.door import Door
from serve.http.list_view import Asked, list_view
from serve.keys import make_key
from serve.service import Service
from tests.serve.browser_example import Browser, browser
from tests.serve.serve_example import (
    LAST,
    UNITS,
    client_of,
    reading_rows,
    scored,
    service_of,
)
from tests.serve.test_graph import free_port

PAGES = (
    "/",
    "/equipment",
    "/cases",
    "/facility/F1",
    "/equipment/F1/E1",
    "/equipment/F1/E2",
)
NASTY = Unit("F1", "<script>alert(1)</script>&\"'/?#")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    own = service_of(tmp_path_factory.mktemp("pages"))
    own.store.add(
        units=[
            (*NASTY, "ahu", None),
            ("F4", "young", "ahu", None),
            ("F4", "gone", "ahu", None),
        ],
        readings=[
            *[(*NASTY, *row[2:]) for row in reading_rows(UNITS[0])],
            *[("F4", "young", *row[2:]) for row in reading_rows(UNITS[0], 30)],
            *[
                ("F4", "gone", *row[2:])
                for row in reading_rows(UNITS[0], 100, last=LAST - 80)
            ],
            ("F4", "gone", "p", LAST, 20.0, None, None, None),
        ],
    )
    service = scored(own)
    case = known_at_opening(service.ranked(UNITS[1]))
    service.store.open_case(UNITS[1], LAST, case)
    service.store.open_case(NASTY, LAST, case.model_copy(update={"point": NASTY[1]}))
    return service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


def page(client: TestClient, path: str, language: str = "ja") -> str:
    told = client.get(path, params={"lang": language}, headers={"accept": "text/html"})
    assert told.status_code == 200, told.text
    return told.text


# What they say


def test_risks_are_plain_sentences(client: TestClient, service: Service) -> None:
    row = service.rows("F1", "E2")[0]
    percent = f"{100 * row['risk']:.0f}"
    assert f"30 日以内に異常が始まる確率 {percent} %" in page(
        client, "/equipment/F1/E2"
    )
    assert f"Probability that an anomaly begins within 30 days: {percent} %" in page(
        client, "/equipment/F1/E2", "en"
    )


def test_equipment_that_is_not_judged_says_why(client: TestClient) -> None:
    assert "学習中：判定まであと 60 日分の記録が必要です" in page(
        client, "/equipment/F4/young"
    )
    assert "too few readings in the last 90 days" in page(
        client, "/equipment/F4/gone", "en"
    )


def test_past_events_and_data_quality_are_shown(client: TestClient) -> None:
    text = page(client, "/equipment/F1/E1")
    assert "故障" in text
    assert "評価 A：直近 90 日の値のうち 100 % が記録されています" in text


def test_filter_and_search_leave_only_what_fits(client: TestClient) -> None:
    def found(**query: str) -> list[str]:
        text = client.get(
            "/facility/F1",
            params={"lang": "en", **query},
            headers={"accept": "text/html"},
        ).text
        return re.findall(r'href="/equipment/F1/([^"]+)"', text)

    assert set(found()) >= {"E1", "E2"}
    assert found(q="e2") == ["E2"]
    assert found(q="nothing") == []
    assert found(kind="ahu") == found()
    assert "E2" in found(alarms="1")
    assert "E1" not in found(alarms="1", q="E2")


def test_ids_are_shown_as_text_and_lead_to_their_page(client: TestClient) -> None:
    text = page(client, "/facility/F1")
    assert "<script>" not in text
    (link,) = re.findall(r'href="(/equipment/F1/%3Cscript[^"]+)"', text)
    assert "&lt;script&gt;" in page(client, link)


def test_language_is_taken_from_the_address_the_cookie_or_the_browser(
    service: Service,
) -> None:
    with client_of(service) as fresh:
        assert (
            'lang="ja"'
            in fresh.get("/", headers={"accept-language": "ja,en;q=0.5"}).text
        )
        assert (
            'lang="en"'
            in fresh.get("/", headers={"accept-language": "de,en;q=0.5"}).text
        )
        fresh.get("/?lang=ja")
        assert 'lang="ja"' in fresh.get("/", headers={"accept-language": "en"}).text


def test_errors_are_pages_for_browsers_and_json_for_programs(
    client: TestClient,
) -> None:
    shown = client.get("/facility/F9", headers={"accept": "text/html"})
    assert (shown.status_code, "<h1>" in shown.text) == (404, True)
    assert (
        "error"
        in client.get("/facility/F9", headers={"accept": "application/json"}).json()
    )


def test_empty_service_says_how_to_begin(tmp_path: Path) -> None:
    from serve.memory.store import Store
    from serve.settings import ServeConfig

    config = ServeConfig(workspace=tmp_path, store=str(tmp_path / "s.sqlite"))
    empty = Service(config, Store.open(config.store_url), None)  # type: ignore[arg-type]
    with client_of(empty) as client:
        assert "POST /v1/readings" in page(client, "/")
        assert client.get("/readyz").status_code == 422


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_page_is_sound(client: TestClient, path: str, language: str) -> None:
    """One h1, a language, headings in order, fields with labels, charts with texts, no script, no outside address."""
    seen = Sound()
    seen.feed(page(client, path, language))
    assert seen.tags.count("h1") == 1
    assert seen.language == language
    assert all(b - a <= 1 for a, b in zip(seen.levels, seen.levels[1:], strict=False))
    assert "script" not in seen.tags
    assert not [link for link in seen.links if not link.startswith(("/", "#", "data:"))]
    assert seen.unlabelled == 0
    if path.startswith("/equipment/"):
        assert seen.charts
        assert all(len(words) > 20 for words in seen.charts)


class Sound(HTMLParser):
    """What matters to a screen reader."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.links, self.charts, self.levels = (
            list[str](),
            list[str](),
            list[str](),
            list[int](),
        )
        self.language, self.unlabelled, self._labels = "", 0, 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.append(tag)
        self.links += [
            str(told[name]) for name in ("href", "src", "action") if told.get(name)
        ]
        self._labels += tag == "label"
        if tag == "html":
            self.language = str(told["lang"])
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if told.get("role") == "img":
            self.charts.append(str(told["aria-label"]))
        shown = told.get("type") != "hidden"
        if tag in ("input", "select", "textarea") and shown and not self._labels:
            self.unlabelled += 1

    def handle_endtag(self, tag: str) -> None:
        self._labels -= tag == "label"


def test_every_text_is_there_in_both_languages() -> None:
    def leaves(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
        if set(group) == {"en", "ja"}:
            yield path, group
        else:
            for name, part in group.items():
                yield from leaves(part, f"{path}.{name}")

    for path, leaf in leaves(
        yaml.safe_load(Path("serve/http/texts.yaml").read_text(encoding="utf-8"))
    ):
        marks = [
            sorted(re.findall(r"{(\w+)}", leaf[language])) for language in ("en", "ja")
        ]
        assert marks[0] == marks[1], path


def test_chart_does_not_draw_over_a_gap_of_more_than_a_week() -> None:
    days = [*range(10), *range(30, 40)]
    made = draw_chart(
        Drawing(title="t", measured=[(19000 + day, float(day)) for day in days])
    )
    assert made.count('class="measured"') == 2


@pytest.mark.parametrize("values", [[5.0] * 10, [1e12, -1e12], [1e-9, 2e-9], [0.0]])
def test_chart_stands_any_values(values: list[float]) -> None:
    made = draw_chart(
        Drawing(title="<t>", measured=[(19000 + i, v) for i, v in enumerate(values)])
    )
    assert made.startswith("<svg")
    assert "nan" not in made
    assert "<t>" not in made


# In a real browser


@pytest.fixture(scope="module")
def address(service: Service) -> Iterator[str]:
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            make_api(service, Door(service.store, keys=False)),
            host="127.0.0.1",
            port=port,
            log_level="error",
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as tab:
        yield tab


def test_click_through_from_fleet_to_equipment_and_language(
    tab: Browser, address: str, tmp_path: Path
) -> None:
    tab.open(f"{address}/?lang=ja")
    assert tab.ask("document.querySelector('h1').textContent") == "全施設"
    tab.click("a[href='/facility/F1']", "location.pathname === '/facility/F1'")
    tab.ask("document.querySelector('input[type=search]').value = 'E2'")
    tab.click("form button", "location.search.includes('q=E2')")
    assert tab.ask("document.querySelectorAll('tbody tr').length") == 1
    tab.click("tbody th a", "location.pathname === '/equipment/F1/E2'")
    assert "30 日以内に異常が始まる確率" in tab.ask("document.body.innerText")
    tab.click("a.switch", "document.documentElement.lang === 'en'")
    assert "Probability that an anomaly begins within 30 days" in tab.ask(
        "document.body.innerText"
    )
    assert (
        tab.ask("document.querySelector('svg.chart').getBoundingClientRect().height")
        > 100
    )
    tab.picture(tmp_path / "equipment.png")
    assert (tmp_path / "equipment.png").stat().st_size > 10_000
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith((address, "data:"))] == []


def test_first_tab_stop_skips_to_the_content(tab: Browser, address: str) -> None:
    tab.open(f"{address}/?lang=en")
    for kind in ("keyDown", "keyUp"):
        tab.do(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Tab",
            code="Tab",
            windowsVirtualKeyCode=9,
        )
    assert tab.ask("document.activeElement.getAttribute('href')") == "#main"


# texts of what ends beyond the right edge
CUT_OFF = """
[...document.querySelectorAll("main *")].filter(e => {
  const box = e.getBoundingClientRect();
  if (e.closest("thead") || e.closest("svg") || !box.width) return false;
  return box.right > innerWidth + 1;
}).map(e => e.textContent.trim().slice(0, 40))
"""


@pytest.mark.parametrize("path", PAGES)
def test_phone_needs_no_sideways_scrolling(
    tab: Browser, address: str, path: str
) -> None:
    tab.do(
        "Emulation.setDeviceMetricsOverride",
        width=360,
        height=740,
        deviceScaleFactor=1,
        mobile=True,
    )
    try:
        for language in ("ja", "en"):
            tab.open(f"{address}{path}?lang={language}")
            assert tab.ask("document.documentElement.scrollWidth") <= 360
            assert tab.ask(CUT_OFF) == []
    finally:
        tab.do("Emulation.clearDeviceMetricsOverride")


def test_key_of_one_facility_shows_only_that_facility(service: Service) -> None:
    key = make_key(service.store, "browser", facility_id="F2")
    with client_of(service, keys=True) as client:
        shown = client.get("/", auth=("anyone", key), headers={"accept": "text/html"})
        assert "/facility/F2" in shown.text
        assert "F1" not in shown.text


def test_a_machine_whose_alarm_is_new_is_marked_and_its_trend_drawn(
    tmp_path: Path,
) -> None:
    service = scored(service_of(tmp_path))
    alarmed = next(
        entry for entry in service.ranking() if any(entry["alarms"].values())
    )
    unit = Unit(alarmed["facility_id"], alarmed["equipment_id"])
    last = service.store.last_day()
    assert last is not None
    with client_of(service) as client:
        before = client.get("/equipment", params={"lang": "en"}).text
        assert 'class="tag new"' not in before
        assert 'class="trend"' not in before
        past = [(*unit, "", h, last - 7, 0.01, 0, "b") for h in alarmed["risks"]]
        service.store.take_history(past)
        after = client.get("/equipment", params={"lang": "en"}).text
        assert after.count('class="tag new"') == 1
        assert after.count('class="trend"') == 1
        only = client.get("/equipment", params={"lang": "en", "new": "1"}).text
        assert only.count('scope="row"') == 1
        csv = client.get("/ranking.csv", params={"lang": "en", "new": "1"}).text
        assert len(csv.strip().splitlines()) == 2
        assert unit.equipment_id in csv


def test_lists_are_ordered_by_a_horizon_and_shown_a_page_at_a_time() -> None:
    entries = [listed(f"E{n:03}", {30: n / 200, 90: 1 - n / 200}) for n in range(150)]
    first = list_view(None, entries, {}, Asked(by=90))
    assert [row.entry["equipment_id"] for row in first["rows"][:2]] == ["E000", "E001"]
    assert (len(first["rows"]), first["last"], first["fitting"]) == (100, 100, 150)
    second = list_view(None, entries, {}, Asked(by=30, first=101))
    assert second["rows"][-1].entry["equipment_id"] == "E000"
    assert (len(second["rows"]), second["rows"][0].rank) == (50, 101)


def listed(name: str, risks: dict[int, float]) -> RankedUnit:
    entry = {"facility_id": "F", "equipment_id": name, "class": "ahu", "risks": risks}
    return cast(
        RankedUnit, {**entry, "alarms": dict.fromkeys(risks, False), "unsure": []}
    )


def test_pages_and_api_tell_names_and_hide_those_of_other_facilities(
    tmp_path: Path,
) -> None:
    rows = [
        ("facility", "F1", "", "head office", "本社"),
        ("equipment", "E1", "F1", "south air handler", "南棟の空調機"),
        ("equipment", "E1", "F2", "secret machine", "秘密の設備"),
        ("class", "ahu", "", "air handling unit", "空調機"),
    ]
    columns = zip(*rows, strict=True)
    table = dict(
        zip(("of", "id", "facility_id", "en", "ja"), map(list, columns), strict=True)
    )
    more = {name: [""] * len(rows) for name in ("unit", "location", "criticality")}
    save_names(pa.table({**table, **more}), tmp_path / "panel")
    service = scored(service_of(tmp_path))
    with client_of(service) as client:
        page = client.get("/equipment/F1/E1", params={"lang": "ja"}).text
        assert "<h1>南棟の空調機</h1>" in page
        assert "空調機・" in page
        assert ">本社</a>" in page
        listed = client.get("/equipment", params={"lang": "en"}).text
        assert "south air handler" in listed
        assert "E1" in listed
        csv = client.get("/ranking.csv", params={"lang": "ja"}).text
        assert "設備名" in csv.splitlines()[0]
        names = client.get("/v1/names").json()["names"]
        assert len(names) == 4
    key = make_key(service.store, "one", facility_id="F1", role="read")
    with client_of(service, keys=True) as client:
        seen = client.get("/v1/names", headers={"x-api-key": key}).json()["names"]
    assert {name["facility_id"] for name in seen} == {"", "F1"}
