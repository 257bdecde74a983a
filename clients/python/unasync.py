"""Make `_client.py` from `_async_client.py`: one is written, the other is not let drift.

`python clients/python/unasync.py` writes the file; a test compares.
"""

from __future__ import annotations

from pathlib import Path

SOURCE = Path(__file__).parent / "src" / "passerelle" / "_async_client.py"
TARGET = SOURCE.with_name("_client.py")
_WORDS = (
    (
        '"""The asynchronous client."""',
        '"""The synchronous client: `unasync.py` makes this file."""',
    ),
    (", within an event loop", ""),
    ("import asyncio\n", ""),
    ("async def ", "def "),
    ("async with ", "with "),
    ("async for ", "for "),
    ("await ", ""),
    ("AsyncIterator", "Iterator"),
    ("AsyncClient", "Client"),
    ("__aenter__", "__enter__"),
    ("__aexit__", "__exit__"),
    ("aclose", "close"),
    ("aread", "read"),
    ("aiter_", "iter_"),
    ("asyncio.sleep", "time.sleep"),
)


def made() -> str:
    """Return what `_client.py` has to be."""
    text = SOURCE.read_text(encoding="utf-8")
    for asynchronous, synchronous in _WORDS:
        text = text.replace(asynchronous, synchronous)
    return text


if __name__ == "__main__":
    TARGET.write_text(made(), encoding="utf-8")
