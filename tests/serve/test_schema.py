"""Schema versions of the store: made, taken over from before Alembic, raised, refused; on both databases."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    DOUBLE_PRECISION,
    REAL,
    Column,
    MetaData,
    Text,
    inspect,
    select,
    text,
)

from hvac.errors import ConfigError
from hvac.panel.grid import Unit
from serve.memory import schema
from serve.memory.database import Database
from serve.memory.store import KeyRow, Store, UnitRow
from serve.memory.store_predictions import PastRisk
from serve.memory.store_tables import METADATA, VERSION_TABLE

# serve/store.sql as it was in schema 2, less the three tables that schema 1 had not
BOTH = """
CREATE TABLE IF NOT EXISTS units (
    facility_id TEXT, equipment_id TEXT, class TEXT NOT NULL, install_day INTEGER, version INTEGER NOT NULL,
    PRIMARY KEY (facility_id, equipment_id));
CREATE TABLE IF NOT EXISTS readings (
    facility_id TEXT, equipment_id TEXT, point_id TEXT, day INTEGER, value DOUBLE PRECISION NOT NULL,
    lower_limit DOUBLE PRECISION, upper_limit DOUBLE PRECISION, known_day INTEGER,
    PRIMARY KEY (facility_id, equipment_id, point_id, day));
CREATE TABLE IF NOT EXISTS events (
    facility_id TEXT, equipment_id TEXT, kind TEXT, start_day INTEGER, end_day INTEGER, point_id TEXT NOT NULL,
    PRIMARY KEY (facility_id, equipment_id, kind, start_day));
CREATE TABLE IF NOT EXISTS predictions (
    facility_id TEXT, equipment_id TEXT, point_id TEXT, horizon INTEGER, end_day INTEGER NOT NULL, status TEXT NOT NULL,
    risk DOUBLE PRECISION, alarm INTEGER NOT NULL, bundle_id TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (facility_id, equipment_id, point_id, horizon));
CREATE TABLE IF NOT EXISTS history (
    facility_id TEXT, equipment_id TEXT, point_id TEXT, horizon INTEGER, end_day INTEGER,
    risk DOUBLE PRECISION, alarm INTEGER NOT NULL, bundle_id TEXT NOT NULL,
    PRIMARY KEY (facility_id, equipment_id, point_id, horizon, end_day));
CREATE TABLE IF NOT EXISTS assignments (
    facility_id TEXT, class TEXT, bundle_id TEXT NOT NULL, since DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (facility_id, class));
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS api_keys (
    hashed TEXT PRIMARY KEY, name TEXT NOT NULL, facility_id TEXT NOT NULL, role TEXT NOT NULL);
INSERT INTO units VALUES ('F1', 'E1', 'ahu', 9000, 7), ('F1', 'E2', 'pump', NULL, 3);
INSERT INTO readings VALUES ('F1', 'E1', 'p', 19000, 20.5, 10.0, NULL, 19001);
INSERT INTO events VALUES ('F1', 'E1', 'failure', 18000, 18002, '');
INSERT INTO predictions VALUES ('F1', 'E1', '', 30, 19000, 'ok', 0.25, 1, 'b-1', '{"risk": 0.25}');
INSERT INTO history VALUES ('F1', 'E1', '', 30, 19000, 0.25, 1, 'b-1');
INSERT INTO assignments VALUES ('', 'ahu', 'b-1', 1.5);
INSERT INTO notes VALUES ('pushed ["F1", "E1"]', '');
INSERT INTO api_keys VALUES ('abc', 'plant', 'F1', 'push');
"""
ONLY_1 = """
CREATE TABLE stale (
    facility_id TEXT, equipment_id TEXT, since DOUBLE PRECISION NOT NULL, leased DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (facility_id, equipment_id));
INSERT INTO stale VALUES ('F1', 'E2', 1.0, 2.0);
INSERT INTO notes VALUES ('unscored F1 E1', 'whatever');
"""
ONLY_2 = """
CREATE TABLE IF NOT EXISTS waiting (
    facility_id TEXT, equipment_id TEXT, version BIGINT NOT NULL, since DOUBLE PRECISION NOT NULL,
    leased DOUBLE PRECISION NOT NULL, holder TEXT NOT NULL,
    PRIMARY KEY (facility_id, equipment_id));
CREATE TABLE IF NOT EXISTS scored (
    facility_id TEXT, equipment_id TEXT, version BIGINT NOT NULL,
    PRIMARY KEY (facility_id, equipment_id));
CREATE TABLE IF NOT EXISTS set_aside (
    facility_id TEXT, equipment_id TEXT, reason TEXT NOT NULL,
    PRIMARY KEY (facility_id, equipment_id));
INSERT INTO waiting VALUES ('F1', 'E2', 3, 1.0, 0, '');
INSERT INTO scored VALUES ('F1', 'E1', 7);
INSERT INTO set_aside VALUES ('F1', 'E2', 'because');
INSERT INTO notes VALUES ('schema', '2');
"""
NEW_SINCE_2: dict[str, list[Any]] = {
    name: []
    for name in (
        "episodes", "notices", "cases", "case_changes", "outcomes", "maintenance",
        "shadow", "records",
    )
}  # fmt: skip
NEWEST, LATER = "6", "7"
E1, E2 = Unit("F1", "E1"), Unit("F1", "E2")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return str(tmp_path / "s.sqlite")
    server: str = request.getfixturevalue("postgres")
    run_script(server, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return server


def run_script(url: str, script: str) -> None:
    """Run statements as somebody else than the service would."""
    if url.startswith("postgresql://"):
        import psycopg

        with psycopg.connect(url) as server:
            server.execute(script)
        return
    file = sqlite3.connect(url)
    file.executescript(script)
    file.close()


def rows_of(url: str) -> dict[str, list[Any]]:
    """All rows of all tables."""
    database = Database(url)
    with database.engine.connect() as connection:
        names = inspect(connection).get_table_names()
        rows = {
            name: connection.execute(text(f"SELECT * FROM {name}")).all()
            for name in names
        }
    database.close()
    return {name: sorted(map(tuple, some)) for name, some in rows.items()}


def is_other_type(
    _: object, __: object, ___: object, there: object, model: object
) -> bool | None:
    """SQLAlchemy reads SQLite's DOUBLE PRECISION as REAL, which is the same there; None lets Alembic compare."""
    return (
        False
        if isinstance(there, REAL) and isinstance(model, DOUBLE_PRECISION)
        else None
    )


def differences(url: str, *, nullable: bool = True) -> list[Any]:
    """What a migration would still have to change, so that the tables are those of serve/memory/store_tables.py."""
    database = Database(url)
    with database.engine.connect() as connection:
        opts = {"version_table": VERSION_TABLE, "compare_type": is_other_type}
        context = MigrationContext.configure(connection, opts=opts)
        changes = compare_metadata(context, schema.METADATA)
    database.close()
    if not nullable:
        changes = [change for change in changes if change[0][0] != "modify_nullable"]
    return changes


def test_empty_database_gets_the_newest_schema(url: str) -> None:
    store = Store.open(url)
    assert (store.units(), store.note("schema")) == ([], "2")
    store.close()
    assert rows_of(url)[VERSION_TABLE] == [(NEWEST,)]


def test_tables_are_those_that_the_migrations_make(url: str) -> None:
    Store.open(url).close()
    assert differences(url) == []


@pytest.mark.parametrize("only", [ONLY_1, ONLY_2])
def test_tables_taken_over_are_those_that_the_migrations_make(
    url: str, only: str
) -> None:
    run_script(url, BOTH + only)
    Store.open(url).close()
    assert (
        differences(url, nullable=url.startswith("postgresql")) == []
    )  # SQLite let keys be NULL


def test_store_of_schema_2_is_taken_over_with_every_row(url: str) -> None:
    run_script(url, BOTH + ONLY_2)
    before = rows_of(url)
    Store.open(url).close()
    assert rows_of(url) == {**before, **NEW_SINCE_2, VERSION_TABLE: [(NEWEST,)]}
    assert len(before) == len(METADATA.tables) - len(NEW_SINCE_2)
    assert all(before.values())


def test_store_of_schema_1_is_taken_over_with_every_row(url: str) -> None:
    run_script(url, BOTH + ONLY_1)
    before = rows_of(url)
    Store.open(url).close()
    after = rows_of(url)
    changed = ("notes", "stale")
    assert {name: after[name] for name in before if name not in changed} == {
        name: rows for name, rows in before.items() if name not in changed
    }
    assert "stale" not in after
    assert after["waiting"] == [("F1", "E2", 3, 1.0, 0.0, "")]
    assert after["notes"] == [('pushed ["F1", "E1"]', ""), ("schema", "2")]


@pytest.mark.parametrize("only", [ONLY_1, ONLY_2])
def test_store_taken_over_is_read_and_written(url: str, only: str) -> None:
    run_script(url, BOTH + only)
    store = Store.open(url)
    assert store.unit(E1) == UnitRow(*E1, "ahu", 9000, 7)
    assert store.readings(E1)["value"].to_pylist() == [20.5]
    assert store.events(E1) == [(*E1, "failure", 18000, 18002, "")]
    assert store.predictions() == [{"risk": 0.25}]
    assert store.recent(0, *E1) == [PastRisk(E1, 19000, "", 30, 0.25, True)]
    assert store.api_keys() == [KeyRow("abc", "plant", "F1", "push")]
    assert store.pushed() == {tuple(E1)}
    assert store.claim_stale(10) == [(E2, 3)]
    store.add(readings=[(*E1, "p", 19001, 21.5, None, None, None)])
    assert store.claim_stale(10) == [(E1, 8)]
    store.close()


def test_opening_again_changes_nothing(url: str) -> None:
    run_script(url, BOTH + ONLY_2)
    Store.open(url).close()
    before = rows_of(url)
    Store.open(url).close()
    assert rows_of(url) == before


@pytest.mark.parametrize(
    ("script", "number"),
    [
        ("CREATE TABLE units (a TEXT)", "unknown"),
        ("CREATE TABLE readings (what TEXT, ever TEXT)", "unknown"),
        (
            "CREATE TABLE notes (a TEXT, b TEXT); INSERT INTO notes VALUES ('schema', '2')",
            "unknown",
        ),
        (BOTH, "unknown"),
        (BOTH + ONLY_2 + "UPDATE notes SET value = '99' WHERE name = 'schema'", "99"),
        (
            BOTH + ONLY_2 + "UPDATE notes SET value = 'x' WHERE name = 'schema'",
            "unknown",
        ),
        (
            "CREATE TABLE store_schema (version_num TEXT); INSERT INTO store_schema VALUES ('99')",
            "99",
        ),
        ("CREATE TABLE store_schema (version_num TEXT)", "unknown"),
    ],
)
def test_other_schema_is_refused_and_left_as_it_is(
    url: str, script: str, number: str
) -> None:
    run_script(url, script)
    before = rows_of(url)
    with pytest.raises(
        ConfigError,
        match=f"^the store .* has schema {number}, and this version reads {NEWEST}: use ",
    ):
        Store.open(url)
    assert rows_of(url) == before


def test_table_of_other_columns_is_refused_and_left_as_it_is(url: str) -> None:
    run_script(url, f"{BOTH}{ONLY_2}ALTER TABLE events ADD COLUMN note TEXT;")
    before = rows_of(url)
    with pytest.raises(
        ConfigError, match=r"expected a table events of .*not written by this service"
    ):
        Store.open(url)
    assert rows_of(url) == before


def test_tables_of_others_in_the_database_are_left_alone(url: str) -> None:
    run_script(
        url,
        "CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('abc')",
    )
    Store.open(url).close()
    assert rows_of(url)["alembic_version"] == [("abc",)]


def test_many_open_an_empty_database_at_once(url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(Store.open, [url] * 6))
    assert [store.note("schema") for store in stores] == ["2"] * 6
    for store in stores:
        store.close()
    assert rows_of(url)[VERSION_TABLE] == [(NEWEST,)]


MIGRATION = f'''
"""Say at which site a unit stands."""

import sqlalchemy as sa
from alembic import op

revision = "{LATER}"
down_revision = "{NEWEST}"


def upgrade() -> None:
    op.add_column("units", sa.Column("site", sa.Text))
'''


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A later version of this package: one more file of migrations, and its column in the tables."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder)
    (folder / "versions" / f"schema_{LATER}.py").write_text(MIGRATION, encoding="utf-8")
    tables = MetaData()
    for table in METADATA.sorted_tables:
        table.to_metadata(tables)
    tables.tables["units"].append_column(Column("site", Text))
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    monkeypatch.setattr(schema, "METADATA", tables)
    yield
    monkeypatch.undo()


@pytest.mark.parametrize("before", ["", BOTH + ONLY_1, BOTH + ONLY_2])
@pytest.mark.usefixtures("later")
def test_column_is_added_by_one_more_file(url: str, before: str) -> None:
    run_script(url, before)
    store = Store.open(url)
    with store._database.engine.connect() as connection:
        sites = connection.execute(select(schema.METADATA.tables["units"].c.site)).all()
    store.close()
    assert [tuple(row) for row in sites] == [(None,)] * (2 if before else 0)
    assert rows_of(url)[VERSION_TABLE] == [(LATER,)]
    assert differences(url, nullable=url.startswith("postgresql") or not before) == []


def test_store_of_a_later_version_is_refused(
    url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(url).close()
    request.getfixturevalue("later")
    Store.open(url).close()
    monkeypatch.undo()
    with pytest.raises(
        ConfigError, match=f"has schema {LATER}, and this version reads {NEWEST}"
    ):
        Store.open(url)
