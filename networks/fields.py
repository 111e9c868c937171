"""Configs come from files: the check of a config's fields against their own types and declared ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from numbers import Real
from typing import Any, get_args, get_origin, get_type_hints

from ..messages import shown

Ranges = Mapping[str, tuple[float, float]]

USUAL = (1, 8192)  # of whole numbers without a range of their own: widths of layers
DEEPEST, LONGEST = 3, 32  # of dicts and tuples within a dict


def check_fields(config: Any, ranges: Ranges) -> None:
    """Raise ValueError, which names the field, unless each is of its declared type and numbers are in their range.

    config: a dataclass with fields of int, float, bool, str, tuple[int, ...], tuple[int, int] and dict. ranges: least
    and most by the field's name, USUAL where there is none; of a tuple they are its entries', and names within a dict
    count too."""
    for name, declared in _types(type(config)).items():
        if fault := _fault(declared, getattr(config, name), ranges.get(name, USUAL)):
            raise ValueError(f"{name} {fault}")
        if declared is dict:
            _check_dict(name, getattr(config, name), ranges)


def check_names(config: type, values: Any, retired: Any = ()) -> None:
    """Raise ValueError unless `values` is a mapping whose names are fields of a dataclass, or retired ones."""
    if not isinstance(values, Mapping):
        raise ValueError(f"the config must be an object with a value for each field, not {shown(values)}")
    unknown = sorted(set(values) - {field.name for field in fields(config)} - set(retired), key=str)
    if unknown:
        raise ValueError(f"the config has unknown fields {shown(unknown)}: the checkpoint needs a newer Mamba Portrait")


@cache
def _types(config: type) -> dict[str, Any]:
    hints = get_type_hints(config)
    return {field.name: hints[field.name] for field in fields(config)}


def _fault(declared: Any, value: Any, limits: tuple[float, float]) -> str | None:
    if get_origin(declared) is tuple:
        entries = get_args(declared)
        count = LONGEST if entries[-1] is ... else len(entries)
        right = isinstance(value, tuple) and (len(value) <= count if entries[-1] is ... else len(value) == count)
        if not right or any(_fault(int, entry, limits) for entry in value):
            many = f"{'at most ' if entries[-1] is ... else ''}{count}"
            return f"must be {many} whole numbers from {limits[0]} to {limits[1]}, not {shown(value)}"
        return None
    if declared in (int, float):
        number = isinstance(value, int if declared is int else Real) and not isinstance(value, bool)
        if number and limits[0] <= value <= limits[1]:
            return None
        whole = "whole " if declared is int else ""
        return f"must be a {whole}number from {limits[0]} to {limits[1]}, not {shown(value)}"
    kind = {bool: "true or false", str: "a text", dict: "an object"}[declared]
    return None if isinstance(value, declared) else f"must be {kind}, not {shown(value)}"


def _check_dict(path: str, values: Any, ranges: Ranges, depth: int = 0) -> None:
    """The values within a dict: numbers in their ranges, short texts, None, and tuples and dicts of those."""
    if isinstance(values, dict) and depth < DEEPEST:
        items = [(f"{path}.{name if str(name).isidentifier() else shown(name)}", name, v) for name, v in values.items()]
    elif isinstance(values, (tuple, list)) and depth < DEEPEST and len(values) <= LONGEST:
        items = [(path, path.rpartition(".")[2], value) for value in values]
    else:
        raise ValueError(f"{path} is nested too deep or too long")
    for place, name, value in items:
        if isinstance(value, (dict, tuple, list)):
            _check_dict(place, value, ranges, depth + 1)
        elif isinstance(value, bool) or value is None or (isinstance(value, str) and len(value) <= 64):
            continue
        elif isinstance(value, (int, float)):
            low, high = ranges.get(name, (0, 65536))
            if not (math.isfinite(value) if isinstance(value, float) else True) or not low <= value <= high:
                raise ValueError(f"{place} must be a number from {low} to {high}, not {shown(value)}")
        else:
            raise ValueError(f"{place} must be a number, a short text, true, false or null, not {shown(value)}")
