"""YAML that people write, with the line of everything in it, so that an error says where it is.

It is read as version 1.2 has it: only `true` and `false` are booleans, so that Tasmota's `ON` and
`OFF` stay words. Anchors, tags and duplicate keys are refused.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import yaml

from core.errors import ConfigurationError, PasserelleError, Place

Segment = str | int
"""A step into a document: a key, or a place in a list."""
Error = TypeVar("Error", bound=PasserelleError)

_DEEPEST = 100
_AT = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+)\]")
_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str"))
_CONSTANTS = {"null": None, "~": None, "": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?\d{1,18}", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:\d{1,40}\.\d{0,40}|\.\d{1,40}|\d{1,40}(?=[eE]))(?:[eE][-+]?\d{1,3})?", re.ASCII
)
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")


class PlacedYaml(Generic[Error]):
    """A YAML document with its line numbers.

    Args:
        source: the text.
        origin: where it comes from: a file name.
        noun: what it describes, for errors: `profile`.
        error: which error is raised; its sentence begins with `origin:line: field:`.

    Raises:
        PasserelleError: `error`: it is not YAML, or not a mapping.
    """

    def __init__(self, source: str, origin: str, *, noun: str, error: type[Error]) -> None:
        self._origin = origin
        self._noun = noun
        self._error = error
        self._lines: dict[tuple[Segment, ...], int] = {}
        self._seen: set[int] = set()
        try:
            root: Any = _composed(source)
        except (yaml.YAMLError, RecursionError) as failure:
            mark = getattr(failure, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            what = getattr(failure, "problem", None) or str(failure) or type(failure).__name__
            raise self._at(line, "", f"it is not YAML: {what}") from None
        if not isinstance(root, yaml.MappingNode):
            raise self._at(1, "", f"a {noun} is a mapping of keys to values")
        self._root: yaml.MappingNode = root

    def plain(self) -> Any:
        """Return the document as plain values.

        Raises:
            PasserelleError: `error`: it uses more of YAML than plain values.
        """
        return self._plain(self._root, ())

    def problem(self, path: Sequence[Segment], detail: str) -> Error:
        """Return the error for a field: file, line, field, what is wrong."""
        known = tuple(path)
        while known and known not in self._lines:
            known = known[:-1]
        return self._at(self._lines.get(known, 1), shown(path) or self._noun, detail)

    def _at(self, line: int, field: str, detail: str) -> Error:
        where = f"{self._origin}:{line}"
        found = self._error(f"{where}: {field}: {detail}" if field else f"{where}: {detail}")
        if isinstance(found, ConfigurationError):
            found.place = Place(line, field, detail)
        return found

    def _plain(self, node: yaml.Node, path: tuple[Segment, ...]) -> Any:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen:
            raise self.problem(path, "anchors are not used here; write it out")
        self._seen.add(id(node))
        if node.tag not in _TAGS:
            raise self.problem(path, f"the tag {node.tag[:60]} is not used here")
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*path, n)) for n, item in enumerate(node.value)]
        return _scalar(node.value, quoted=bool(getattr(node, "style", None)))

    def _pairs(
        self, node: yaml.MappingNode, path: tuple[Segment, ...]
    ) -> Iterator[tuple[str, Any]]:
        keys: set[str] = set()
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key, str):
                raise self.problem(path, "a key is a word")
            self._lines[(*path, key)] = key_node.start_mark.line + 1
            if key in keys:
                raise self.problem((*path, key), "the key comes twice")
            keys.add(key)
            yield key, self._plain(value_node, (*path, key))


def _composed(source: str) -> Any:
    """Return the tree of a document, read in C where that is there; errors are Python's own.

    What is nested without end is refused before: in C it would overflow the stack and end the
    process, in Python it would take minutes.
    """
    beyond = None
    with contextlib.suppress(yaml.YAMLError, AttributeError):
        beyond = _beyond_depth(source)
        if beyond is None:
            return yaml.compose(source, Loader=yaml.CBaseLoader)
    if beyond is not None:
        raise yaml.MarkedYAMLError(
            problem=f"it is nested more than {_DEEPEST} deep", problem_mark=beyond
        )
    return yaml.compose(source, Loader=yaml.BaseLoader)


def _beyond_depth(source: str) -> Any:
    """Return the mark at which a document is nested too deep, or None; events do not recurse."""
    depth = 0
    for event in yaml.parse(source, Loader=yaml.CBaseLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                return event.start_mark
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def hint(name: str, known: Iterable[str]) -> str:
    """Return what to write instead of a name that is not known, as the end of a sentence."""
    there = sorted(known)
    close = difflib.get_close_matches(name, there, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(there)}"


def explained(message: str, fields: Collection[str]) -> tuple[tuple[Segment, ...], str]:
    """Take msgspec's sentence apart: where it is, and what it is.

    Args:
        message: of `msgspec.ValidationError`.
        fields: every field that could be meant.
    """
    found = _AT.fullmatch(message)
    what = (found["what"] if found else message).strip()
    steps = _STEP.finditer((found["path"] or "") if found else "")
    path: list[Segment] = [int(step["index"]) if step["index"] else step["key"] for step in steps]
    unknown = _UNKNOWN.search(what)
    if unknown:
        name = unknown["name"]
        return (*path, name), f"unknown key{hint(name, fields)}"
    return tuple(path), what


def shown(path: Sequence[Segment]) -> str:
    """Return a path as people write it: `topics[0].reader`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).lstrip(".")


def _scalar(word: str, *, quoted: bool) -> Any:
    if quoted:
        return word
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    if _INTEGER.fullmatch(word):
        return int(word)
    return float(word) if _FLOAT.fullmatch(word) else word
