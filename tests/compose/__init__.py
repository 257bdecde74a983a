"""docker-compose.yml for real: `python -m tests.compose`, started by `make test-compose`."""
