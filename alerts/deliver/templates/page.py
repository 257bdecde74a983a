"""A message as HTML, for mail: the same words, with links that can be followed."""

from __future__ import annotations

import html
import re

from alerts.deliver.templates.message import BETWEEN_LANGUAGES, Message

_LINK = re.compile(r"https?://[^\s<>\"]+")


def html_of(message: Message) -> str:
    """Return the body as HTML: a paragraph a block, links as links, everything else escaped."""
    blocks = message.body.split("\n\n")
    return "\n".join(_block(block) for block in blocks)


def _block(block: str) -> str:
    if block == BETWEEN_LANGUAGES:
        return "<hr>"
    lines = "<br>".join(_line(line) for line in block.split("\n"))
    return f"<p>{lines}</p>"


def _line(line: str) -> str:
    said, end = [], 0
    for found in _LINK.finditer(line):
        address = html.escape(found[0])
        said.append(html.escape(line[end : found.start()]))
        said.append(f'<a href="{address}">{address}</a>')
        end = found.end()
    return "".join([*said, html.escape(line[end:])])
