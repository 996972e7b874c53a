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
    hashed TEXT PRIMARY KEY, name TEXT NOT NULL, facility_id TEXT NOT NULL, role TEXT NOT NULL)
