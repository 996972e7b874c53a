"""Other inputs, and bad ones: one clear sentence, or a counted, explained exclusion."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from hvac.errors import ConfigError, HvacError, InputError, SplitError
from hvac.simulate.fleet import simulate
from hvac.simulate.simulate_config import SimulateConfig
from ray_jobs import evaluate, featurize, ingest, score, train
from ray_jobs.run.command import root_of
from ray_jobs.run.run_config import RunConfig, load_run
from tests.simulate.inspection_csv import write_inspection_csv

DAYS = 700
START = dt.date(2021, 1, 1)


def series(
    unit: str, point: str, values: np.ndarray, *, first: int = 0
) -> pd.DataFrame:
    dates = [START + dt.timedelta(days=first + i) for i in range(len(values))]
    return pd.DataFrame(
        {
            "facility_id": "F",
            "equipment_id": unit,
            "point_id": point,
            "date": dates,
            "value": values,
        }
    )


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Healthy units beside one with 10 readings, one constant, one whose point vanishes, and strange rows."""
    folder, rng = tmp_path_factory.mktemp("messy"), np.random.default_rng(0)
    parts = []
    for i in range(6):
        parts += [series(f"u{i}", point, rng.normal(size=DAYS)) for point in ("a", "b")]
    parts += [series("short", point, rng.normal(size=10)) for point in ("a", "b")]
    parts += [series("constant", point, np.full(DAYS, 21.3)) for point in ("a", "b")]
    parts += [
        series("vanishing", "a", rng.normal(size=DAYS)),
        series("vanishing", "b", rng.normal(size=200)),
    ]
    parts += [series("u0", "rare", rng.normal(size=DAYS))]
    readings = pd.concat(parts).astype({"value": object})
    readings = pd.concat([readings, readings.iloc[[5]]])
    readings.iloc[7, 4], readings.iloc[8, 4], readings.iloc[9, 4] = (
        "broken",
        "inf",
        "欠測",
    )
    readings.to_csv(folder / "readings.csv", index=False)
    starts = [START + dt.timedelta(days=d) for d in (300, 420, 500, 600, 650, 690)]
    events = pd.DataFrame({"facility_id": "F", "equipment_id": [*(f"u{i}" for i in range(5)), "nobody"],
                           "kind": "failure", "start": starts})  # fmt: skip
    events.to_csv(folder / "events.csv", index=False)
    return {
        "readings": str(folder / "readings.csv"),
        "events": str(folder / "events.csv"),
        "min_matching": 0.8,
    }


def test_messy_record_is_counted_and_nothing_is_lost(
    ray: None, run_config: Callable[..., RunConfig], messy: dict[str, Any]
) -> None:
    config = run_config(
        simulate=None, source=messy, windows={"class": "all", "train_stride": 7}
    )
    found = ingest.run(config)
    assert found.rows_read == found.readings + found.missing + 2
    assert found.rejected == {
        "text_in_value": 1,
        "infinite_value": 1,
        "unknown_equipment": 1,
    }
    assert found.missing == 1
    assert found.repeated_unit_days == 1
    assert found.dropped_points == {"all": ["rare"]}
    rejects = pd.read_csv(config.workspace / "rejects.csv", encoding="utf-8-sig")
    assert set(rejects["found"]) == {"broken", "inf", "F/nobody"}
    made = featurize.run(config)
    assert made.left_out["learning"] > 0
    windows = pd.concat(
        pd.read_parquet(f)
        for f in (config.workspace / "windows").glob("class=*/part-*")
    )
    assert "short" not in set(windows["equipment_id"])
    assert {"constant", "vanishing"} <= set(windows["equipment_id"])
    vectors = np.stack(windows["features"].to_list())
    assert np.isfinite(vectors).all()
    assert np.isfinite(np.stack(windows["embedding"].to_list())).all()
    vanished = windows[(windows["equipment_id"] == "vanishing")]
    assert vanished["observed"].min() == pytest.approx(0.5)


def test_horizon_longer_than_the_record_is_refused_with_a_split_that_fits(
    ray: None, run_config: Callable[..., RunConfig], messy: dict[str, Any]
) -> None:
    config = run_config(
        simulate=None, source=messy, windows={"class": "all", "horizons": [30, 2000]}
    )
    ingest.run(config)
    with pytest.raises(
        SplitError, match=r"too short for that: use splits\.kind: equipment"
    ):
        featurize.run(config)


def test_event_kind_that_no_event_has_is_named(
    ray: None, run_config: Callable[..., RunConfig], messy: dict[str, Any]
) -> None:
    config = run_config(
        simulate=None,
        source=messy,
        windows={"class": "all"},
        labels={"events": ["breakdown"]},
    )
    ingest.run(config)
    with pytest.raises(
        InputError,
        match=r"labels\.events names breakdown; the event log has only failure",
    ):
        featurize.run(config)


def test_error_inside_a_task_keeps_its_sentence(
    ray: None, run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    file = tmp_path / "readings.csv"
    file.write_text("設備,値\n", encoding="cp932")
    config = run_config(
        simulate=None, source={"readings": str(file), "encoding": "utf-8"}
    )
    with pytest.raises(Exception) as caught:
        ingest.run(config)
    told = root_of(caught.value)
    assert isinstance(told, InputError)
    assert "cp932" in str(told)
    assert str(file) in str(told)


def test_unknown_config_key_is_named_with_its_neighbour(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "name: x\nworkspace: y\nsimulate: {}\nwindows: {train_strid: 3}\n",
        encoding="utf-8",
    )
    with pytest.raises(
        ConfigError,
        match="unknown key 'train_strid' in WindowConfig: did you mean 'train_stride'",
    ):
        load_run(file)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("windows.horizons", [60, 30, 90], "each horizon longer than the one before"),
        ("windows.horizons", [0, 30], "days above 0"),
        (
            "labels.events",
            ["failure", "failure"],
            "failure stands there twice; name each once",
        ),
        ("compare.seeds", [1, 1], "1 stands there twice"),
        ("compare.kinds", ["failure", "failure"], "failure stands there twice"),
        ("compare.name", "../mine", "it names a file"),
        ("compare.models", [{"gbdt_28": {"trees": 9}}], "holds names only"),
        ("compare.models", ["gbdt_28", "gbdt_28"], "stands in the list twice"),
        ("compare.models", {"gbdt_28": {"seed": 7}}, "gbdt_28.seed has no say here"),
        ("tune.space", {"trees": {"choice": [5, 5]}}, "a value stands there twice"),
        (
            "tune.space",
            {"l2": {"uniform": [0.1, float("inf")]}},
            "two finite numbers, found 0.1 and inf",
        ),
        (
            "evaluate.baselines",
            ["gbdt28"],
            "unknown model family 'gbdt28': did you mean 'gbdt_28'?",
        ),
        ("seed", -1, "greater than or equal to 0 (found '-1')"),
        ("tune.seed", 2**32, "less than 4294967296"),
        ("ray.num_cpus", 0, "greater than or equal to 1"),
        ("model.gbdt_28.seed", -1, "greater than or equal to 0"),
    ],
)
def test_setting_that_makes_no_sense_is_told_with_its_file_and_the_whole_way_to_it(
    tmp_path: Path, key: str, value: Any, told: str
) -> None:
    sections = {
        "compare": {"models": ["gbdt_28"], "default": "gbdt_28"},
        "tune": {"space": {"trees": {"int": [1, 9]}}},
        "model": {"family": "gbdt_28"},
    }
    settings: dict[str, Any] = {
        "name": "x",
        "workspace": str(tmp_path),
        "simulate": {},
        **sections,
    }
    section, last = key.split(".")[0], key.split(".")[-1]
    settings[section] = (
        value if section == last else {**sections.get(section, {}), last: value}
    )
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with pytest.raises(ConfigError) as refusal:
        load_run(file)
    assert str(refusal.value).startswith(f"{file}: RunConfig is not valid: {key}")
    assert told in str(refusal.value)


def test_step_before_its_time_says_what_to_run_first(
    ray: None, run_config: Callable[..., RunConfig]
) -> None:
    with pytest.raises(
        HvacError,
        match=r"step 'ingest' has not been run here: python -m ray_jobs\.ingest",
    ):
        featurize.run(run_config())


def test_inspection_csv_in_cp932_goes_through(
    ray: None, run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    fleet = simulate(
        SimulateConfig(
            facilities=1, equipment_per_class=4, classes=("pump",), days=900, seed=2
        )
    )
    write_inspection_csv(fleet, tmp_path / "点検.csv")
    source = {"format": "inspection", "readings": str(tmp_path / "点検.csv")}
    labels = {"source": "limits"}
    config = run_config(
        simulate=None,
        source=source,
        labels=labels,
        windows={"train_stride": 7, "class": "each"},
    )
    found = ingest.run(config)
    assert found.rejected == {}
    assert found.missing > 0
    assert found.equipment == 4
    made = featurize.run(config)
    (counts,) = made.windows.values()
    assert counts["train"].windows > 0


def test_odd_names_and_spellings_go_through_every_step(
    ray: None, run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """A facility and classes with slashes, one that leads out of the folder, kinds and ids spelled in several ways."""
    fleet = simulate(
        SimulateConfig(
            facilities=1,
            equipment_per_class=6,
            classes=("pump", "ahu"),
            days=700,
            seed=2,
        )
    )
    tables = {
        name: getattr(fleet, name).to_pandas()
        for name in ("readings", "events", "equipment")
    }
    for table in tables.values():
        table["facility_id"] = "本社/北館"
    tables["equipment"]["class"] = tables["equipment"]["class"].map(
        {"pump": "../../escape", "ahu": "AHU/外調機"}
    )
    events = tables["events"]
    events["kind"] = [
        kind.upper() if n % 2 else kind for n, kind in enumerate(events["kind"])
    ]
    events["equipment_id"] = [
        each.lower() if n % 3 else each for n, each in enumerate(events["equipment_id"])
    ]
    source = {}
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        source[name] = str(tmp_path / f"{name}.csv")
    (tmp_path / "runs").mkdir()
    quick = {
        "ablation": False,
        "replicates": 100,
        "baselines": ["base_rate"],
        "forecast_windows": 20,
    }
    windows = {"train_stride": 14}
    config = run_config(workspace=tmp_path / "runs" / "odd", simulate=None, source=source, evaluate=quick,
                        windows=windows, model={"family": "logistic_28"})  # fmt: skip
    told = ingest.run(config).warnings
    assert len(told) == 2, told
    assert "written otherwise" in told[0]
    assert "kinds written in several ways" in told[1]
    for step in (featurize, train, evaluate, score):
        step.run(config)
    latest = pd.read_parquet(config.workspace / "latest.parquet")
    assert set(latest["class"]) == {"../../escape", "AHU/外調機"}
    assert latest["risk"].notna().any()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["odd"]


def test_readings_without_any_value_are_refused(
    ray: None, run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    file = tmp_path / "readings.csv"
    file.write_text(
        "facility_id,equipment_id,point_id,date,value\nF,e,p,2024-01-01,欠測\nF,e,p,2024-01-02,-\n"
    )
    with pytest.raises(
        InputError,
        match=r"2 rows were read, and none holds a value: correct source\.columns",
    ):
        ingest.run(run_config(simulate=None, source={"readings": str(file)}))


def test_log_without_events_is_told_as_it_is(
    ray: None, run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    table = series("E", "p", np.arange(DAYS))
    table.loc[3, "date"] = dt.date(2042, 3, 1)
    table.to_csv(tmp_path / "readings.csv", index=False)
    (tmp_path / "events.csv").write_text("facility_id,equipment_id,kind,start\n")
    source = {"readings": str(tmp_path / "readings.csv")}
    for more, told in (({"events": str(tmp_path / "events.csv")}, "the event log has no events"),
                       ({}, r"source\.events is not set")):  # fmt: skip
        config = run_config(simulate=None, source=source | more)
        assert "readings are dated after tomorrow" in ingest.run(config).warnings[0]
        with pytest.raises(InputError, match=f"^{told}: .*set labels.source: limits"):
            featurize.run(config)


def test_points_are_pooled_by_point_and_joined_into_their_equipment(
    ray: None, run_config: Callable[..., RunConfig]
) -> None:
    fleet = {
        "facilities": 2,
        "equipment_per_class": 6,
        "classes": ["pump"],
        "days": 1000,
        "seed": 4,
    }
    windows = {"by": "point", "class": "all", "train_stride": 21}
    labels = {"source": "limits"}
    quick = {
        "ablation": False,
        "replicates": 100,
        "baselines": ["base_rate", "gbdt_28"],
        "forecast_windows": 20,
    }
    model = {"family": "logistic_28"}
    config = run_config(
        simulate=fleet, windows=windows, labels=labels, evaluate=quick, model=model
    )
    for step in (ingest, featurize, train, evaluate, score):
        step.run(config)
    metrics = json.loads((config.workspace / "metrics.json").read_text())
    predictions = pd.read_parquet(config.workspace / "predictions.parquet")
    test = predictions[
        (predictions["split"] == "test") & (predictions["horizon"] == 30)
    ]
    known = test.groupby(["equipment_id", "end_date"])["observed"].all()
    assert metrics["models"]["logistic_28"]["30"]["windows"]["value"] == known.sum()
    ranking = pd.read_csv(config.workspace / "latest_ranking.csv", encoding="utf-8-sig")
    assert len(ranking) == 12
    assert ranking["point that moved most"].notna().all()


def test_seed_format_goes_through_with_units(
    ray: None, run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for unit in range(24):
        for week in range(12):
            hot = rng.random() < 0.3
            values = rng.normal(size=90) + hot * np.linspace(0, 3, 90)
            labels = {f"label_{h}d": int(hot) for h in (30, 60, 90)}
            date = (START + dt.timedelta(days=7 * week)).isoformat()
            rows.append(
                {
                    "equipment_id": f"e{unit}",
                    "end_date": date,
                    "values_sequence": str(values.tolist()),
                    **labels,
                }
            )
    pd.DataFrame(rows).to_csv(tmp_path / "seed.csv", index=False)
    source = {"format": "seed", "readings": str(tmp_path / "seed.csv")}
    quick = {
        "ablation": False,
        "replicates": 100,
        "baselines": ["base_rate", "logistic_28"],
        "forecast_windows": 20,
    }
    config = run_config(simulate=None, source=source, windows={"class": "all", "normalise": "none"},
                        splits={"kind": "equipment"}, evaluate=quick)  # fmt: skip
    for step in (ingest, featurize, train, evaluate, score):
        step.run(config)
    metrics = json.loads((config.workspace / "metrics.json").read_text())
    assert sum(
        metrics["windows"][s]["windows"] for s in ("train", "tune", "cal", "test")
    ) == len(rows)
    assert metrics["models"]["hybrid"]["30"]["roc_auc"]["value"] > 0.7


def test_seed_format_needs_settings_that_fit_it() -> None:
    with pytest.raises(ConfigError, match="normalise: none"):
        RunConfig(name="x", workspace="y", source={"format": "seed", "readings": "z"})
