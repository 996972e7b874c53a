"""Updates of a real workspace: challenge, shadow, promotion, roll-back; refusals in a sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from hvac.casework.told_outcomes import read_outcomes
from hvac.days import date_of
from hvac.errors import BundleError, HvacError, InputError
from hvac.features.table import Windows
from hvac.models.fusion import FusionConfig
from hvac.panel.registry import Registry
from hvac.report.workspace_summary import workspace_lines
from hvac.scoring.bundle import Bundle
from hvac.storage import write_parquet
from hvac.update import promotion_gate
from hvac.update.bends import Bend
from hvac.update.bent_bundle import bent_bundle
from hvac.update.champions import Challenger, read_champions, write_champions
from hvac.update.ladder import LINES, Rung, climb
from ray_jobs import describe, evaluate, rollback, score, train, update
from ray_jobs.renew import challenging, steering
from ray_jobs.renew.matured_rows import read_matured
from ray_jobs.renew.retrained import read_retrained
from ray_jobs.run.records import TrainRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, workspace_of
from ray_jobs.tables.windows_table import read_windows
from tests.ray_jobs.conftest import copy_of


@pytest.fixture
def run(finished: tuple[RunConfig, Path], tmp_path: Path) -> Iterator[RunConfig]:
    """A copy of the finished run, scored."""
    config, folder = finished
    shutil.copytree(folder, tmp_path / "run")
    copy = config.model_copy(update={"workspace": tmp_path / "run"})
    score.run(copy)
    return copy


def updated(config: RunConfig, **section: Any) -> dict[str, Any]:
    changed = config.update.model_copy(update=section)
    return update.run(config.model_copy(update={"update": changed}))


def bent_challenger(config: RunConfig, bend: Bend, since: int = 0) -> Workspace:
    """Let bent bundles of all classes be the challenger, as if they had won."""
    workspace = workspace_of(config)
    trained = workspace.record(TrainRecord).bundles
    bundles = {
        name: bent_bundle(Bundle.load(workspace.bundles / bundle), bend, "test", since)
        .save(workspace.bundles)
        .name
        for name, bundle in trained.items()
    }
    lines = dict.fromkeys(bundles, bend)
    challenger = Challenger(bundles=bundles, rung="platt", since=since, lines=lines)
    champions = read_champions(workspace.root, trained)
    write_champions(
        workspace.root, champions.noted("challenged", "test", challenger=challenger)
    )
    return workspace


def windows_of(workspace: Workspace, bundle: Bundle) -> Windows:
    columns = tuple(bundle.needs)
    return read_windows(workspace.windows, bundle.recipe, ("test",), columns)


@pytest.mark.parametrize(
    "bend", [Bend(0.8, 0.5), Bend(1.2, 0.3, {30: -1.5, 60: -1.0, 90: -0.5})]
)
def test_bent_bundle_gives_bent_risks_and_the_same_alarms(
    run: RunConfig, bend: Bend
) -> None:
    workspace = workspace_of(run)
    for name in workspace.record(TrainRecord).bundles.values():
        bundle = Bundle.load(workspace.bundles / name)
        other = bent_bundle(bundle, bend, "test", 0)
        slope_H, shift_H = np.array(
            [bend.line(horizon) for horizon in bundle.horizons]
        ).T
        saved = Bundle.load(other.save(workspace.bundles))
        saved.check()
        windows = windows_of(workspace, bundle)
        before, after = bundle.predict(windows), saved.predict(windows)
        odds = [np.log(p.risk_BH / (1 - p.risk_BH)) for p in (before, after)]
        # an isotonic calibrator is linear between its points, in risk and not in log-odds
        bent_BH = np.maximum.accumulate(slope_H * odds[0] + shift_H, axis=1)
        np.testing.assert_allclose(odds[1], bent_BH, atol=0.02)
        assert (before.alarm_BH != after.alarm_BH).mean() < 0.002
        assert bundle.certainty is not None
        assert saved.certainty is not None
        bands = [
            c.bands.around(p.risk_BH)
            for c, p in ((bundle.certainty, before), (saved.certainty, after))
        ]
        # draws that cross are raised, after the turn other ones than before it
        horizons = slice(0, 1) if bend.about else slice(None)
        for low_or_high in (0, 1):
            odds = [np.log(b[low_or_high] / (1 - b[low_or_high])) for b in bands]
            line_BH = slope_H * odds[0] + shift_H
            np.testing.assert_allclose(
                odds[1][:, horizons], line_BH[:, horizons], atol=0.03
            )


def test_update_leaves_what_serves_and_says_why(run: RunConfig) -> None:
    told = updated(run, judged_days=30)
    scores = told["figures"]["scores"]
    assert set(scores) == {"none", *LINES}
    gains = [score["less_loss"] for score in scores.values() if score["less_loss"]]
    surely_better = any(low > 0 for _, low, _ in gains)
    assert (told["action"] == "kept") == (not surely_better)
    workspace = workspace_of(run)
    trained = workspace.record(TrainRecord).bundles
    assert told["champion"] == trained
    (row,) = read_champions(workspace.root, trained).history
    assert row.why == told["why"]
    assert 0 == told["figures"]["found_on_visits"] < told["figures"]["onsets"]


def test_decision_tells_how_many_onsets_only_visits_found(
    run: RunConfig, tmp_path: Path
) -> None:
    registry = Registry.load(workspace_of(run).panel)
    day = date_of(registry.days[1] - 40)  # in the horizon of the newest known labels
    ids = registry.units.select(["facility_id", "equipment_id"]).to_pylist()
    hits = [f"{one['facility_id']},{one['equipment_id']},hit,{day}" for one in ids]
    file = tmp_path / "outcomes.csv"
    file.write_text("\n".join(["facility_id,equipment_id,code,date", *hits]))
    plain = updated(run, judged_days=30)["figures"]
    (workspace_of(run).root / "champions.json").unlink()  # look again, not watch
    with_outcomes = run.model_copy(update={"outcomes": str(file)})
    told = updated(with_outcomes, judged_days=30)["figures"]
    most = plain["onsets"] + told["found_on_visits"]  # but those visited the same day
    assert plain["onsets"] < told["onsets"] <= most


def test_too_few_known_events_are_told_with_the_setting(run: RunConfig) -> None:
    with pytest.raises(
        InputError, match=r"onsets were known.*lower update.judged_days"
    ):
        updated(run, judged_days=100_000)


def test_challenger_is_watched_then_promoted_and_rolled_back_to_the_same_bits(
    run: RunConfig,
) -> None:
    workspace = bent_challenger(run, Bend(1.0, 0.4))
    trained = workspace.record(TrainRecord).bundles
    latest = workspace.root / "latest.parquet"
    before = latest.read_bytes()
    told = updated(run, shadow_days=100_000)
    assert (told["action"], told["champion"]) == ("kept", trained)
    assert told["shadow"] is None  # nothing was scored since there is a challenger
    score.run(run)
    assert latest.read_bytes() == before  # one of the two speaks
    told = updated(run, shadow_days=100_000)["shadow"]
    shadow = pq.read_table(workspace.root / "update" / "shadow").to_pandas()
    shadow = shadow[shadow["risk"].notna()]
    assert told["pairs"] == len(shadow) > 0
    assert told["higher"] == pytest.approx(0.4, abs=0.02)
    assert told["alarms_added"] <= len(shadow) * 0.002
    assert (shadow["challenger_risk"] > shadow["risk"]).all()
    assert "update.promote=true" in updated(run)["why"]
    told = updated(run, promote=True)
    assert told["action"] == "promoted"
    assert set(told["champion"].values()).isdisjoint(trained.values())
    score.run(run)
    assert latest.read_bytes() != before
    assert not (workspace.root / "update" / "shadow").exists()
    rows = pq.read_table(latest).to_pylist()
    assert {row["bundle_id"] for row in rows} == set(told["champion"].values())
    report = (workspace.root / "report.html").read_text(encoding="utf-8")
    assert "no longer as they were trained" in report
    assert "The models were changed: by hand" in report
    assert rollback.run(run)["champion"] == trained
    score.run(run)
    assert latest.read_bytes() == before
    history = read_champions(workspace.root, trained).history
    assert [row.action for row in history] == [
        "challenged", "kept", "kept", "kept", "promoted", "rolled_back",
    ]  # fmt: skip


def test_description_names_the_bundles_that_serve(run: RunConfig) -> None:
    workspace = bent_challenger(run, Bend(1.0, 0.4))
    champion = updated(run, promote=True)["champion"]
    lines = "".join(workspace_lines(describe.run(workspace, {}), {}))
    assert all(bundle_id in lines for bundle_id in champion.values())
    rollback.run(run)
    lines = "".join(workspace_lines(describe.run(workspace, {}), {}))
    assert not any(bundle_id in lines for bundle_id in champion.values())


def test_managed_update_promotes_by_itself_after_the_shadow(run: RunConfig) -> None:
    bent_challenger(run, Bend(1.0, 0.4))
    assert updated(run, managed=True)["action"] == "promoted"


def test_promoted_bundles_without_a_matured_label_say_when_the_first_comes(
    run: RunConfig,
) -> None:
    bent_challenger(run, Bend(1.0, 0.4))
    updated(run, promote=True)
    with pytest.raises(InputError, match=r"the first labels of \d+ days mature on"):
        updated(run)


def test_workspace_without_kept_scores_says_when_the_first_label_comes(
    run: RunConfig,
) -> None:
    root = Path(run.workspace)
    (root / "predictions.parquet").unlink()
    shutil.rmtree(root / "scores")
    with pytest.raises(
        InputError, match=r"no label of the serving bundles has matured"
    ):
        updated(run)
    told = updated(run, alarms_per_unit_year=1.0)
    assert (told["action"], told["why"]) == (
        "kept", "thresholds stay: too few days were scored",
    )  # fmt: skip


def test_ready_windows_of_the_predecessor_are_refused(tmp_path: Path) -> None:
    config = RunConfig(
        name="old",
        workspace=tmp_path,
        splits={"kind": "equipment"},
        source={"readings": "windows.csv", "format": "seed"},
        windows={"normalise": "none", "horizons": [30, 60, 90], "lookback": 90},
    )  # type: ignore[arg-type]
    with pytest.raises(InputError, match="so no label matures"):
        update.run(config)


def test_challenger_of_another_table_is_refused(run: RunConfig) -> None:
    workspace = bent_challenger(run, Bend(1.0, 0.4))
    trained = workspace.record(TrainRecord).bundles
    champions = read_champions(workspace.root, trained)
    assert champions.challenger is not None
    names = [*champions.challenger.bundles.values()]
    wrong = dict(zip(trained, names[::-1], strict=True))
    other = champions.challenger.model_copy(update={"bundles": wrong})
    write_champions(workspace.root, champions.model_copy(update={"challenger": other}))
    with pytest.raises(InputError, match="looks at another table than"):
        updated(run, promote=True)


def test_model_trained_on_the_days_that_decide_is_refused(
    run: RunConfig, tmp_path: Path
) -> None:
    other = tmp_path / "anew"
    shutil.copytree(run.workspace, other)
    file = other / "steps" / "featurize.json"
    record = json.loads(file.read_text())
    record["borders"]["t2"] += 10_000
    file.write_text(json.dumps(record))
    with pytest.raises(
        InputError, match=r"it learned until .* train it on earlier days"
    ):
        updated(run, retrained=other, judged_days=30)


@pytest.mark.parametrize("kind", ["equipment", "facility"])
def test_model_that_other_units_taught_those_days_is_refused(
    run: RunConfig, tmp_path: Path, kind: str
) -> None:
    """Where units are split, T2 is no border: windows of training end on all days."""
    other = tmp_path / "anew"
    shutil.copytree(run.workspace, other)
    file = other / "steps" / "featurize.json"
    record = json.loads(file.read_text())
    record["asked"]["splits"]["kind"] = kind
    file.write_text(json.dumps(record))
    parts = [*(other / "windows").glob("class=*/part-*.parquet")]
    for part in parts:
        table = pq.read_table(part)
        place = table.column_names.index("split")
        learned = pa.array(["train"] * len(table))
        pq.write_table(table.set_column(place, "split", learned), part)
    last = max(max(pq.read_table(p)["end_date"].to_pylist()) for p in parts)
    with pytest.raises(InputError, match=f"it learned until {last}, and"):
        updated(run, retrained=other, judged_days=30)


def test_same_model_trained_anew_beats_nothing(run: RunConfig, tmp_path: Path) -> None:
    shutil.copytree(run.workspace, tmp_path / "anew")
    told = updated(run, retrained=tmp_path / "anew", judged_days=30)
    scores = told["figures"]["scores"]
    assert scores["retrained"]["log_loss"] == scores["none"]["log_loss"]
    assert scores["retrained"]["less_loss"][1] <= 0
    challenger = read_champions(Path(run.workspace), {}).challenger
    assert challenger is None or challenger.rung != "retrained"


def test_nothing_to_roll_back_is_told(run: RunConfig) -> None:
    with pytest.raises(HvacError, match="nothing to roll back to"):
        rollback.run(run)


def test_every_roll_back_takes_one_more_change_back(run: RunConfig) -> None:
    trained = workspace_of(run).record(TrainRecord).bundles
    moved = updated(run, judged_days=30, alarms_per_unit_year=0.01)
    assert moved["action"] == "thresholds"
    bent_challenger(run, Bend(1.0, 0.4))
    assert updated(run, promote=True)["action"] == "promoted"
    assert rollback.run(run)["champion"] == moved["champion"]
    assert rollback.run(run)["champion"] == trained
    with pytest.raises(HvacError, match="nothing to roll back to"):
        rollback.run(run)


def test_new_training_serves_whatever_was_promoted_before(run: RunConfig) -> None:
    workspace = bent_challenger(run, Bend(1.0, 0.4))
    updated(run, promote=True)
    anew = {"ahu": "ahu-000000000000"}
    assert read_champions(workspace.root, anew).champion == anew
    assert read_champions(workspace.root, anew).history


def test_damaged_file_is_told_in_a_sentence(run: RunConfig) -> None:
    (Path(run.workspace) / "champions.json").write_text('{"trained": 1}')
    with pytest.raises(InputError, match=r"champions.json is damaged"):
        updated(run)


def test_thresholds_move_a_small_step_towards_the_declared_alarms(
    run: RunConfig,
) -> None:
    workspace = workspace_of(run)
    trained = workspace.record(TrainRecord).bundles
    told = updated(run, judged_days=30, alarms_per_unit_year=0.01)
    assert told["action"] == "thresholds"
    assert set(told["champion"]) == set(trained)
    moved = set()
    for name, bundle_id in told["champion"].items():
        before = Bundle.load(workspace.bundles / trained[name])
        after = Bundle.load(workspace.bundles / bundle_id)
        for facility, facts in after.training["thresholds_moved"].items():  # type: ignore[union-attr]
            moved.add(facility)
            ends = [
                np.log(t / (1 - t))
                for t in (
                    before.decision.facilities.get(
                        facility, before.decision
                    ).threshold_H,
                    after.decision.facilities[facility].threshold_H,
                )
            ]
            shift = ends[1] - ends[0]
            np.testing.assert_allclose(shift, shift[0], atol=1e-6)
            assert 0 < shift[0] <= 0.1 + 1e-9
            assert facts["why"] == "too_many"
    assert moved
    assert rollback.run(run)["champion"] == trained


def test_thresholds_move_once_in_28_days_and_then_on_from_where_they_are(
    run: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"judged_days": 30, "alarms_per_unit_year": 0.01}
    first = updated(run, **asked)
    again = updated(run, **asked)
    assert (again["action"], again["champion"]) == ("kept", first["champion"])
    assert "they moved in the last 28 days" in again["why"]
    monkeypatch.setattr(steering, "STEP_DAYS", -1)
    later = updated(run, **asked)
    assert later["action"] == "thresholds"
    for facility, step in later["figures"].items():
        before = first["figures"][facility]
        assert step["rate_before"] == pytest.approx(before["rate_after"])


def test_a_facility_with_few_scored_days_keeps_its_thresholds(run: RunConfig) -> None:
    latest = workspace_of(run).root / "predictions.parquet"
    rows = pq.read_table(latest)
    last = Registry.load(workspace_of(run).panel).days[1]
    newest = pc.greater(rows["end_date"], pa.scalar(date_of(last - 20)))
    write_parquet(rows.filter(newest), latest)
    told = updated(run, judged_days=30, alarms_per_unit_year=0.01)
    assert (told["action"], told["why"]) == (
        "kept", "thresholds stay: too few days were scored",
    )  # fmt: skip


def test_challenger_that_is_a_line_is_promoted_with_the_thresholds_of_then(
    run: RunConfig,
) -> None:
    workspace = bent_challenger(run, Bend(1.0, 0.4))
    steered = updated(run, shadow_days=100_000, alarms_per_unit_year=0.01)
    assert steered["action"] == "thresholds"
    told = updated(run, promote=True, alarms_per_unit_year=0.01)
    assert told["action"] == "promoted"  # without a label of the steered bundles
    for name, bundle_id in told["champion"].items():
        promoted = Bundle.load(workspace.bundles / bundle_id)
        moved = Bundle.load(workspace.bundles / steered["champion"][name])
        facts = moved.training["thresholds_moved"]
        assert promoted.training["thresholds_moved"] == facts
        assert "steered_from" not in promoted.training


def test_promotion_without_a_challenger_is_told(run: RunConfig) -> None:
    with pytest.raises(HvacError, match="there is no challenger to promote"):
        updated(run, promote=True)


def test_challenger_of_other_settings_is_scored_on_windows_of_its_own(
    run: RunConfig,
) -> None:
    """A model trained anew may know other rates of events: its windows are described by its recipe."""
    workspace = workspace_of(run)
    trained = workspace.record(TrainRecord).bundles
    bundles = {}
    for name, bundle_id in trained.items():
        bundle = Bundle.load(workspace.bundles / bundle_id)
        context = bundle.recipe.context
        rates = {kind: 2 * rate for kind, rate in context.rates.items()}
        recipe = replace(bundle.recipe, context=replace(context, rates=rates))
        other = replace(bundle, recipe=recipe, folder=None, golden={}, manifest={})
        bundles[name] = other.save(workspace.bundles).name
    champions = read_champions(workspace.root, trained)
    challenger = Challenger(
        bundles=bundles, rung="retrained", since=0, trained_in=str(workspace.root)
    )
    noted = champions.noted("challenged", "test", challenger=challenger)
    write_champions(workspace.root, noted)
    score.run(run)
    pairs = pq.read_table(workspace.root / "update" / "shadow").to_pylist()
    assert {row["challenger_id"] for row in pairs} == set(bundles.values())
    ok = [row for row in pairs if row["risk"] is not None]
    assert all(row["challenger_risk"] is not None for row in ok)


def test_managed_challenger_that_later_labels_speak_against_is_set_aside(
    run: RunConfig,
) -> None:
    workspace = bent_challenger(run, Bend(1.0, 3.0))
    trained = workspace.record(TrainRecord).bundles
    told = updated(run, managed=True)
    assert (told["action"], told["champion"]) == ("refused", trained)
    assert told["challenger"] is None
    assert told["figures"]["since"]["less_loss"][2] < 0


def test_labels_that_were_known_when_it_was_chosen_are_not_looked_at_again(
    run: RunConfig,
) -> None:
    last = Registry.load(workspace_of(run).panel).days[1]
    bent_challenger(run, Bend(1.0, 3.0), since=last)
    told = updated(run, managed=True, shadow_days=0)
    assert told["action"] == "promoted"
    assert "hold 0 onsets, too few" in told["why"]


def test_risks_of_an_update_on_windows_it_was_fitted_on_do_not_count(
    run: RunConfig,
) -> None:
    """`score` may score past windows again, of which an update knew the labels."""
    workspace = workspace_of(run)
    last = Registry.load(workspace.panel).days[1]
    (Path(run.workspace) / "predictions.parquet").unlink()
    for since, anything in ((last, False), (last - 60, True)):
        bent_challenger(run, Bend(1.0, 0.4), since=since)
        champion = updated(run, promote=True)["champion"]
        past = run.model_copy(
            update={"score": run.score.model_copy(update={"days": 150, "again": True})}
        )
        score.run(past)
        matured = read_matured(run, workspace, champion, Registry.load(workspace.panel))
        assert bool(len(matured.unit_N)) == anything
        assert (matured.known_from_N > since).all()
        rollback.run(run)


def test_model_trained_anew_without_common_scores_is_told(
    run: RunConfig, tmp_path: Path
) -> None:
    anew = tmp_path / "anew"
    shutil.copytree(run.workspace, anew)
    (anew / "predictions.parquet").unlink()
    with pytest.raises(InputError, match=r"anew: it scored none of the windows since"):
        updated(run, retrained=anew, judged_days=30)


def test_roll_back_to_a_bundle_that_is_gone_changes_nothing(run: RunConfig) -> None:
    workspace = bent_challenger(run, Bend(1.0, 0.4))
    updated(run, promote=True)
    shutil.rmtree(
        workspace.bundles / min(workspace.record(TrainRecord).bundles.values())
    )
    before = (workspace.root / "champions.json").read_bytes()
    with pytest.raises(BundleError, match="is no bundle"):
        rollback.run(run)
    assert (workspace.root / "champions.json").read_bytes() == before


def test_alert_of_a_monitor_freezes_thresholds(run: RunConfig) -> None:
    workspace = workspace_of(run)
    day = Registry.load(workspace.panel).days[1]
    rows = {"monitor": ["data"], "day": [date_of(day - 3)], "alert": [True]}
    write_parquet(pa.table(rows), workspace.root / "monitor" / "alerts.parquet")
    told = updated(run, judged_days=30, alarms_per_unit_year=0.01)
    assert told["action"] == "kept"
    assert "the monitor of data alerted on" in told["why"]
    for cause, action in (("alarm", "kept"), ("visit", "thresholds")):
        known = pa.table({**rows, "cause": [cause]})
        write_parquet(known, workspace.root / "monitor" / "alerts.parquet")
        told = updated(run, judged_days=30, alarms_per_unit_year=0.01)
        assert told["action"] == action


def test_lost_challenger_stops_no_score_and_is_set_aside(
    run: RunConfig, caplog: pytest.LogCaptureFixture
) -> None:
    workspace = bent_challenger(run, Bend(1.0, 0.4))
    trained = workspace.record(TrainRecord).bundles
    champions = read_champions(workspace.root, trained)
    assert champions.challenger is not None
    for bundle_id in champions.challenger.bundles.values():
        shutil.rmtree(workspace.bundles / bundle_id)
    score.run(run)
    assert "the challenger is not watched today" in caplog.text
    speaking = champions.speaking_in(("F001",), 0, "test", {})
    write_champions(workspace.root, speaking)
    with pytest.raises(BundleError, match=r"speaks in F001.*ray_jobs.rollback"):
        score.run(run)
    assert rollback.run(run)["champion"] == trained
    score.run(run)
    write_champions(workspace.root, champions)
    told = updated(run)
    assert (told["action"], told["challenger"]) == ("rolled_back", None)
    assert "set aside" in told["why"]


# Parts of a fusion fitted again


FUSION = FusionConfig(
    blocks={
        "line": {"family": "logistic_full", "strengths": (0.1,)},
        "forest": {"family": "et_full", "trees": 10},
    },
    folds=2,
)


@pytest.fixture(scope="module")
def fused(
    finished: tuple[RunConfig, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunConfig, Path]:
    """The small fleet with a fusion, scored; nobody may change it."""
    folder = tmp_path_factory.mktemp("fused") / "run"
    copy = copy_of(finished, folder, upto="featurize", model=FUSION)
    for step in (train, evaluate, score):
        step.run(copy)
    return copy, folder


@pytest.fixture
def fusion_run(fused: tuple[RunConfig, Path], tmp_path: Path) -> RunConfig:
    config, folder = fused
    shutil.copytree(folder, tmp_path / "run")
    return config.model_copy(update={"workspace": tmp_path / "run"})


def test_parts_of_a_fusion_are_candidates_and_leave_out_no_window(
    fusion_run: RunConfig,
) -> None:
    plain = updated(fusion_run, judged_days=30, refit=False)["figures"]
    told = updated(fusion_run, judged_days=30)["figures"]
    assert set(told["scores"]) == {*plain["scores"], "weights", "forests"}
    assert told["windows"] == plain["windows"]
    assert told["scores"]["none"]["log_loss"] == plain["scores"]["none"]["log_loss"]


@pytest.mark.parametrize("winner", ["weights", "forests"])
def test_refit_challenger_serves_what_it_was_compared_with_and_steers_along(
    fusion_run: RunConfig, winner: Rung, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate is held open, so that parts fitted again win on a fleet without drift."""
    real = climb
    monkeypatch.setattr(
        challenging, "climb", lambda *a, **k: real(*a, **k)._replace(winner=winner)
    )
    monkeypatch.setattr(promotion_gate, "_refusal", lambda *_: "")
    told = updated(fusion_run, judged_days=30)
    assert told["action"] == "challenged"
    workspace = workspace_of(fusion_run)
    trained = workspace.record(TrainRecord).bundles
    for name, bundle_id in told["challenger"].items():
        challenger = Bundle.load(workspace.bundles / bundle_id)
        challenger.check()
        serving = Bundle.load(workspace.bundles / trained[name])
        windows = windows_of(workspace, serving)
        before, after = serving.predict(windows), challenger.predict(windows)
        assert (before.risk_BH != after.risk_BH).any()
        same_blocks = all(
            np.array_equal(array, challenger.model.state()[key])
            for key, array in serving.model.state().items()
            if key.startswith("block.")
        )
        assert same_blocks == (winner == "weights")
        assert serving.model.config == challenger.model.config
    score.run(fusion_run)
    steered = updated(fusion_run, shadow_days=100_000, alarms_per_unit_year=0.01)
    assert steered["action"] == "thresholds"
    for name, bundle_id in steered["challenger"].items():
        facts = Bundle.load(workspace.bundles / bundle_id).training["thresholds_moved"]
        serving = Bundle.load(workspace.bundles / steered["champion"][name])
        assert set(facts) == set(serving.training["thresholds_moved"])  # type: ignore[arg-type]
    champions = read_champions(workspace.root, trained)
    assert champions.challenger is not None
    early = champions.challenger.model_copy(update={"since": 0})
    write_champions(workspace.root, champions.model_copy(update={"challenger": early}))
    again = updated(fusion_run, shadow_days=0)["figures"]["since"]
    assert again["onsets"] >= 20
    assert updated(fusion_run, promote=True)["action"] == "promoted"


def test_windows_of_another_recipe_are_not_fitted_again(fusion_run: RunConfig) -> None:
    file = Path(fusion_run.workspace) / "windows" / "recipes.json"
    recipes = json.loads(file.read_text())
    for recipe in recipes.values():
        recipe["points"] = recipe["points"][::-1]
    file.write_text(json.dumps(recipes))
    told = updated(fusion_run, judged_days=30)
    assert set(told["figures"]["scores"]) == {"none", *LINES}


def test_class_of_another_recipe_keeps_all_its_rows(fusion_run: RunConfig) -> None:
    file = Path(fusion_run.workspace) / "windows" / "recipes.json"
    recipes = json.loads(file.read_text())
    first = recipes[min(recipes)]
    first["points"] = first["points"][::-1]
    file.write_text(json.dumps(recipes))
    told = updated(fusion_run, judged_days=30)["figures"]
    plain = updated(fusion_run, judged_days=30, refit=False)["figures"]
    assert (told["windows"], told["units"]) == (plain["windows"], plain["units"])
    assert {"weights", "forests"} <= set(told["scores"])


def test_too_few_windows_with_features_leave_the_lines_as_they_are(
    fusion_run: RunConfig, caplog: pytest.LogCaptureFixture
) -> None:
    """Of most classes no window is in the table: lines are compared on all rows all the same."""
    workspace = workspace_of(fusion_run)
    plain = updated(fusion_run, judged_days=30, refit=False)["figures"]
    for part in Path(str(workspace.windows)).glob("class=*/part-*.parquet"):
        table = pq.read_table(part)
        kept = pc.not_equal(table["split"], "test")
        pq.write_table(table.filter(kept), part)
    told = updated(fusion_run, judged_days=30)["figures"]
    assert told == plain
    assert "onsets known by" in caplog.text


def test_thresholds_are_not_steered_while_a_challenger_speaks_in_some_facilities(
    run: RunConfig,
) -> None:
    workspace = bent_challenger(run, Bend(1.0, 0.4))
    trained = workspace.record(TrainRecord).bundles
    champions = read_champions(workspace.root, trained)
    last = Registry.load(workspace.panel).days[1]
    write_champions(workspace.root, champions.speaking_in(("F001",), last, "test", {}))
    told = updated(run, alarms_per_unit_year=0.01)
    assert (told["action"], told["champion"]) == ("kept", trained)


def test_what_visits_found_is_laid_over_the_labels(
    finished: tuple[RunConfig, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, _ = finished
    workspace = workspace_of(run)
    registry = Registry.load(workspace.panel)
    champion = workspace.record(TrainRecord).bundles
    plain = read_matured(run, workspace, champion, registry)
    calm = np.flatnonzero(~plain.onset_N & ~plain.alarm_N)[0]
    facility, equipment, _ = plain.unit_N[calm].split("\x1f")
    day = date_of(int(plain.end_day_N[calm]) + 1)
    lines = [
        "facility_id,equipment_id,code,date,who",
        f"{facility},{equipment},的中,{day},佐藤",
        f"{facility},gone,hit,{day},",
        f"{facility},{equipment},splendid,{day},",
        f"{facility},{equipment},nothing_found,{day},Suzuki",
    ]
    file = tmp_path / "outcomes.csv"
    file.write_text("\n".join(lines))
    config = run.model_copy(update={"outcomes": str(file)})
    caplog.set_level("INFO")
    told = read_matured(config, workspace, champion, registry)
    found = told.found_N & told.onset_N
    days = told.end_day_N[found]
    assert found.any()
    assert set(told.unit_N[found]) == {plain.unit_N[calm]}
    assert (days <= plain.end_day_N[calm]).all()
    assert (days + told.horizon_N[found] > plain.end_day_N[calm]).all()
    assert told.onset_N.sum() == plain.onset_N.sum() + found.sum()
    assert f"visits found {found.sum()} onsets" in caplog.text
    assert "line 4" in caplog.text
    assert "splendid" in caplog.text
    assert f"1 machines that have no readings were left out, such as {facility} gone" in caplog.text  # fmt: skip


def test_alarms_of_a_model_trained_anew_leave_no_window_out(
    finished: tuple[RunConfig, Path], tmp_path: Path
) -> None:
    """They brought no visit; without the windows, its false alarms would be seen by nobody."""
    run, _ = finished
    workspace = workspace_of(run)
    registry = Registry.load(workspace.panel)
    champions = read_champions(workspace.root, workspace.record(TrainRecord).bundles)
    plain = read_matured(run, workspace, champions.champion, registry)
    alarm = np.flatnonzero(plain.alarm_N)[0]
    facility, equipment, _ = plain.unit_N[alarm].split("\x1f")
    day = date_of(int(plain.end_day_N[alarm]) + 1)
    file = tmp_path / "outcomes.csv"
    told = f"{facility},{equipment},inspected,{day}"
    file.write_text(f"facility_id,equipment_id,code,date\n{told}\n")
    config = run.model_copy(update={"outcomes": str(file)})
    served = read_matured(config, workspace, champions.champion, registry)
    assert len(served.unit_N) < len(plain.unit_N)
    anew = read_retrained(config, workspace.root, champions, registry)
    assert len(anew.rows.unit_N) == len(plain.unit_N)
    rows = served.where(anew.offer(served, 1)[1])
    assert len(rows.unit_N) == len(served.unit_N)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no such file"),
        ("a,b\n1,2\n", "has no column equipment_id"),
        ("unit,code,date\nA,hit,2024-01-02\n", "has no column facility_id"),
        ("case,facility,code,date\n1,F,hit,2024-01-02\n", "has no column equipment_id"),
    ],
)
def test_table_of_outcomes_that_cannot_be_read_is_told_with_its_setting(
    finished: tuple[RunConfig, Path],
    tmp_path: Path,
    content: str | None,
    sentence: str,
) -> None:
    file = tmp_path / "outcomes.csv"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=rf"outcomes .*outcomes.csv: .*{sentence}"):  # fmt: skip
        read_outcomes(str(file), Registry.load(workspace_of(finished[0]).panel))


def test_outcomes_of_a_running_service_are_to_be_fetched_before(
    finished: tuple[RunConfig, Path],
) -> None:
    registry = Registry.load(workspace_of(finished[0]).panel)
    url = "https://hvac.example/v1/outcomes?format=csv"
    with pytest.raises(InputError, match=r"fetch it before: curl .*-o outcomes.csv"):
        read_outcomes(url, registry)
