-- More of the System Log, and answers to questions about one user or computer, so that no sweep asks them twice.

ALTER TABLE log_fastpass ADD COLUMN last_resistant_at TIMESTAMPTZ;
ALTER TABLE log_fastpass ADD COLUMN last_not_resistant_at TIMESTAMPTZ;

-- The last sign-in without FastPass.
CREATE TABLE log_other_sign_ins (
    user_id TEXT NOT NULL PRIMARY KEY,
    last_at TIMESTAMPTZ NOT NULL,
    device_id TEXT,
    platform TEXT,
    device_session BOOLEAN NOT NULL
);

-- The latest few apps of each user.
CREATE TABLE log_apps_opened (
    user_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    last_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, app_id)
);

-- Browser of the last FastPass attempt.
CREATE TABLE log_browsers (
    device_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    browser TEXT NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (device_id, user_id)
);

-- Every enrolment of Okta Verify; they are few, and counting rows counts none twice.
CREATE TABLE log_enrolments (
    serial_number TEXT NOT NULL,
    enrolled_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (serial_number, enrolled_at)
);

-- kind: user_groups, user_factors, user_log or mdm_record. since_at: how far back a user's log was asked.
CREATE TABLE looks (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    read_at TIMESTAMPTZ NOT NULL,
    since_at TIMESTAMPTZ,
    answer TEXT NOT NULL,
    PRIMARY KEY (kind, subject)
);

UPDATE schema_compat SET schema_version = 2 WHERE schema_version < 2;
