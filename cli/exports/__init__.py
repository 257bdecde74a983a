"""Commands that ask the API for files: exports and snapshots."""
