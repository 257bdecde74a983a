"""Real servers for the tests: Mosquitto, InfluxDB 2 and 1, PostgreSQL. See README.md here."""
