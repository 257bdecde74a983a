"""MQTT topic filters: which topics two of them share, and sets in which no two do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

PLUS = "+"
"""Any one level."""
HASH = "#"
"""Any number of levels, also none."""


def contains(outer: Sequence[str], inner: Sequence[str]) -> bool:
    """Say whether every topic of `inner` is one of `outer` (False when that is not certain)."""
    if not outer:
        return not inner
    first = outer[0]
    if first == HASH:
        return contains(outer[1:], inner) or (bool(inner) and contains(outer, inner[1:]))
    if not inner or inner[0] == HASH or first not in {PLUS, inner[0]}:
        return False
    return contains(outer[1:], inner[1:])


def overlap(one: Sequence[str], two: Sequence[str]) -> bool:
    """Say whether some topic belongs to both."""
    if not one or not two:
        return all(level == HASH for level in (*one, *two))
    if one[0] == HASH:
        return overlap(one[1:], two) or overlap(one, two[1:])
    if two[0] == HASH:
        return overlap(one, two[1:]) or overlap(one[1:], two)
    if one[0] != two[0] and PLUS not in {one[0], two[0]}:
        return False
    return overlap(one[1:], two[1:])


def common_tail(one: str, two: str) -> int:
    """Return how many levels, from the right, two templates have in common."""
    count = 0
    for left, right in zip(reversed(one.split("/")), reversed(two.split("/")), strict=False):
        if left != right:
            break
        count += 1
    return count


def disjoint_filters(filters: Iterable[str]) -> tuple[str, ...]:
    """Return filters that cover the same topics without two of them matching one topic.

    A broker may send a message once for each matching filter (MQTT 3.1.1 section 3.3.5, MQTT 5
    section 3.3.4). Where two filters overlap in part, a wider one takes the place of both.
    """
    chosen: list[str] = []
    for new in sorted(set(filters)):
        merged = new
        while True:
            clash = next((old for old in chosen if _filters_overlap(old, merged)), None)
            if clash is None:
                break
            chosen.remove(clash)
            merged = _join(clash, merged)
        chosen.append(merged)
    return tuple(sorted(chosen))


def _filters_overlap(one: str, two: str) -> bool:
    return overlap(one.split("/"), two.split("/"))  # `a/#` matches `a` too, as here


def _join(one: str, two: str) -> str:
    """Return the narrowest filter that covers both."""
    left, right = one.split("/"), two.split("/")
    if contains(left, right):
        return one
    if contains(right, left):
        return two
    joined: list[str] = []
    for a, b in zip(left, right, strict=False):
        if HASH in {a, b}:
            break
        joined.append(a if a == b else PLUS)
    if len(left) != len(right) or HASH in {left[-1], right[-1]}:
        joined.append(HASH)
    return "/".join(joined)
