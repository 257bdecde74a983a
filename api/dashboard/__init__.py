"""The dashboard: static files that ask the public API (`docs/dashboard.md`)."""
