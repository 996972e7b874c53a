"""A damaged bundle is refused in a sentence, whatever is wrong with it, and harms no other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hvac.errors import BundleError, ConfigError, InputError
from hvac.scoring.bundle import Bundle
from serve.graph.stages import LocalStages
from serve.load import load
from serve.memory.step_records import trained_bundles
from serve.memory.store import Store
from serve.service import Service
from serve.settings import ServeConfig
from tests.models.models_example import bundle, departing
from tests.serve.damaged_bundles import damaged, damages, older, signed, text_of
from tests.serve.serve_example import UNITS, client_of, scored, service_of

SHARE = 6  # of so many damages one is tried here, all in `make hostile`


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return scored(service_of(tmp_path_factory.mktemp("damaged")))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


@pytest.fixture
def sound(service: Service) -> Path:
    return next(
        Path(path)
        for path in service.config.bundle_folder.glob("ahu-*")
        if path.name != "ahu-damaged"
    )


def test_damaged_bundles_are_refused_with_a_sentence(
    client: TestClient, sound: Path
) -> None:
    wrong = {}
    every = damages(
        sound, {"another seed": bundle(seed=5), "two points": bundle(("a", "b"))}
    )
    chosen = [
        name
        for n, name in enumerate(every)
        if n % SHARE == 0 or not name.startswith("(")
    ]
    for name in chosen:
        folder = damaged(sound, every[name])
        told = client.post(f"/v1/models/{folder.name}/promote")
        if (
            told.status_code not in (404, 422)
            or str(sound.parent) in told.text
            or "\n" in told.json()["error"]
        ):
            wrong[name] = (told.status_code, told.text[:200])
    shutil.rmtree(sound.with_name("ahu-damaged"))
    assert not wrong, f"{len(wrong)} of {len(chosen)}: {next(iter(wrong.items()))}"


def test_sound_bundle_is_promoted_also_with_its_keys_in_another_order_or_from_an_older_version(
    client: TestClient, sound: Path
) -> None:
    def reordered(text: str) -> str:
        return json.dumps(dict(reversed(json.loads(text).items())), sort_keys=False)

    for change in (text_of(reordered), older(lambda _: None), signed):
        folder = damaged(sound, change)
        told = client.post(
            f"/v1/models/{folder.name}/promote", json={"facility_id": "F9"}
        )
        assert told.status_code == 200, told.text
    shutil.rmtree(sound.with_name("ahu-damaged"))


def test_bundle_carries_few_windows_and_stays_small(sound: Path) -> None:
    found = Bundle.load(sound)
    assert len(found.golden["x_BCL"]) == 3
    assert (sound / "golden.safetensors").stat().st_size < 100_000
    found.check()


def test_calibration_of_a_facility_of_its_own_is_looked_at_too(tmp_path: Path) -> None:
    folder = departing("F2").save(tmp_path)
    Bundle.load(folder).check()
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["decision"]["facilities"]["F2"]["calibrators"][0]["intercept"] = 0.0
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError, match="golden"):
        Bundle.load(folder).check()


def test_damaged_bundles_in_the_folder_keep_no_service_from_starting_and_are_listed(
    tmp_path: Path,
) -> None:
    made = scored(service_of(tmp_path))
    (good,) = made.config.bundle_folder.iterdir()
    every = damages(good, {})
    for n, name in enumerate(
        ["weights nan", "no files", "deep", "zeros", "a list", "manifest is a folder"]
    ):
        damaged(good, every[name]).rename(good.with_name(f"aaa-{n}"))
    again = Service(made.config, made.store, LocalStages(made.config.bundle_folder, 4))
    with client_of(again) as client:
        listed = client.get("/v1/models").json()["models"]
        assert (
            sum("damaged" in each for each in listed) == 5
        )  # nan weights are found on promotion
        assert str(tmp_path) not in str(listed)
        asked = {
            "facility_id": UNITS[0].facility_id,
            "equipment_id": UNITS[0].equipment_id,
        }
        assert client.post("/v1/predict", json={"units": [asked]}).status_code == 200
        assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"bundles": null}',
        '{"bundles": {"ahu": 1}}',
        '{"bundles": ["ahu"]}',
        "\xff",
    ],
)
def test_damaged_record_of_training_is_told_in_a_sentence(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "train.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="damaged"):
        trained_bundles(tmp_path / "train.json")


@pytest.mark.parametrize("text", ["{", "[]", '{"parts": 1}', "null"])
def test_damaged_note_of_what_was_loaded_counts_as_none(
    tmp_path: Path, text: str
) -> None:
    from tests.serve.test_app import write_workspace

    made = scored(service_of(tmp_path / "first"))
    write_workspace(tmp_path / "run", made.rows(), made.store)
    config = ServeConfig(workspace=tmp_path / "run")
    store = Store.open(config.store_url)
    store.remember("loaded", text)
    found = load(store, config)
    assert found is not None
    assert found.parts == 1


@pytest.mark.parametrize(
    "given",
    [
        {"bundles": [{}]},
        {"bundles": 1},
        {"bundles": [{"class": 1, "bundle_id": "a"}]},
        3,
    ],
)
def test_wrong_user_config_is_told_in_a_sentence(
    service: Service, given: object
) -> None:
    with pytest.raises(ConfigError, match="user_config"):
        service.declare(given)  # type: ignore[arg-type]
