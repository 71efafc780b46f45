-- More of the System Log, and answers to questions about one user or computer, so that no sweep asks them twice.

ALTER TABLE log_fastpass ADD COLUMN last_resistant_at TEXT;
ALTER TABLE log_fastpass ADD COLUMN last_not_resistant_at TEXT;

-- The last sign-in without FastPass.
CREATE TABLE log_other_sign_ins (
    user_id TEXT NOT NULL PRIMARY KEY,
    last_at TEXT NOT NULL,
    device_id TEXT,
    platform TEXT,
    device_session INTEGER NOT NULL
) STRICT;

-- The latest few apps of each user.
CREATE TABLE log_apps_opened (
    user_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    last_at TEXT NOT NULL,
    PRIMARY KEY (user_id, app_id)
) STRICT;

-- Browser of the last FastPass attempt.
CREATE TABLE log_browsers (
    device_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    browser TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (device_id, user_id)
) STRICT;

-- Every enrolment of Okta Verify; they are few, and counting rows counts none twice.
CREATE TABLE log_enrolments (
    serial_number TEXT NOT NULL,
    enrolled_at TEXT NOT NULL,
    PRIMARY KEY (serial_number, enrolled_at)
) STRICT;

-- kind: user_groups, user_factors, user_log or mdm_record. since_at: how far back a user's log was asked.
CREATE TABLE looks (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    read_at TEXT NOT NULL,
    since_at TEXT,
    answer TEXT NOT NULL,
    PRIMARY KEY (kind, subject)
) STRICT;

UPDATE schema_compat SET schema_version = 2 WHERE schema_version < 2;
