"""The fault suite: what becomes of every message under each fault. See docs/reliability.md."""
