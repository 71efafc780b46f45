-- Every table of the first release. Both engines hold the same tables and columns; only type words differ.
-- JSON is text, because what was digested must be read back byte for byte.

-- Which releases may work with this database.
CREATE TABLE schema_compat (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    schema_version INTEGER NOT NULL,
    oldest_code INTEGER NOT NULL
) STRICT;
INSERT INTO schema_compat (id, schema_version, oldest_code) VALUES (1, 1, 1);

-- Who may do what; rests on no wall clock.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT,
    token INTEGER NOT NULL,
    beat INTEGER NOT NULL
) STRICT;

CREATE TABLE schedule_ticks (
    name TEXT NOT NULL,
    due_at TEXT NOT NULL,
    outcome TEXT,
    PRIMARY KEY (name, due_at)
) STRICT;

-- Sweeps.
CREATE TABLE sweeps (
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'abandoned')),
    started_at TEXT NOT NULL,
    finished_at TEXT,
    complete INTEGER NOT NULL,
    incomplete TEXT NOT NULL,
    counts TEXT NOT NULL,
    causes TEXT NOT NULL,
    document TEXT
) STRICT;
CREATE INDEX sweeps_by_time ON sweeps (started_at);

CREATE TABLE source_counts (
    source TEXT NOT NULL PRIMARY KEY,
    complete_count INTEGER NOT NULL,
    counted_at TEXT NOT NULL
) STRICT;

CREATE TABLE accepted_shrinks (
    source TEXT NOT NULL PRIMARY KEY,
    accepted_by TEXT NOT NULL,
    accepted_at TEXT NOT NULL
) STRICT;

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
    changed_at TEXT NOT NULL
) STRICT;
CREATE INDEX subjects_by_device ON subjects (device_id);
CREATE INDEX subjects_by_login ON subjects (login);
CREATE INDEX subjects_by_serial ON subjects (serial_number);
CREATE INDEX subjects_by_mdm ON subjects (mdm, mdm_device_id);

CREATE TABLE findings (
    subject_key TEXT NOT NULL PRIMARY KEY,
    opened_at TEXT NOT NULL,
    first_cause TEXT NOT NULL,
    cause TEXT NOT NULL,
    agreements INTEGER NOT NULL,
    agreed_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    closed_at TEXT,
    closed_reason TEXT,
    finding TEXT NOT NULL
) STRICT;
CREATE INDEX findings_by_closing ON findings (closed_at);

CREATE TABLE finding_changes (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    subject_key TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    change TEXT NOT NULL,
    cause TEXT NOT NULL,
    detail TEXT
) STRICT;
CREATE INDEX finding_changes_by_subject ON finding_changes (subject_key, id);
CREATE INDEX finding_changes_by_time ON finding_changes (changed_at);

-- The System Log's ledger: first and last of each kind only.
CREATE TABLE log_cursors (
    scope TEXT NOT NULL PRIMARY KEY,
    cursor TEXT NOT NULL,
    reached_at TEXT NOT NULL
) STRICT;

CREATE TABLE log_coverage (
    class TEXT NOT NULL PRIMARY KEY,
    covered_from_at TEXT,
    last_seen_at TEXT
) STRICT;

CREATE TABLE log_fastpass (
    device_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    first_success_at TEXT,
    last_success_at TEXT,
    last_managed_at TEXT,
    last_unmanaged_at TEXT,
    last_failure_at TEXT,
    PRIMARY KEY (device_id, user_id)
) STRICT;

CREATE TABLE log_sign_ins (
    user_id TEXT NOT NULL PRIMARY KEY,
    last_at TEXT NOT NULL
) STRICT;

CREATE TABLE log_binds (
    device_id TEXT NOT NULL PRIMARY KEY,
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL
) STRICT;

-- The device that a certificate was last bound to; the log is read in the order of time.
CREATE TABLE log_bound_to (
    certificate TEXT NOT NULL PRIMARY KEY,
    device_id TEXT NOT NULL
) STRICT;

CREATE INDEX log_bound_to_by_device ON log_bound_to (device_id);

CREATE TABLE log_issued (
    subject TEXT NOT NULL PRIMARY KEY,
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL
) STRICT;

-- key_kind: serial_number or subject.
CREATE TABLE log_revoked (
    key_kind TEXT NOT NULL,
    certificate TEXT NOT NULL,
    revoked_at TEXT NOT NULL,
    event_type TEXT NOT NULL,
    PRIMARY KEY (key_kind, certificate)
) STRICT;

CREATE TABLE log_lifecycle (
    device_id TEXT NOT NULL PRIMARY KEY,
    change TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    actor TEXT
) STRICT;

CREATE TABLE log_deletions (
    serial_number TEXT NOT NULL PRIMARY KEY,
    change TEXT NOT NULL,
    device_id TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    actor TEXT
) STRICT;

CREATE TABLE log_org_changes (
    uuid TEXT NOT NULL PRIMARY KEY,
    changed_at TEXT NOT NULL,
    event_type TEXT NOT NULL,
    actor TEXT,
    target TEXT
) STRICT;
CREATE INDEX log_org_changes_by_time ON log_org_changes (changed_at);

CREATE TABLE device_confirmations (
    device_id TEXT NOT NULL PRIMARY KEY,
    read_at TEXT NOT NULL,
    last_updated_at TEXT,
    confirmation TEXT NOT NULL
) STRICT;

-- Proposals and decisions.
CREATE TABLE proposals (
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    revision INTEGER NOT NULL,
    digest TEXT NOT NULL,
    playbook TEXT NOT NULL,
    cause TEXT NOT NULL,
    plan TEXT NOT NULL,
    evidence TEXT NOT NULL,
    batch_number INTEGER NOT NULL,
    batch_count INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    revised_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    snoozed_until_at TEXT,
    snoozed_by TEXT,
    decided_at TEXT,
    reason TEXT
) STRICT;
CREATE INDEX proposals_by_state ON proposals (state);
CREATE INDEX proposals_by_time ON proposals (created_at);

CREATE TABLE decisions (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    proposal_id TEXT NOT NULL REFERENCES proposals (id) ON DELETE CASCADE,
    revision INTEGER NOT NULL,
    digest TEXT NOT NULL,
    person TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('approve', 'deny')),
    reason TEXT,
    decided_at TEXT NOT NULL,
    UNIQUE (proposal_id, revision, person)
) STRICT;

-- What was denied is not asked again: until a time, until the evidence changes, or never.
CREATE TABLE denials (
    denial_key TEXT NOT NULL PRIMARY KEY,
    proposal_id TEXT NOT NULL,
    denied_by TEXT NOT NULL,
    denied_at TEXT NOT NULL,
    until_at TEXT,
    evidence_hash TEXT,
    reason TEXT
) STRICT;

-- Runs, repairs and the journal.
CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    proposal_id TEXT NOT NULL UNIQUE REFERENCES proposals (id),
    playbook TEXT NOT NULL,
    cause TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT,
    owner_token INTEGER,
    wave INTEGER NOT NULL,
    wave_opened_at TEXT,
    wave_passed_at TEXT,
    source_times TEXT NOT NULL,
    started_at TEXT NOT NULL,
    valid_until_at TEXT NOT NULL,
    finished_at TEXT
) STRICT;
CREATE INDEX runs_by_state ON runs (state);
CREATE INDEX runs_by_time ON runs (started_at);

CREATE TABLE repairs (
    id TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    hardware TEXT NOT NULL,
    mdm TEXT,
    subjects TEXT NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    hops TEXT NOT NULL,
    version INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    next_look_at TEXT,
    started_at TEXT,
    finished_at TEXT,
    UNIQUE (run_id, position)
) STRICT;
CREATE INDEX repairs_by_next_look ON repairs (next_look_at);
CREATE INDEX repairs_by_hardware ON repairs (hardware, started_at);
CREATE INDEX repairs_by_ending ON repairs (ended, finished_at);

CREATE TABLE steps (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    repair_id TEXT NOT NULL REFERENCES repairs (id) ON DELETE CASCADE,
    step_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    action TEXT NOT NULL,
    state TEXT NOT NULL,
    inputs TEXT NOT NULL,
    outputs TEXT,
    requests TEXT,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    UNIQUE (repair_id, step_id, attempt)
) STRICT;

-- One repair in flight per computer and per user.
CREATE TABLE in_flight (
    hardware TEXT NOT NULL PRIMARY KEY,
    repair_id TEXT NOT NULL REFERENCES repairs (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX in_flight_by_repair ON in_flight (repair_id);

CREATE TABLE in_flight_users (
    user_id TEXT NOT NULL PRIMARY KEY,
    repair_id TEXT NOT NULL REFERENCES repairs (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX in_flight_users_by_repair ON in_flight_users (repair_id);

-- What was taken away from a device and must be given back.
CREATE TABLE scope_holds (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    mdm TEXT NOT NULL,
    device_id TEXT NOT NULL,
    management_id TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('group', 'category')),
    target TEXT NOT NULL,
    prior TEXT,
    repair_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'restoring', 'restored', 'needs_human')),
    since_at TEXT NOT NULL,
    deadline_at TEXT NOT NULL,
    seen_out_at TEXT,
    closed_at TEXT
) STRICT;
CREATE UNIQUE INDEX scope_holds_open ON scope_holds (mdm, device_id, kind, target) WHERE state IN ('open', 'restoring');
CREATE INDEX scope_holds_by_repair ON scope_holds (repair_id);

CREATE TABLE quarantine (
    hardware TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL,
    repair_id TEXT,
    since_at TEXT NOT NULL
) STRICT;

CREATE TABLE verified_batches (
    playbook TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL,
    verified_at TEXT NOT NULL
) STRICT;

-- What came in from people, and what goes out to them.
CREATE TABLE inbox (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    dedupe_key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    received_at TEXT NOT NULL,
    done_at TEXT,
    outcome TEXT
) STRICT;
CREATE INDEX inbox_by_done ON inbox (done_at, id);

-- One row per message: what it shall say (revision) and what was said last (sent_revision).
CREATE TABLE outbox (
    message_key TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    thread TEXT,
    payload TEXT NOT NULL,
    revision INTEGER NOT NULL,
    sending_revision INTEGER,
    sent_revision INTEGER,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'unclear', 'failed')),
    created_at TEXT NOT NULL,
    due_at TEXT NOT NULL,
    intent_at TEXT,
    attempts INTEGER NOT NULL,
    error TEXT,
    posted_channel TEXT,
    posted_ts TEXT,
    finished_at TEXT
) STRICT;
CREATE INDEX outbox_by_due ON outbox (state, due_at);

CREATE TABLE sign_in_requests (
    user_id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('open', 'snoozed', 'not_mine', 'done')),
    devices TEXT NOT NULL,
    opened_at TEXT NOT NULL,
    first_sent_at TEXT,
    reminders INTEGER NOT NULL,
    next_due_at TEXT,
    channel TEXT,
    thread TEXT,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_requests_by_due ON sign_in_requests (next_due_at);

CREATE TABLE counters (
    name TEXT NOT NULL,
    period TEXT NOT NULL,
    used INTEGER NOT NULL,
    cap INTEGER NOT NULL,
    counted_at TEXT NOT NULL,
    PRIMARY KEY (name, period)
) STRICT;

CREATE TABLE stops (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL CHECK (scope IN ('all', 'playbook', 'proposal')),
    target TEXT,
    frozen INTEGER NOT NULL,
    reason TEXT NOT NULL,
    stopped_by TEXT NOT NULL,
    stopped_at TEXT NOT NULL,
    resumed_by TEXT,
    resumed_at TEXT
) STRICT;
CREATE INDEX stops_by_resumption ON stops (resumed_at);

CREATE TABLE manual_links (
    device_id TEXT NOT NULL PRIMARY KEY,
    mdm TEXT NOT NULL,
    mdm_device_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    linked_by TEXT NOT NULL,
    linked_at TEXT NOT NULL
) STRICT;

-- The audit: entries are written with the change they tell of, numbered and chained by the sealer.
CREATE TABLE audit_entries (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    seq INTEGER UNIQUE,
    kind TEXT NOT NULL,
    about TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    payload TEXT,
    payload_hash TEXT NOT NULL,
    chain_hash TEXT
) STRICT;
CREATE INDEX audit_entries_by_about ON audit_entries (about, id);

CREATE TABLE audit_seals (
    last_seq INTEGER NOT NULL PRIMARY KEY,
    head TEXT NOT NULL,
    signature TEXT NOT NULL,
    sealed_at TEXT NOT NULL
) STRICT;
