#!/bin/sh
# As the influxdb:2 image does: DOCKER_INFLUXDB_INIT_MODE=setup makes the account at first start.
set -e
if [ "$(id -u)" = 0 ]; then
    chown -R influxdb:influxdb /var/lib/influxdb2
    exec setpriv --reuid=influxdb --regid=influxdb --init-groups "$0" "$@"
fi
case $1 in
influxd) shift ;;
-*) ;;
*) exec "$@" ;;
esac
if [ "$DOCKER_INFLUXDB_INIT_MODE" = setup ] && ! [ -e "$INFLUXD_BOLT_PATH" ]; then
    influxd --http-bind-address=127.0.0.1:9999 --reporting-disabled --log-level=error &
    first=$!
    until curl --fail --silent --output /dev/null http://127.0.0.1:9999/api/v2/setup; do
        kill -0 "$first"
        sleep 0.1
    done
    curl --fail --silent --show-error --output /dev/null http://127.0.0.1:9999/api/v2/setup --data @- <<END
{"username": "${DOCKER_INFLUXDB_INIT_USERNAME:?}", "password": "${DOCKER_INFLUXDB_INIT_PASSWORD:?}",
 "org": "${DOCKER_INFLUXDB_INIT_ORG:?}", "bucket": "${DOCKER_INFLUXDB_INIT_BUCKET:?}",
 "token": "${DOCKER_INFLUXDB_INIT_ADMIN_TOKEN:?}"}
END
    kill "$first"
    wait "$first" || true
fi
if [ "$1" = run ]; then shift; fi
exec influxd run "$@"
