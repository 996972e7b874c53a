"""A challenger in shadow: scored beside the champion, kept, told; it delays and breaks nothing."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from scipy.special import logit

from hvac.days import date_of
from hvac.features.encoder import Encoder
from hvac.scoring.bundle import Bundle
from hvac.storage import write_parquet
from hvac.update.bends import Bend
from hvac.update.bent_bundle import bent_bundle
from hvac.update.champions import Challenger, read_champions, write_champions
from serve import service_metrics
from serve.case_keeping import count_canary
from serve.deployments import Features
from serve.graph.asks import Watched
from serve.graph.published_peers import PeerLevels
from serve.graph.shadowing import Shadow, _windows_for
from serve.graph.shelf import Shelf
from serve.graph.stages import LocalStages
from serve.keys import make_key
from serve.load import load
from serve.memory.store import Store
from serve.memory.store_shadow import ShadowRow
from serve.memory.watched_bundles import (
    WorkspaceBundles,
    note_watched,
    watched_bundles,
)
from serve.service import Service
from serve.settings import ShadowConfig
from tests.models.models_example import bundle, windows
from tests.serve.serve_example import LAST, UNITS, client_of, filled, scored
from tests.serve.test_app import write_workspace
from tests.serve.test_features import Next

E1, E2, F2 = UNITS
KEYS = (
    *("facility_id", "equipment_id", "point_id", "end_date", "horizon"),
    *("risk", "alarm", "bundle_id"),
)
BEND = Bend(slope=1.2, intercept=-0.5)


class Watching:
    """A service that watches a challenger; its stages, and the shadow behind them."""

    def __init__(
        self, folder: Path, challenger: Callable[[Bundle], Bundle], **settings: Any
    ) -> None:
        config, store, self.champion = filled(folder, bundle(), **settings)
        serving = Bundle.load(config.bundle_folder / self.champion)
        self.challenger = challenger(serving).save(config.bundle_folder).name
        self.watched = WorkspaceBundles(
            {"ahu": self.champion}, {"ahu": self.challenger}
        )
        note_watched(store, self.watched)
        shelf = Shelf(config.bundle_folder, 4, PeerLevels(config.peer_folder))
        self.shadow = Shadow(shelf, lambda: store, config.shadow.keep_days)
        stages = LocalStages(config.bundle_folder, 4, shadow=self.shadow)
        self.service = Service(config, store, stages)

    def score(self) -> list[ShadowRow]:
        """Score what waits, and return the pairs."""
        scored(self.service)
        self.shadow.wait()
        return self.service.store.shadow_rows(most=1000)


def bent(serving: Bundle) -> Bundle:
    return bent_bundle(serving, BEND, "platt", 0)


def trained_anew(serving: Bundle) -> Bundle:
    return bundle(seed=5)


def count(outcome: str) -> float:
    value = service_metrics.REGISTRY.get_sample_value(
        "hvac_shadow_windows_total", {"outcome": outcome}
    )
    return value or 0.0


def risks_by(service: Service, bundle_id: str) -> dict[tuple[str, str, int], float]:
    """What a bundle says of the equipment of a store, asked on its own."""
    assigned = dict.fromkeys(service.store.assignments(), bundle_id)
    asks = [replace(service.stored_ask(unit, assigned), watched=None) for unit in UNITS]
    rows = asyncio.run(service.stages.predict(asks))
    return {
        (row["facility_id"], row["equipment_id"], row["horizon"]): row["risk"] or -1
        for row in rows
    }


@pytest.mark.parametrize("challenger", [bent, trained_anew])
def test_pairs_are_what_each_bundle_says_and_only_the_champion_answers(
    tmp_path: Path, challenger: Callable[[Bundle], Bundle]
) -> None:
    watching = Watching(tmp_path, challenger)
    service = watching.service
    rows = watching.score()
    assert {row[:2] for row in rows} == set(UNITS)
    assert {row.end_day for row in rows} == {LAST}
    answered = {
        (row["facility_id"], row["equipment_id"], row["horizon"]): row
        for row in service.rows()
    }
    assert {row["bundle_id"] for row in answered.values()} == {watching.champion}
    by_challenger = risks_by(service, watching.challenger)
    assert len(rows) == len(answered) == len(by_challenger)
    for row in rows:
        key = (*row[:2], row.horizon)
        assert row.champion_risk == answered[key]["risk"]
        assert bool(row.champion_alarm) == answered[key]["alarm"]
        assert row.challenger_risk == pytest.approx(by_challenger[key], abs=1e-6)
        assert (row.champion_id, row.challenger_id) == (
            watching.champion,
            watching.challenger,
        )
        odds = logit(np.clip([row.champion_risk, row.challenger_risk], 1e-6, 1 - 1e-6))
        assert row.shift == pytest.approx(odds[1] - odds[0])


def test_bent_challenger_alarms_at_the_same_windows(tmp_path: Path) -> None:
    rows = Watching(tmp_path, bent).score()
    assert [row.champion_alarm for row in rows] == [r.challenger_alarm for r in rows]
    assert {row.champion_alarm for row in rows} == {0, 1}


def test_challenger_of_another_recipe_looks_at_windows_of_its_own(
    tmp_path: Path,
) -> None:
    def other(serving: Bundle) -> Bundle:
        made = bundle(seed=5)
        limits = {"p": (15.0, 25.0)}
        return replace(made, recipe=replace(made.recipe, limits=limits))

    watching = Watching(tmp_path, other)
    rows = watching.score()
    alone = risks_by(watching.service, watching.challenger)
    assert len(rows) == len(alone)
    for row in rows:
        expected = alone[(*row[:2], row.horizon)]
        assert row.challenger_risk == pytest.approx(expected, abs=1e-6)


def embedded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> list[int]:
    """Windows of every pass through the encoder while equipment is scored."""
    watching = Watching(folder, bent, **settings)
    passes: list[int] = []
    embed = Encoder.embed

    def counted(encoder: Encoder, x_BCL: Any) -> Any:
        passes.append(len(x_BCL))
        return embed(encoder, x_BCL)

    with monkeypatch.context() as patched:
        patched.setattr(Encoder, "embed", counted)
        assert bool(watching.score()) == (not settings)
    return passes


def test_embedding_of_the_same_encoder_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = embedded(tmp_path / "a", monkeypatch, shadow={"keep_days": 0})
    assert embedded(tmp_path / "b", monkeypatch) == alone
    assert sum(alone) >= len(UNITS)


def test_embedding_of_another_encoder_is_made_anew() -> None:
    serving, made = bundle(), windows(4)
    other = replace(bundle(seed=5), encoder_sha256="another")
    shelf: Any = None
    kept = _windows_for(bundle(seed=5), serving, made, [], shelf)
    assert kept.z_BCE is not None
    assert _windows_for(other, serving, made, [], shelf).z_BCE is None


def test_pair_of_a_later_record_replaces_that_of_its_day(tmp_path: Path) -> None:
    watching = Watching(tmp_path, bent)
    before = watching.score()
    store = watching.service.store
    store.add(readings=[(*E1, "p", LAST, 29.0, 10.0, 30.0, None)])
    after = watching.score()
    assert len(after) == len(before)
    changed = {r[:2] for r, old in zip(after, before, strict=True) if r[5] != old[5]}
    assert changed == {E1}


def test_challenger_that_fails_breaks_no_answer_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watching = Watching(tmp_path, bent)
    shutil.rmtree(tmp_path / "bundles" / watching.challenger)
    failed = count("failed")
    with caplog.at_level(logging.ERROR):
        assert watching.score() == []
        watching.service.store.mark_stale(UNITS)
        assert watching.score() == []
    assert {row["bundle_id"] for row in watching.service.rows()} == {watching.champion}
    assert watching.service.store.aside() == {}
    assert count("failed") - failed == 2 * len(UNITS)
    told = [r for r in caplog.records if "cannot be scored in shadow" in r.message]
    assert len(told) == 1


def test_store_that_is_away_for_the_shadow_breaks_no_answer(tmp_path: Path) -> None:
    watching = Watching(tmp_path, bent)
    failed = count("failed")

    def away() -> Store:
        raise OSError("no such server")

    watching.shadow._open = away
    watching.score()
    assert len(watching.service.rows()) == 3 * len(UNITS)
    assert count("failed") - failed == len(UNITS)


def test_answer_does_not_wait_for_the_challenger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.graph.shadowing.MOST_WAITING", 3)
    watching = Watching(tmp_path, bent)
    stands_still, go_on = threading.Event(), threading.Event()
    store = watching.service.store

    def held() -> Store:
        stands_still.set()
        assert go_on.wait(120)
        return store

    watching.shadow._open = held
    scored(watching.service)
    assert stands_still.wait(60)
    assert len(watching.service.rows()) == 3 * len(UNITS)
    dropped = count("dropped")
    for _ in range(5):
        store.mark_stale([E1])
        scored(watching.service)  # returns, though the shadow stands still
    assert count("dropped") - dropped == 2
    go_on.set()
    watching.shadow.wait()
    assert store.shadow_rows(most=10)


def test_nothing_is_scored_beside_where_nothing_is_watched(tmp_path: Path) -> None:
    watching = Watching(tmp_path / "off", bent, shadow={"keep_days": 0})
    assert watching.score() == []
    watching = Watching(tmp_path / "none", bent)
    note_watched(watching.service.store, WorkspaceBundles({}, {}))
    assert watching.score() == []


def test_facility_with_a_bundle_of_its_own_is_not_paired(tmp_path: Path) -> None:
    watching = Watching(tmp_path, bent)
    own = bundle(seed=7).save(watching.service.config.bundle_folder).name
    watching.service.store.assign({("F2", "ahu"): own})
    assert {row.facility_id for row in watching.score()} == {"F1"}


def test_challenger_that_answers_is_paired_with_the_champion(tmp_path: Path) -> None:
    watching = Watching(tmp_path, bent)
    watching.service.store.assign({("F2", "ahu"): watching.challenger})
    rows = watching.score()
    assert {row[-3:-1] for row in rows} == {(watching.champion, watching.challenger)}
    by_champion = risks_by(watching.service, watching.champion)
    for row in rows:
        expected = by_champion[(*row[:2], row.horizon)]
        assert row.champion_risk == pytest.approx(expected, abs=1e-6)


def test_graph_keeps_pairs_too(tmp_path: Path) -> None:
    watching = Watching(tmp_path, bent)
    service = watching.service
    assigned = service.store.assignments()
    asks = [service.stored_ask(unit, assigned) for unit in UNITS]
    stages: Any = service.stages
    following = Next(stages, "")
    graph: Any = Features
    features = graph.func_or_class(service.config, following, following)
    asyncio.run(features.predict(asks))
    features.shadow.wait()
    assert len(service.store.shadow_rows(most=100)) == 3 * len(UNITS)


def test_challenger_of_the_workspace_is_watched_from_the_next_load_on(
    tmp_path: Path,
) -> None:
    made = Watching(tmp_path / "first", bent)
    scored(made.service)
    folder = tmp_path / "run"
    rows: Any = made.service.rows()
    write_workspace(folder, rows, made.service.store)
    shutil.copytree(tmp_path / "first" / "bundles", folder / "bundles")
    config = made.service.config.model_copy(update={"workspace": folder})
    store = Store.open(str(tmp_path / "store.sqlite"))
    stages = made.service.stages
    service = Service(config, store, stages)
    assert load(store, config) == (1, 3, 0)
    assert not service.choice.challengers()

    trained = {"ahu": made.champion}
    bundles = {"ahu": made.challenger}
    champions = read_champions(folder, trained)
    challenger = Challenger(bundles=bundles, rung="platt", since=0)
    champions = champions.noted("challenged", "test", challenger=challenger)
    write_champions(folder, champions)
    assert load(store, config) == (0, 3, 0)
    assert load(store, config) is None
    assert store.shadow_rows(most=9) == []
    service = Service(config, store, stages)
    assert service.choice.challengers() == {made.challenger}
    asks = [service.stored_ask(unit, store.assignments()) for unit in UNITS]
    both = Watched(made.champion, made.challenger)
    assert {ask.watched for ask in asks} == {both}
    off = config.model_copy(update={"shadow": ShadowConfig(keep_days=0)})
    assert not Service(off, store, stages).choice.challengers()

    rows = pa.Table.from_pylist(
        [
            {
                **{name: row[name] for name in KEYS},
                "challenger_risk": row["risk"] and row["risk"] / 2,
                "challenger_alarm": False,
                "challenger_id": name,
            }
            for row in rows
            for name in (made.challenger, "another")
        ]
    )
    write_parquet(
        rows, folder / "update/shadow" / str(date_of(LAST)) / "part-a.parquet"
    )
    load(store, config)
    pairs = store.shadow_rows(most=99)
    assert len(pairs) == 9
    assert all(row.challenger_risk == row.champion_risk / 2 for row in pairs)
    assert {row.challenger_id for row in pairs} == {made.challenger}
    assert {row.champion_alarm for row in pairs} == {0, 1}
    assert load(store, config) is None

    write_champions(folder, champions.promoted("by hand"))
    load(store, config)
    assert not Service(config, store, stages).choice.challengers()
    assert store.assignments() == {("", "ahu"): made.challenger}


def canary(folder: Path, service: Service, *facilities: str) -> None:
    """Let the challenger of a workspace speak in some facilities."""
    ((_, (champion, challenger)),) = watched_bundles(service.store).of_class.items()
    champions = read_champions(folder, {"ahu": champion})
    watched = Challenger(bundles={"ahu": challenger}, rung="platt", since=0)
    champions = champions.noted("challenged", "test", challenger=watched)
    write_champions(folder, champions.speaking_in(facilities, LAST, "test", {}))


def test_challenger_speaks_in_some_facilities_and_no_longer_after(
    tmp_path: Path,
) -> None:
    watching = Watching(tmp_path / "first", bent)
    made, store = watching.service, watching.service.store
    watching.score()
    folder = tmp_path / "run"
    rows: Any = made.rows()
    write_workspace(folder, rows, store)
    service = Service(
        made.config.model_copy(update={"workspace": folder}), store, made.stages
    )
    trained = {"ahu": watching.champion}
    canary(folder, service, "F2")
    load(store, service.config)
    assert store.assignments()["F2", "ahu"] == watching.challenger
    scored(service)
    speaking = {row["facility_id"]: row["bundle_id"] for row in service.rows()}
    assert speaking == {"F1": watching.champion, "F2": watching.challenger}
    count_canary(service)
    text = service_metrics.exposition().decode()
    assert "hvac_canary_facilities 1.0" in text
    with client_of(service) as client:
        assert client.get("/v1/shadow").json()["speaks_in"] == ["F2"]
        page = client.get("/monitors?lang=en").text
        assert (
            f"Since {date_of(LAST)} the challenger answers in some facilities first (1): F2"
            in page
        )
        assert "Only the risks of the one that serves" not in page
        japanese = client.get("/monitors?lang=ja").text
        assert "次の 1 施設では先行して" in japanese
        assert "候補モデルを一部の施設で先行運用" in japanese
    champions = read_champions(folder, trained)
    write_champions(folder, champions.rolled_back("test"))
    load(store, service.config)
    assert store.assignments() == {("", "ahu"): watching.champion}
    scored(service)
    assert {row["bundle_id"] for row in service.rows()} == {watching.champion}
    count_canary(service)
    assert "hvac_canary_facilities 0.0" in service_metrics.exposition().decode()


def test_bundle_given_to_a_facility_by_hand_outlasts_a_canary(tmp_path: Path) -> None:
    watching = Watching(tmp_path / "first", bent)
    made, store = watching.service, watching.service.store
    watching.score()
    folder = tmp_path / "run"
    rows: Any = made.rows()
    write_workspace(folder, rows, store)
    service = Service(
        made.config.model_copy(update={"workspace": folder}), store, made.stages
    )
    store.assign({("F1", "ahu"): "by-hand"})
    canary(folder, service, "F1", "F2")
    load(store, service.config)
    assert store.assignments()["F1", "ahu"] == "by-hand"
    champions = read_champions(folder, {"ahu": watching.champion})
    write_champions(folder, champions.promoted("test"))
    load(store, service.config)
    assert store.assignments() == {
        ("", "ahu"): watching.challenger, ("F1", "ahu"): "by-hand",
    }  # fmt: skip


# What is told


def row_of(facility: str, day: int, **facts: Any) -> ShadowRow:
    row = ShadowRow(
        facility, "E1", "", 30, day, 0.2, 0.4, 0.9, 0, 1, "a", "b", 4e9
    )  # fmt: skip
    return row._replace(**facts)


def test_summary_counts_alarms_by_one_and_not_the_other(tmp_path: Path) -> None:
    watching = Watching(tmp_path, bent)
    store = watching.service.store
    facts = {"champion_id": watching.champion, "challenger_id": watching.challenger}
    store.add_shadow(
        [
            row_of("F1", 20_000, **facts),
            row_of("F1", 20_001, shift=-0.5, **facts),
            row_of("F1", 20_002, champion_alarm=1, shift=0.2, **facts),
            row_of("F2", 20_003, champion_alarm=1, challenger_alarm=0, **facts),
            row_of("F2", 19_000),
        ]
    )
    with client_of(watching.service) as client:
        answer = client.get("/v1/shadow", params={"most": 2}).json()
        now, earlier = answer["summary"]
        assert (now["watched"], earlier["watched"]) == (True, False)
        assert (now["pairs"], now["equipment"]) == (4, 2)
        assert (now["champion_only"], now["challenger_only"], now["both"]) == (1, 2, 1)
        assert now["mean_log_odds_difference"] == pytest.approx(
            (0.9 - 0.5 + 0.2 + 0.9) / 4
        )
        assert (now["first_date"], now["last_date"]) == ("2024-10-04", "2024-10-07")
        assert [pair["end_date"] for pair in answer["pairs"]] == [
            "2024-10-07",
            "2024-10-06",
        ]
        assert answer["next"] == 3
        rest = client.get("/v1/shadow", params={"first": 3, "most": 3}).json()
        assert (len(rest["pairs"]), rest["next"]) == (3, None)
        of_1 = client.get("/v1/shadow", params={"facility_id": "F1"}).json()
        assert of_1["summary"][0]["pairs"] == len(of_1["pairs"]) == 3
        for language, words in (
            ("en", "Alarms of the challenger alone"),
            ("ja", "候補のみの警報"),
        ):
            page = client.get("/monitors", params={"lang": language}).text
            assert words in page
            assert "+0.38" in page
            cells = re.findall(r'class="num"[^>]*>([^<]+)</td>', page)
            assert cells == ["4", "+0.38", "1", "2", "1"]  # of those watched now


def test_key_of_a_facility_sees_its_own_pairs_only(tmp_path: Path) -> None:
    watching = Watching(tmp_path, bent)
    watching.service.store.add_shadow([row_of("F1", 1), row_of("F2", 1)])
    key = {"X-API-Key": make_key(watching.service.store, "one", facility_id="F1")}
    with client_of(watching.service, keys=True) as client:
        answer = client.get("/v1/shadow", headers=key).json()
        assert {pair["facility_id"] for pair in answer["pairs"]} == {"F1"}
        assert [one["pairs"] for one in answer["summary"]] == [1]
        other = client.get("/v1/shadow?facility_id=F2", headers=key)
        assert other.status_code == 404


def test_pairs_are_kept_for_so_many_days(tmp_path: Path) -> None:
    watching = Watching(tmp_path, bent)
    store = watching.service.store
    store.add_shadow([row_of("F9", 1, since=0.0)])
    assert "F9" not in {row.facility_id for row in watching.score()}
    assert store.shadow_rows(most=10)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[TestClient]:
    watching = Watching(tmp_path, bent)
    note_watched(watching.service.store, WorkspaceBundles({}, {}))
    with client_of(watching.service) as client:
        yield client


def test_page_says_nothing_without_a_challenger(plain: TestClient) -> None:
    assert "A challenger is watched" not in plain.get("/monitors?lang=en").text
    assert plain.get("/v1/shadow").json() == {
        "summary": [], "pairs": [], "speaks_in": [], "next": None,
    }  # fmt: skip
