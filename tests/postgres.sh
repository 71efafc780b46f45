#!/usr/bin/env bash
# A throw-away PostgreSQL for the store's contract tests.
#
#   tests/postgres.sh          starts it and prints its URL, the only line on stdout: export it as TEST_POSTGRES_URL
#   tests/postgres.sh stop     stops it and removes its data
#
# Without a PostgreSQL server it prints "skipped: …" on stderr and ends with 3. The data lies in
# $TEST_POSTGRES_DIR (default: unstuck-postgres-<user id> in $TMPDIR), synced to no disk: never keep anything in it.
set -euo pipefail

root="${TEST_POSTGRES_DIR:-${TMPDIR:-/tmp}/unstuck-postgres-$(id -u)}"
data="$root/data"

skip() {
    echo "skipped: $1" >&2
    exit 3
}

# The server refuses to run as root, so that root hands over to an account without rights.
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd "$root" && runuser -u "$account" -- "$@")
    else
        "$@"
    fi
}

find_programs() {
    local folder
    for folder in $(dirname "$(command -v initdb 2>/dev/null || echo /none/initdb)") \
        $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -Vr) /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ]; then
            programs="$folder"
            return
        fi
    done
    skip "no initdb in PATH or /usr/lib/postgresql/*/bin; install the PostgreSQL server to test on it"
}

find_account() {
    account=""
    [ "$(id -u)" -ne 0 ] && return
    command -v runuser >/dev/null || skip "the server refuses root, and there is no runuser to become another account"
    for account in postgres nobody; do
        id "$account" >/dev/null 2>&1 && return
    done
    skip "the server refuses root, and there is neither an account postgres nor nobody"
}

# A port is free if nothing answers on it; between here and the start another program could take it, then try again.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

start() {
    if [ -f "$root/url" ] && as_server "$programs/pg_ctl" -D "$data" status >/dev/null 2>&1; then
        cat "$root/url"
        return
    fi
    rm -rf "$root"
    mkdir -p "$root"
    chmod 700 "$root"
    [ -n "$account" ] && chown "$account" "$root"
    if ! as_server "$programs/initdb" -D "$data" -U unstuck --auth=trust --encoding=UTF8 --locale=C --no-sync \
        >"$root/initdb.log" 2>&1; then
        cat "$root/initdb.log" >&2
        skip "initdb failed, see above"
    fi
    local attempt port
    for attempt in 1 2 3; do
        port=$(free_port)
        if as_server "$programs/pg_ctl" -D "$data" -w -t 20 -l "$data/server.log" \
            -o "-c listen_addresses=127.0.0.1 -p $port -k '' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300" \
            start >/dev/null 2>&1; then
            echo "postgres://unstuck@127.0.0.1:$port/postgres" | tee "$root/url"
            return
        fi
    done
    tail -n 20 "$data/server.log" >&2 || true
    skip "the server did not start, see above"
}

stop() {
    [ -d "$data" ] && as_server "$programs/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$root"
}

find_programs
find_account
case "${1:-start}" in
start) start ;;
stop) stop ;;
*)
    echo "usage: tests/postgres.sh [start|stop]" >&2
    exit 2
    ;;
esac
