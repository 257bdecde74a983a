#!/bin/sh
# Start Mosquitto with the accounts of the environment; no account has a default password.
set -eu

data=/mosquitto/data
: "${MQTT_INGEST_PASSWORD:?set MQTT_INGEST_PASSWORD: the password of the ingest workers}"
: "${MQTT_PLATFORM_PASSWORD:?set MQTT_PLATFORM_PASSWORD: the password of the API and alerting}"
: "${MQTT_DEVICES_PASSWORD:?set MQTT_DEVICES_PASSWORD: the password of devices and gateways}"

umask 077
mkdir -p "$data/conf.d"
rm -f "$data/passwords" "$data"/conf.d/*
mosquitto_passwd -c -b "$data/passwords" ingest "$MQTT_INGEST_PASSWORD"
mosquitto_passwd -b "$data/passwords" platform "$MQTT_PLATFORM_PASSWORD"
mosquitto_passwd -b "$data/passwords" devices "$MQTT_DEVICES_PASSWORD"

if [ -f /mosquitto/certs/server.crt ]; then
    # Copied, since the broker reads them when it is no longer root.
    cp /mosquitto/certs/server.crt /mosquitto/certs/server.key "$data/conf.d/"
    cat >"$data/conf.d/tls.conf" <<END
listener 8883
certfile $data/conf.d/server.crt
keyfile $data/conf.d/server.key
END
fi
chown -R mosquitto:mosquitto "$data"
exec mosquitto -c /mosquitto/config/mosquitto.conf
