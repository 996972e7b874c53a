"""A bundle: saved whole, read only when whole, the same predictions in any batch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvac.decision.calibration import running_maximum
from hvac.errors import BundleError
from hvac.models.hybrid import Hybrid
from hvac.scoring.bundle import Bundle
from hvac.scoring.forecast import damped_quadratic, window_spread
from hvac.storage import place
from tests.models.models_example import (
    HORIZONS,
    bundle,
    departing,
    described,
    fit_family,
    fitted,
    packaged_encoder,
    recipe,
)


@pytest.fixture(scope="module")
def made() -> Bundle:
    return bundle()


@pytest.fixture(scope="module")
def saved(made: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.save(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved, tmp_path / "copy")
    return tmp_path / "copy"


def assert_equal(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


# Saved and read


@pytest.mark.parametrize("points", ["p", "abc"])
def test_saved_bundle_predicts_bit_for_bit_what_it_predicted(
    points: str, tmp_path: Path
) -> None:
    made = bundle(tuple(points))
    again = Bundle.load(made.save(tmp_path))
    fresh = described(30, points=len(points), seed=7)
    assert_equal(again.predict(fresh), made.predict(fresh))
    bare = replace(fresh, z_BCE=None)
    assert_equal(again.predict(bare), made.predict(bare))
    assert fresh.x_BCL is not None
    for horizon in HORIZONS:
        assert_equal(
            again.forecast(fresh.x_BCL, horizon), made.forecast(fresh.x_BCL, horizon)
        )


def test_bundle_on_s3_predicts_bit_for_bit_and_is_named_where_it_is_damaged(
    made: Bundle, s3: Callable[[str], str]
) -> None:
    folder = made.save(place(s3("bundles")) / "fleet")
    again, windows = Bundle.load(str(folder)), described(5, seed=7)
    assert_equal(again.predict(windows), made.predict(windows))
    assert (again.name, again.encoder.sha256) == (folder.name, made.encoder_sha256)
    (folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(BundleError, match=rf"^{folder}/model.safetensors is damaged"):
        Bundle.load(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(BundleError, match=rf"^{folder} is no bundle"):
        Bundle.load(folder)


def test_everything_needed_comes_back(made: Bundle, saved: Path) -> None:
    again = Bundle.load(saved)
    assert again.folder == saved
    for name in (
        "recipe",
        "decision",
        "encoder_config",
        "encoder_sha256",
        "training",
        "horizons",
        "id",
    ):
        assert getattr(again, name) == getattr(made, name), name
    assert again.model.config == made.model.config
    assert again.band.keys() == made.band.keys()
    assert again.encoder.sha256 == packaged_encoder().sha256


def test_bundle_needs_nothing_outside_its_folder(copied: Path) -> None:
    """Moved elsewhere under another name, with its own copy of the encoder."""
    moved = copied.rename(copied.with_name("設備 bundle"))
    again = Bundle.load(str(moved))
    fresh = replace(described(5, seed=7), z_BCE=None)
    assert_equal(again.predict(fresh), bundle().predict(fresh))


def test_folder_holds_json_and_safetensors_and_no_pickle(saved: Path) -> None:
    files = {
        file.relative_to(saved).as_posix()
        for file in saved.rglob("*")
        if file.is_file()
    }
    assert files >= {
        "manifest.json",
        "model.safetensors",
        "encoder/config.json",
        "encoder/model.safetensors",
    }
    assert {Path(name).suffix for name in files} == {".json", ".safetensors"}


def test_manifest_names_every_other_file_with_its_hash(saved: Path) -> None:
    manifest = json.loads((saved / "manifest.json").read_text(encoding="utf-8"))
    files = {
        file.relative_to(saved).as_posix()
        for file in saved.rglob("*")
        if file.is_file()
    }
    assert set(manifest["files"]) == files - {"manifest.json"}
    assert manifest["id"] == saved.name
    assert manifest["family"] == "hybrid"


def test_saving_leaves_nothing_half_made_beside_the_bundle(
    made: Bundle, tmp_path: Path
) -> None:
    first, second = made.save(tmp_path), made.save(tmp_path)
    assert first == second
    assert [path.name for path in tmp_path.iterdir()] == [made.id]
    Bundle.load(second)


def test_whoever_may_read_the_manifest_may_read_the_weights(saved: Path) -> None:
    """Trained by one account, served by another: every file follows the umask."""
    modes = {
        file.relative_to(saved).as_posix(): file.stat().st_mode & 0o777
        for file in saved.rglob("*.*")
    }
    assert set(modes.values()) == {modes["manifest.json"]}, modes


# Its name


def test_equal_training_gives_an_equal_id() -> None:
    fitted.cache_clear()
    one = bundle()
    fitted.cache_clear()
    two = bundle()
    assert one.model is not two.model
    assert one.id == two.id
    assert one.id.startswith("ahu-")


def test_id_depends_on_weights_decision_recipe_band_and_training(made: Bundle) -> None:
    state = {name: array.copy() for name, array in made.model.state().items()}
    state["network.layers_8_bias"][1] += 1e-3
    nudged = Hybrid.restore(made.model.config, state, packaged_encoder)
    thresholds = (
        made.decision.thresholds[0]._replace(value=0.123),
        *made.decision.thresholds[1:],
    )
    others = [
        replace(made, model=nudged),
        replace(made, decision=replace(made.decision, thresholds=thresholds)),
        replace(made, recipe=replace(made.recipe, points=("q",))),
        replace(made, band={**made.band, 30: made.band[30] * 2}),
        replace(made, training={"rows": 201}),
        replace(made, encoder_sha256="0" * 64),
    ]
    assert len({made.id, *(other.id for other in others)}) == 1 + len(others)


# Predictions


def test_prediction_has_a_rising_risk_a_threshold_and_an_alarm_per_horizon(
    made: Bundle,
) -> None:
    fresh = described(80, seed=7)
    found = made.predict(fresh)
    assert (
        found.score_BH.shape == found.risk_BH.shape == found.alarm_BH.shape == (80, 3)
    )
    assert ((found.risk_BH > 0) & (found.risk_BH < 1)).all()
    np.testing.assert_array_equal(found.risk_BH, running_maximum(found.risk_BH))
    reached_BH = found.risk_BH >= found.threshold_BH
    np.testing.assert_array_equal(
        found.alarm_BH, np.logical_or.accumulate(reached_BH, axis=1)
    )
    np.testing.assert_allclose(found.score_BH, made.model.score(fresh), atol=1e-6)


@pytest.mark.parametrize("with_embedding", [True, False])
def test_one_window_alone_is_predicted_as_in_a_batch_and_in_any_order(
    made: Bundle, with_embedding: bool
) -> None:
    fresh = (
        described(60, seed=7)
        if with_embedding
        else replace(described(60, seed=7), z_BCE=None)
    )
    together, order = made.predict(fresh), np.random.default_rng(0).permutation(60)
    shuffled = made.predict(fresh.take(order))
    np.testing.assert_allclose(shuffled.risk_BH, together.risk_BH[order], atol=1e-6)
    alone_BH = np.concatenate(
        [made.predict(fresh.take(np.array([b]))).risk_BH for b in range(60)]
    )
    np.testing.assert_allclose(alone_BH, together.risk_BH, atol=1e-6)


def test_kept_embedding_predicts_what_the_values_predict(made: Bundle) -> None:
    fresh = described(60, seed=7)
    from_values = made.predict(replace(fresh, z_BCE=None))
    from_cache = made.predict(replace(fresh, x_BCL=None))
    np.testing.assert_allclose(from_values.score_BH, from_cache.score_BH, atol=1e-6)
    np.testing.assert_allclose(from_values.risk_BH, from_cache.risk_BH, atol=1e-6)


def test_prediction_leaves_its_windows_alone(made: Bundle) -> None:
    fresh = replace(described(10, seed=7), z_BCE=None)
    before = [np.array(a) for a in (fresh.x_BCL, fresh.f_BCF)]
    made.predict(fresh)
    assert fresh.z_BCE is None
    assert_equal((fresh.x_BCL, fresh.f_BCF), tuple(before))


def test_prediction_knows_neither_labels_nor_context(made: Bundle) -> None:
    fresh = described(10, seed=7)
    blind = replace(fresh, y_BH=None, known_BH=None, k_BK=None, persistence_B=None)
    assert_equal(made.predict(blind), made.predict(fresh))


def test_no_windows_give_no_predictions(made: Bundle) -> None:
    found = made.predict(described(5, seed=7).take(np.array([], int)))
    assert found.risk_BH.shape == found.alarm_BH.shape == (0, 3)


def test_statistics_only_bundle_needs_no_embedding_and_no_values(made: Bundle) -> None:
    train, tune = described(100, seed=1), described(100, seed=2)
    lean = replace(
        made, model=fit_family("hybrid", train, tune, inputs=("features",), epochs=1)
    )
    found = lean.predict(replace(described(5, seed=7), z_BCE=None, x_BCL=None))
    assert np.isfinite(found.risk_BH).all()


@pytest.mark.parametrize("without", [("z_BCE", "x_BCL"), ("f_BCF",)])
def test_windows_that_lack_what_is_needed_are_refused_in_one_sentence(
    made: Bundle, without: tuple[str, ...]
) -> None:
    with pytest.raises(BundleError) as caught:
        made.predict(replace(described(3, seed=7), **dict.fromkeys(without)))
    assert "\n" not in str(caught.value)


def test_windows_of_another_number_of_points_are_refused_with_both_numbers(
    made: Bundle,
) -> None:
    with pytest.raises(BundleError, match=r"1 points.*2"):
        made.predict(described(3, points=2, seed=7))


def test_another_encoder_than_that_of_training_is_refused(made: Bundle) -> None:
    stranger = replace(
        made, encoder_config=made.encoder_config.replace(source="random")
    )
    with pytest.raises(BundleError, match="not those of training"):
        stranger.predict(replace(described(3, seed=7), z_BCE=None))


# Forecast


def test_forecast_is_the_damped_quadratic_with_its_band_in_window_spreads() -> None:
    made, x_BCL = bundle(("a", "b", "c")), described(4, points=3, seed=7).x_BCL
    assert x_BCL is not None
    for horizon in HORIZONS:
        value_BCD, low_BCD, high_BCD = made.forecast(x_BCL, horizon)
        assert value_BCD.shape == low_BCD.shape == high_BCD.shape == (4, 3, horizon)
        for c in range(3):
            np.testing.assert_allclose(
                value_BCD[:, c], damped_quadratic(x_BCL[:, c], horizon)
            )
            half_BD = made.band[horizon][c] * window_spread(x_BCL[:, c])
            np.testing.assert_allclose(high_BCD[:, c] - value_BCD[:, c], half_BD)
            np.testing.assert_allclose(value_BCD[:, c] - low_BCD[:, c], half_BD)


def test_forecast_without_a_calibrated_band_has_a_value_and_no_band(
    made: Bundle,
) -> None:
    x_BCL = described(2, seed=7).x_BCL
    assert x_BCL is not None
    value_BCD, low_BCD, high_BCD = replace(made, band={}).forecast(x_BCL, 30)
    assert np.isfinite(value_BCD).all()
    assert np.isnan([low_BCD, high_BCD]).all()


# Not whole


def load_refused(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        Bundle.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def test_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    assert "manifest.json" in load_refused(tmp_path)
    assert "manifest.json" in load_refused(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "name", ["model.safetensors", "encoder/model.safetensors", "encoder/config.json"]
)
def test_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    message = load_refused(copied)
    assert name in message
    assert "missing" in message


@pytest.mark.parametrize(
    "name", ["model.safetensors", "encoder/model.safetensors", "encoder/config.json"]
)
@pytest.mark.parametrize(
    "harm",
    [
        lambda raw: raw[:-7],
        lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
        lambda raw: b"",
    ],
)
def test_damaged_file_is_named(
    copied: Path, name: str, harm: Callable[[bytes], bytes]
) -> None:
    (copied / name).write_bytes(harm((copied / name).read_bytes()))
    message = load_refused(copied)
    assert name in message
    assert "damaged" in message


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"format": 1},
        {"format": None},
        {"family": "oracle"},
        {"family": None},
        {"family": []},
    ],
    ids=["99", "1", "none", "fam", "no", "list"],
)
def test_unknown_format_or_family_is_refused_with_what_is_known(
    copied: Path, change: dict[str, Any]
) -> None:
    manifest = json.loads((copied / "manifest.json").read_text(encoding="utf-8"))
    (copied / "manifest.json").write_text(
        json.dumps(manifest | change), encoding="utf-8"
    )
    message = load_refused(copied)
    assert "hybrid" in message
    assert str(next(iter(change.values()))) in message


@pytest.mark.parametrize("config", [{"seed": 0, "layers": 3}, {"dropout": "much"}])
def test_setting_of_another_version_is_refused_with_its_name(
    copied: Path, config: dict[str, Any]
) -> None:
    manifest = json.loads((copied / "manifest.json").read_text(encoding="utf-8"))
    (copied / "manifest.json").write_text(
        json.dumps(manifest | {"config": config}), encoding="utf-8"
    )
    assert list(config)[-1] in load_refused(copied)


def cut_short(text: bytes) -> bytes:
    return text[: len(text) // 2]


def not_text(text: bytes) -> bytes:
    return b"\xff\xfe\xfa" + text


def emptied(text: bytes) -> bytes:
    return b""


def a_list(text: bytes) -> bytes:
    return b"[]"


def only_its_head(text: bytes) -> bytes:
    return b'{"format": 2, "family": "hybrid"}'


def another_kind_of_files(text: bytes) -> bytes:
    return json.dumps(json.loads(text) | {"files": None}).encode()


def without_recipe(text: bytes) -> bytes:
    return json.dumps(
        {name: value for name, value in json.loads(text).items() if name != "recipe"}
    ).encode()


@pytest.mark.parametrize(
    "harm",
    [
        cut_short,
        not_text,
        emptied,
        a_list,
        only_its_head,
        another_kind_of_files,
        without_recipe,
    ],
)
def test_damaged_manifest_is_refused(
    copied: Path, harm: Callable[[bytes], bytes]
) -> None:
    (copied / "manifest.json").write_bytes(
        harm((copied / "manifest.json").read_bytes())
    )
    load_refused(copied)


def test_recipe_width_is_one_by_point_and_the_number_of_points_by_equipment() -> None:
    assert recipe(("a", "b")).width == 2
    assert recipe(("a", "b"), by="point").width == 1
    found = bundle(("a", "b"), by="point").predict(described(3, seed=7))
    assert found.risk_BH.shape == (3, 3)


def test_decisions_of_facilities_are_kept_and_part_of_the_id(tmp_path: Path) -> None:
    made, plain = departing("F1"), bundle()
    again = Bundle.load(made.save(tmp_path))
    assert again.decision == made.decision
    assert made.id != plain.id
    found, before, windows_B = (
        again.predict(described()),
        plain.predict(described()),
        described().column("facility_id"),
    )
    np.testing.assert_array_equal(
        (found.risk_BH > before.risk_BH).all(axis=1), windows_B == "F1"
    )


@pytest.mark.parametrize(
    "name", ["AHU/外調機", "../../escape", "x" * 128, ".", "a b\\c"]
)
def test_class_of_any_name_is_kept_inside_the_folder(
    made: Bundle, name: str, tmp_path: Path
) -> None:
    folder = replace(made, recipe=replace(made.recipe, class_name=name)).save(
        tmp_path / "bundles"
    )
    assert folder.parent == tmp_path / "bundles"
    assert (Bundle.load(folder).recipe.class_name, Bundle.load(folder).name) == (
        name,
        folder.name,
    )
