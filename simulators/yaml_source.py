"""YAML read strictly: duplicate keys are errors, and a wrong field is named with its line."""

from __future__ import annotations

from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from core.errors import ConfigurationError

_Model = TypeVar("_Model", bound=BaseModel)


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice."""


def _strict_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} stands here twice", key_node.start_mark
            )
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _strict_mapping)


def read_yaml(text: str, model: type[_Model], *, name: str) -> _Model:
    """Return `text` as `model`.

    Args:
        text: the YAML.
        model: what it has to be.
        name: the file's name, for errors.

    Raises:
        ConfigurationError: it is not YAML, or not `model`; every wrong field with its line.
    """
    try:
        tree = yaml.compose(text, Loader=_StrictLoader)
        data = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigurationError(f"{name}, line {line}: {error.problem or error}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name}: {error}") from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = []
        for problem in error.errors():
            path = tuple(part for part in problem["loc"] if not _is_tag(part))
            field = ".".join(str(part) for part in path) or "the file"
            message = problem["msg"].removeprefix("Value error, ")
            problems.append(f"{name}, line {_line(tree, path)}: {field}: {message}")
        raise ConfigurationError("\n".join(problems)) from None


def _is_tag(part: int | str) -> bool:
    # pydantic names the branch of a union in the path; it is no key of the file
    return isinstance(part, str) and part in {"str", "float", "Climate", "function-before"}


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """Return the line of the deepest part of `path` that stands in the file."""
    if node is None:
        return 1
    line = node.start_mark.line + 1
    for part in path:
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, child = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            child = node.value[part]
            line = child.start_mark.line + 1
        if child is None:
            break
        node = child
    return line
