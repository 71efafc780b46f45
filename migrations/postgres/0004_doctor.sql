-- What `doctor` remembers: answers of SCEP servers, how its checks came out last, beliefs against the org's own data.

CREATE TABLE scep_probes (
    url TEXT NOT NULL PRIMARY KEY,
    asked_at TIMESTAMPTZ NOT NULL,
    answer TEXT NOT NULL
);

CREATE TABLE doctor_checks (
    id TEXT NOT NULL PRIMARY KEY,
    status TEXT NOT NULL,
    checked_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE beliefs (
    name TEXT NOT NULL PRIMARY KEY,
    confirmed BIGINT NOT NULL,
    contradicted BIGINT NOT NULL,
    counted_at TIMESTAMPTZ NOT NULL
);

UPDATE schema_compat SET schema_version = 4 WHERE schema_version < 4;
