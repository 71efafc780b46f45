-- One row per table, in words that both engines read. A new migration is applied over them.
INSERT INTO leases (name, owner, token, beat) VALUES ('observer', 'node-1', 3, 40);
INSERT INTO schedule_ticks (name, due_at, outcome) VALUES ('weekday-sweep', '2026-11-23T07:00:00+00:00', 'done');
INSERT INTO sweeps (id, state, started_at, finished_at, complete, incomplete, counts, causes, document)
VALUES ('S-1', 'finished', '2026-11-23T07:00:00+00:00', '2026-11-23T07:02:00.5+00:00', TRUE, '[]', '{}', '{"cert_expired":1}', '{}');
INSERT INTO source_counts (source, complete_count, counted_at) VALUES ('okta', 120, '2026-11-23T07:02:00+00:00');
INSERT INTO accepted_shrinks (source, accepted_by, accepted_at) VALUES ('jamf', 'cli:ann', '2026-11-23T07:02:00+00:00');
INSERT INTO subjects (subject_key, device_id, user_id, login, serial_number, mdm, mdm_device_id, hash, document, changed_at)
VALUES ('guo1/00u1', 'guo1', '00u1', 'ann@example.com', 'C02XYZ', 'jamf', '7', 'h1', '{}', '2026-11-23T07:02:00+00:00');
INSERT INTO findings (subject_key, opened_at, first_cause, cause, agreements, agreed_at, last_seen_at, finding)
VALUES ('guo1/00u1', '2026-11-23T07:02:00+00:00', 'cert_expired', 'cert_expired', 1, '2026-11-23T07:02:00+00:00', '2026-11-23T07:02:00+00:00', '{}');
INSERT INTO finding_changes (subject_key, changed_at, change, cause, detail)
VALUES ('guo1/00u1', '2026-11-23T07:02:00+00:00', 'opened', 'cert_expired', NULL);
INSERT INTO log_cursors (scope, cursor, reached_at) VALUES ('poll', 'after=1', '2026-11-23T07:02:00+00:00');
INSERT INTO log_coverage (class, covered_from_at, last_seen_at) VALUES ('certificate_bound', '2026-08-25T07:00:00+00:00', NULL);
INSERT INTO log_fastpass (device_id, user_id, first_success_at, last_success_at) VALUES ('guo1', '00u1', '2026-11-01T07:00:00+00:00', '2026-11-20T07:00:00+00:00');
INSERT INTO log_sign_ins (user_id, last_at) VALUES ('00u1', '2026-11-20T07:00:00+00:00');
INSERT INTO log_binds (device_id, first_at, last_at) VALUES ('guo1', '2026-11-01T07:00:00+00:00', '2026-11-20T07:00:00+00:00');
INSERT INTO log_bound_to (certificate, device_id) VALUES ('0a1b', 'guo1');
INSERT INTO log_issued (subject, first_at, last_at) VALUES ('cn=managementattestation', '2026-11-01T07:00:00+00:00', '2026-11-01T07:00:00+00:00');
INSERT INTO log_revoked (key_kind, certificate, revoked_at, event_type) VALUES ('serial_number', '0a1c', '2026-11-01T07:00:00+00:00', 'pki.cert.revoke');
INSERT INTO log_lifecycle (device_id, change, changed_at, actor) VALUES ('guo1', 'activated', '2026-11-01T07:00:00+00:00', NULL);
INSERT INTO log_deletions (serial_number, change, device_id, changed_at, actor) VALUES ('C02OLD', 'deleted', 'guo0', '2026-11-01T07:00:00+00:00', 'ann');
INSERT INTO log_org_changes (uuid, changed_at, event_type, actor, target) VALUES ('e1', '2026-11-01T07:00:00+00:00', 'policy.rule.update', 'ann', NULL);
INSERT INTO log_other_sign_ins (user_id, last_at, device_id, platform, device_session) VALUES ('00u1', '2026-11-20T07:00:00+00:00', 'guo1', 'MACOS', FALSE);
INSERT INTO log_apps_opened (user_id, app_id, last_at) VALUES ('00u1', '0oa1', '2026-11-20T07:00:00+00:00');
INSERT INTO log_browsers (device_id, user_id, browser, seen_at) VALUES ('guo1', '00u1', 'CHROME 129', '2026-11-20T07:00:00+00:00');
INSERT INTO log_enrolments (serial_number, enrolled_at) VALUES ('C02XYZ', '2026-11-01T07:00:00+00:00');
INSERT INTO looks (kind, subject, read_at, since_at, answer) VALUES ('user_groups', '00u1', '2026-11-23T07:01:00+00:00', NULL, '[]');
INSERT INTO device_confirmations (device_id, read_at, last_updated_at, confirmation) VALUES ('guo1', '2026-11-23T07:01:00+00:00', NULL, '{}');
INSERT INTO proposals (id, state, revision, digest, playbook, cause, plan, evidence, batch_number, batch_count, created_at, revised_at, expires_at)
VALUES ('P-7F3K2Q', 'running', 1, 'd1', 'redeliver-scep-profile', 'cert_expired', '{}', '{}', 1, 1, '2026-11-23T07:02:00+00:00', '2026-11-23T07:02:00+00:00', '2026-11-24T07:02:00+00:00');
INSERT INTO decisions (proposal_id, revision, digest, person, verdict, reason, decided_at)
VALUES ('P-7F3K2Q', 1, 'd1', 'user:U1', 'approve', NULL, '2026-11-23T07:10:00+00:00');
INSERT INTO denials (denial_key, proposal_id, denied_by, denied_at, until_at, evidence_hash, reason)
VALUES ('guo2/00u2', 'P-000000', 'user:U1', '2026-11-23T07:10:00+00:00', NULL, 'h1', 'on leave');
INSERT INTO runs (id, proposal_id, playbook, cause, state, owner, owner_token, wave, source_times, started_at, valid_until_at)
VALUES ('R-1', 'P-7F3K2Q', 'redeliver-scep-profile', 'cert_expired', 'running', 'node-1', 3, 1, '{"began":{}}', '2026-11-23T07:10:00+00:00', '2026-11-30T07:10:00+00:00');
INSERT INTO repairs (id, run_id, position, hardware, mdm, subjects, state, detail, hops, version, ended, next_look_at, started_at)
VALUES ('F-1', 'R-1', 0, 'mdm:jamf:7', 'jamf', '[]', 'preflight', '{"state":"preflight"}', '[]', 1, FALSE, '2026-11-23T07:11:00+00:00', '2026-11-23T07:11:00+00:00');
INSERT INTO steps (repair_id, step_id, attempt, action, state, inputs, started_at) VALUES ('F-1', 'sync.1', 1, 'mdm.sync', 'intended', '{}', '2026-11-23T07:11:00+00:00');
INSERT INTO in_flight (hardware, repair_id) VALUES ('mdm:jamf:7', 'F-1');
INSERT INTO in_flight_users (user_id, repair_id) VALUES ('00u1', 'F-1');
INSERT INTO scope_holds (mdm, device_id, kind, target, repair_id, state, since_at, deadline_at)
VALUES ('jamf', '7', 'group', '42', 'F-1', 'open', '2026-11-23T07:11:00+00:00', '2026-11-23T09:11:00+00:00');
INSERT INTO quarantine (hardware, reason, since_at) VALUES ('mdm:jamf:8', 'two repairs failed', '2026-11-20T07:00:00+00:00');
INSERT INTO verified_batches (playbook, run_id, verified_at) VALUES ('redeliver-scep-profile', 'R-0', '2026-11-20T07:00:00+00:00');
INSERT INTO inbox (dedupe_key, kind, payload, received_at) VALUES ('click-1', 'click', '{}', '2026-11-23T07:10:00+00:00');
INSERT INTO outbox (message_key, kind, recipient, payload, revision, state, created_at, due_at, attempts)
VALUES ('proposal:P-7F3K2Q', 'card', 'channel:C01', '{}', 2, 'pending', '2026-11-23T07:02:00+00:00', '2026-11-23T07:02:00+00:00', 0);
INSERT INTO sign_in_requests (user_id, state, devices, opened_at, reminders, version) VALUES ('00u1', 'open', '["guo1"]', '2026-11-23T07:12:00+00:00', 0, 1);
INSERT INTO counters (name, period, used, cap, counted_at) VALUES ('first_messages', '2026-11-23', 1, 200, '2026-11-23T07:12:00+00:00');
INSERT INTO stops (scope, target, frozen, reason, stopped_by, stopped_at) VALUES ('playbook', 'sync-silent-device', FALSE, 'incident', 'user:U1', '2026-11-23T07:00:00+00:00');
INSERT INTO manual_links (device_id, mdm, mdm_device_id, reason, linked_by, linked_at) VALUES ('guo3', 'jamf', '9', 'no serial', 'cli:ann', '2026-11-23T07:00:00+00:00');
INSERT INTO audit_entries (seq, kind, about, recorded_at, payload, payload_hash, chain_hash) VALUES (1, 'proposal.approved', 'P-7F3K2Q', '2026-11-23T07:10:00+00:00', '{}', 'h', 'c');
INSERT INTO audit_seals (last_seq, head, signature, sealed_at) VALUES (1, 'c', 's', '2026-11-23T07:10:01+00:00');
INSERT INTO scep_probes (url, asked_at, answer) VALUES ('https://acme.okta.com/pki/AB/scep/rac1', '2026-11-23T07:00:00+00:00', '{"unanswered":"timed out"}');
INSERT INTO doctor_checks (id, status, checked_at) VALUES ('okta.org', 'ok', '2026-11-23T07:00:00+00:00');
INSERT INTO beliefs (name, confirmed, contradicted, counted_at) VALUES ('bind_events', 41, 0, '2026-11-23T07:00:00+00:00');
INSERT INTO fleet_findings (id, cause, confidence, attribute, value, phase, since_at, evidence, affected, computers, held, released, managed, opened_at, seen_at)
VALUES ('F-7F3K2Q', 'ca_static_secret_rotated', 'medium', 'profile', 'Okta SCEP (jamf)', 'open', '2026-11-22T16:00:00+00:00', '[]', 34, 33, 34, 0, 0, '2026-11-23T07:01:00+00:00', '2026-11-23T07:01:00+00:00');
INSERT INTO fleet_members (fleet_id, device_id, user_id, released) VALUES ('F-7F3K2Q', 'guo1', '00u1', FALSE);
INSERT INTO fleet_usual (day_at, cause, attribute, value, faults) VALUES ('2026-11-22T00:00:00+00:00', 'profile_failed', 'model', 'Mac14,2', 2);
