#!/bin/sh
# As the postgres image does: make the cluster at the first start, then run it, never as root.
set -e
if [ "$(id -u)" = 0 ]; then
    chown postgres:postgres "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
user=${POSTGRES_USER:-postgres}
if ! [ -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "$POSTGRES_PASSWORD" ]; then
        echo "POSTGRES_PASSWORD is not set" >&2
        exit 1
    fi
    password=$(mktemp)
    printf '%s' "$POSTGRES_PASSWORD" >"$password"
    # shellcheck disable=SC2086 # arguments, as in the image that this stands in for
    initdb --pgdata="$PGDATA" --username="$user" --pwfile="$password" --auth-local=trust \
        --auth-host=scram-sha-256 $POSTGRES_INITDB_ARGS
    rm -f "$password"
    printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses=''" --wait start
    database=${POSTGRES_DB:-$user}
    if [ "$database" != postgres ]; then
        createdb --username="$user" --maintenance-db=postgres "$database"
    fi
    pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
fi
case $1 in
postgres) shift && exec postgres -c 'listen_addresses=*' "$@" ;;
-*) exec postgres -c 'listen_addresses=*' "$@" ;;
esac
exec "$@"
