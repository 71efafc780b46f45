-- Every table of the first release. Both engines hold the same tables and columns; only type words differ.
-- JSON is text, because what was digested must be read back byte for byte.

-- Which releases may work with this database.
CREATE TABLE schema_compat (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    schema_version BIGINT NOT NULL,
    oldest_code BIGINT NOT NULL
);
INSERT INTO schema_compat (id, schema_version, oldest_code) VALUES (1, 1, 1);

-- Who may do what; rests on no wall clock.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT,
    token BIGINT NOT NULL,
    beat BIGINT NOT NULL
);

CREATE TABLE schedule_ticks (
    name TEXT NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    outcome TEXT,
    PRIMARY KEY (name, due_at)
);

-- Sweeps.
CREATE TABLE sweeps (
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'abandoned')),
    started_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    complete BOOLEAN NOT NULL,
    incomplete TEXT NOT NULL,
    counts TEXT NOT NULL,
    causes TEXT NOT NULL,
    document TEXT
);
CREATE INDEX sweeps_by_time ON sweeps (started_at);

CREATE TABLE source_counts (
    source TEXT NOT NULL PRIMARY KEY,
    complete_count BIGINT NOT NULL,
    counted_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE accepted_shrinks (
    source TEXT NOT NULL PRIMARY KEY,
    accepted_by TEXT NOT NULL,
    accepted_at TIMESTAMPTZ NOT NULL
);

-- Subjects and findings: one current row each.
CREATE TABLE subjects (
    subject_key TEXT NOT NULL PRIMARY KEY,
    device_id TEXT,
    user_id TEXT,
    login TEXT,
    serial_number TEXT,
    mdm TEXT,
    mdm_device_id TEXT,
    hash TEXT NOT NULL,
    document TEXT NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX subjects_by_device ON subjects (device_id);
CREATE INDEX subjects_by_login ON subjects (login);
CREATE INDEX subjects_by_serial ON subjects (serial_number);
CREATE INDEX subjects_by_mdm ON subjects (mdm, mdm_device_id);

CREATE TABLE findings (
    subject_key TEXT NOT NULL PRIMARY KEY,
    opened_at TIMESTAMPTZ NOT NULL,
    first_cause TEXT NOT NULL,
    cause TEXT NOT NULL,
    agreements BIGINT NOT NULL,
    agreed_at TIMESTAMPTZ NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL,
    closed_at TIMESTAMPTZ,
    closed_reason TEXT,
    finding TEXT NOT NULL
);
CREATE INDEX findings_by_closing ON findings (closed_at);

CREATE TABLE finding_changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_key TEXT NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    change TEXT NOT NULL,
    cause TEXT NOT NULL,
    detail TEXT
);
CREATE INDEX finding_changes_by_subject ON finding_changes (subject_key, id);
CREATE INDEX finding_changes_by_time ON finding_changes (changed_at);

-- The System Log's ledger: first and last of each kind only.
CREATE TABLE log_cursors (
    scope TEXT NOT NULL PRIMARY KEY,
    cursor TEXT NOT NULL,
    reached_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE log_coverage (
    class TEXT NOT NULL PRIMARY KEY,
    covered_from_at TIMESTAMPTZ,
    last_seen_at TIMESTAMPTZ
);

CREATE TABLE log_fastpass (
    device_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    first_success_at TIMESTAMPTZ,
    last_success_at TIMESTAMPTZ,
    last_managed_at TIMESTAMPTZ,
    last_unmanaged_at TIMESTAMPTZ,
    last_failure_at TIMESTAMPTZ,
    PRIMARY KEY (device_id, user_id)
);

CREATE TABLE log_sign_ins (
    user_id TEXT NOT NULL PRIMARY KEY,
    last_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE log_binds (
    device_id TEXT NOT NULL PRIMARY KEY,
    first_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ NOT NULL
);

-- The device that a certificate was last bound to; the log is read in the order of time.
CREATE TABLE log_bound_to (
    certificate TEXT NOT NULL PRIMARY KEY,
    device_id TEXT NOT NULL
);

CREATE INDEX log_bound_to_by_device ON log_bound_to (device_id);

CREATE TABLE log_issued (
    subject TEXT NOT NULL PRIMARY KEY,
    first_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ NOT NULL
);

-- key_kind: serial_number or subject.
CREATE TABLE log_revoked (
    key_kind TEXT NOT NULL,
    certificate TEXT NOT NULL,
    revoked_at TIMESTAMPTZ NOT NULL,
    event_type TEXT NOT NULL,
    PRIMARY KEY (key_kind, certificate)
);

CREATE TABLE log_lifecycle (
    device_id TEXT NOT NULL PRIMARY KEY,
    change TEXT NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    actor TEXT
);

CREATE TABLE log_deletions (
    serial_number TEXT NOT NULL PRIMARY KEY,
    change TEXT NOT NULL,
    device_id TEXT NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    actor TEXT
);

CREATE TABLE log_org_changes (
    uuid TEXT NOT NULL PRIMARY KEY,
    changed_at TIMESTAMPTZ NOT NULL,
    event_type TEXT NOT NULL,
    actor TEXT,
    target TEXT
);
CREATE INDEX log_org_changes_by_time ON log_org_changes (changed_at);

CREATE TABLE device_confirmations (
    device_id TEXT NOT NULL PRIMARY KEY,
    read_at TIMESTAMPTZ NOT NULL,
    last_updated_at TIMESTAMPTZ,
    confirmation TEXT NOT NULL
);

-- Proposals and decisions.
CREATE TABLE proposals (
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    revision BIGINT NOT NULL,
    digest TEXT NOT NULL,
    playbook TEXT NOT NULL,
    cause TEXT NOT NULL,
    plan TEXT NOT NULL,
    evidence TEXT NOT NULL,
    batch_number BIGINT NOT NULL,
    batch_count BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    revised_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    snoozed_until_at TIMESTAMPTZ,
    snoozed_by TEXT,
    decided_at TIMESTAMPTZ,
    reason TEXT
);
CREATE INDEX proposals_by_state ON proposals (state);
CREATE INDEX proposals_by_time ON proposals (created_at);

CREATE TABLE decisions (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    proposal_id TEXT NOT NULL REFERENCES proposals (id) ON DELETE CASCADE,
    revision BIGINT NOT NULL,
    digest TEXT NOT NULL,
    person TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('approve', 'deny')),
    reason TEXT,
    decided_at TIMESTAMPTZ NOT NULL,
    UNIQUE (proposal_id, revision, person)
);

-- What was denied is not asked again: until a time, until the evidence changes, or never.
CREATE TABLE denials (
    denial_key TEXT NOT NULL PRIMARY KEY,
    proposal_id TEXT NOT NULL,
    denied_by TEXT NOT NULL,
    denied_at TIMESTAMPTZ NOT NULL,
    until_at TIMESTAMPTZ,
    evidence_hash TEXT,
    reason TEXT
);

-- Runs, repairs and the journal.
CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    proposal_id TEXT NOT NULL UNIQUE REFERENCES proposals (id),
    playbook TEXT NOT NULL,
    cause TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT,
    owner_token BIGINT,
    wave BIGINT NOT NULL,
    wave_opened_at TIMESTAMPTZ,
    wave_passed_at TIMESTAMPTZ,
    source_times TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    valid_until_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ
);
CREATE INDEX runs_by_state ON runs (state);
CREATE INDEX runs_by_time ON runs (started_at);

CREATE TABLE repairs (
    id TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    hardware TEXT NOT NULL,
    mdm TEXT,
    subjects TEXT NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    hops TEXT NOT NULL,
    version BIGINT NOT NULL,
    ended BOOLEAN NOT NULL,
    next_look_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ,
    finished_at TIMESTAMPTZ,
    UNIQUE (run_id, position)
);
CREATE INDEX repairs_by_next_look ON repairs (next_look_at);
CREATE INDEX repairs_by_hardware ON repairs (hardware, started_at);
CREATE INDEX repairs_by_ending ON repairs (ended, finished_at);

CREATE TABLE steps (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repair_id TEXT NOT NULL REFERENCES repairs (id) ON DELETE CASCADE,
    step_id TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    action TEXT NOT NULL,
    state TEXT NOT NULL,
    inputs TEXT NOT NULL,
    outputs TEXT,
    requests TEXT,
    started_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    UNIQUE (repair_id, step_id, attempt)
);

-- One repair in flight per computer and per user.
CREATE TABLE in_flight (
    hardware TEXT NOT NULL PRIMARY KEY,
    repair_id TEXT NOT NULL REFERENCES repairs (id) ON DELETE CASCADE
);
CREATE INDEX in_flight_by_repair ON in_flight (repair_id);

CREATE TABLE in_flight_users (
    user_id TEXT NOT NULL PRIMARY KEY,
    repair_id TEXT NOT NULL REFERENCES repairs (id) ON DELETE CASCADE
);
CREATE INDEX in_flight_users_by_repair ON in_flight_users (repair_id);

-- What was taken away from a device and must be given back.
CREATE TABLE scope_holds (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mdm TEXT NOT NULL,
    device_id TEXT NOT NULL,
    management_id TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('group', 'category')),
    target TEXT NOT NULL,
    prior TEXT,
    repair_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'restoring', 'restored', 'needs_human')),
    since_at TIMESTAMPTZ NOT NULL,
    deadline_at TIMESTAMPTZ NOT NULL,
    seen_out_at TIMESTAMPTZ,
    closed_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX scope_holds_open ON scope_holds (mdm, device_id, kind, target) WHERE state IN ('open', 'restoring');
CREATE INDEX scope_holds_by_repair ON scope_holds (repair_id);

CREATE TABLE quarantine (
    hardware TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL,
    repair_id TEXT,
    since_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE verified_batches (
    playbook TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL,
    verified_at TIMESTAMPTZ NOT NULL
);

-- What came in from people, and what goes out to them.
CREATE TABLE inbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dedupe_key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    done_at TIMESTAMPTZ,
    outcome TEXT
);
CREATE INDEX inbox_by_done ON inbox (done_at, id);

-- One row per message: what it shall say (revision) and what was said last (sent_revision).
CREATE TABLE outbox (
    message_key TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    thread TEXT,
    payload TEXT NOT NULL,
    revision BIGINT NOT NULL,
    sending_revision BIGINT,
    sent_revision BIGINT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'unclear', 'failed')),
    created_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    intent_at TIMESTAMPTZ,
    attempts BIGINT NOT NULL,
    error TEXT,
    posted_channel TEXT,
    posted_ts TEXT,
    finished_at TIMESTAMPTZ
);
CREATE INDEX outbox_by_due ON outbox (state, due_at);

CREATE TABLE sign_in_requests (
    user_id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('open', 'snoozed', 'not_mine', 'done')),
    devices TEXT NOT NULL,
    opened_at TIMESTAMPTZ NOT NULL,
    first_sent_at TIMESTAMPTZ,
    reminders BIGINT NOT NULL,
    next_due_at TIMESTAMPTZ,
    channel TEXT,
    thread TEXT,
    version BIGINT NOT NULL
);
CREATE INDEX sign_in_requests_by_due ON sign_in_requests (next_due_at);

CREATE TABLE counters (
    name TEXT NOT NULL,
    period TEXT NOT NULL,
    used BIGINT NOT NULL,
    cap BIGINT NOT NULL,
    counted_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (name, period)
);

CREATE TABLE stops (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope TEXT NOT NULL CHECK (scope IN ('all', 'playbook', 'proposal')),
    target TEXT,
    frozen BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    stopped_by TEXT NOT NULL,
    stopped_at TIMESTAMPTZ NOT NULL,
    resumed_by TEXT,
    resumed_at TIMESTAMPTZ
);
CREATE INDEX stops_by_resumption ON stops (resumed_at);

CREATE TABLE manual_links (
    device_id TEXT NOT NULL PRIMARY KEY,
    mdm TEXT NOT NULL,
    mdm_device_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    linked_by TEXT NOT NULL,
    linked_at TIMESTAMPTZ NOT NULL
);

-- The audit: entries are written with the change they tell of, numbered and chained by the sealer.
CREATE TABLE audit_entries (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seq BIGINT UNIQUE,
    kind TEXT NOT NULL,
    about TEXT NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    payload TEXT,
    payload_hash TEXT NOT NULL,
    chain_hash TEXT
);
CREATE INDEX audit_entries_by_about ON audit_entries (about, id);

CREATE TABLE audit_seals (
    last_seq BIGINT NOT NULL PRIMARY KEY,
    head TEXT NOT NULL,
    signature TEXT NOT NULL,
    sealed_at TIMESTAMPTZ NOT NULL
);
