"""The `passerelle` command: where the parts are put together."""
