-- What `doctor` remembers: answers of SCEP servers, how its checks came out last, beliefs against the org's own data.

CREATE TABLE scep_probes (
    url TEXT NOT NULL PRIMARY KEY,
    asked_at TEXT NOT NULL,
    answer TEXT NOT NULL
) STRICT;

CREATE TABLE doctor_checks (
    id TEXT NOT NULL PRIMARY KEY,
    status TEXT NOT NULL,
    checked_at TEXT NOT NULL
) STRICT;

CREATE TABLE beliefs (
    name TEXT NOT NULL PRIMARY KEY,
    confirmed INTEGER NOT NULL,
    contradicted INTEGER NOT NULL,
    counted_at TEXT NOT NULL
) STRICT;

UPDATE schema_compat SET schema_version = 4 WHERE schema_version < 4;
