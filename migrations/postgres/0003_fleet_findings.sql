-- Causes that hit many computers at once: one finding, its members held until a person says that it is fixed.

CREATE TABLE fleet_findings (
    id TEXT NOT NULL PRIMARY KEY,
    cause TEXT NOT NULL,
    confidence TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value TEXT NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('open', 'marked_fixed', 'canary', 'resumed', 'closed')),
    since_at TIMESTAMPTZ,
    change_at TIMESTAMPTZ,
    change_event TEXT,
    change_actor TEXT,
    change_target TEXT,
    evidence TEXT NOT NULL,
    affected BIGINT NOT NULL,
    computers BIGINT NOT NULL,
    held BIGINT NOT NULL,
    released BIGINT NOT NULL,
    managed BIGINT NOT NULL,
    opened_at TIMESTAMPTZ NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL,
    reopened_at TIMESTAMPTZ,
    marked_by TEXT,
    marked_at TIMESTAMPTZ,
    closed_at TIMESTAMPTZ
);
CREATE INDEX fleet_findings_by_phase ON fleet_findings (phase);

-- Everybody who was ever affected; released: no longer held by it.
CREATE TABLE fleet_members (
    fleet_id TEXT NOT NULL REFERENCES fleet_findings (id) ON DELETE CASCADE,
    device_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    released BOOLEAN NOT NULL,
    PRIMARY KEY (fleet_id, device_id, user_id)
);
CREATE INDEX fleet_members_by_device ON fleet_members (device_id, user_id);

-- New faults a day by what they share: what is usual, and so what is not.
CREATE TABLE fleet_usual (
    day_at TIMESTAMPTZ NOT NULL,
    cause TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value TEXT NOT NULL,
    faults BIGINT NOT NULL,
    PRIMARY KEY (day_at, cause, attribute, value)
);

UPDATE schema_compat SET schema_version = 3 WHERE schema_version < 3;
