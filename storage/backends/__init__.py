"""The stores. Each module or package here defines `PLUGIN`, a `storage.plugin.StorePlugin`."""
