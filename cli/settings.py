"""Options for settings: their defaults, ranges and choices are those of `pipelines/settings.py`."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

from ..pipelines.settings import Range, Settings
from .options import number


def add_setting(
    group, settings: type[Settings], flag: str, name: str, text: str, *, none: str | None = None, **more: Any
) -> None:
    """An option for one setting; its range and default are appended to the help text. `none` is the word for None;
    `more` goes to argparse."""
    allowed, default = settings.allowed(name), getattr(settings, name)
    shown = [] if default is None else [f"default {default}"]
    if isinstance(allowed, Range):
        metavar = flag.lstrip("-").upper().replace("-", "_")
        more = {"type": number(allowed, none), "metavar": metavar, **more}
        shown.insert(0, f"{none}, or {allowed}" if none else str(allowed))
    else:
        more["choices"] = allowed.options
    text += f" ({'; '.join(shown)})"
    group.add_argument(flag, dest=_place(settings, name), default=default, help=text, **more)


def chosen(options: argparse.Namespace, settings: type[Settings]) -> Any:
    """The settings from the options, with defaults for those that the command does not have. Raises ValueError for
    combinations that are not allowed."""
    given = vars(options)
    places = {field.name: _place(settings, field.name) for field in fields(settings)}
    return settings(**{name: given[place] for name, place in places.items() if place in given})


def _place(settings: type[Settings], name: str) -> str:
    """Attribute name of a setting in argparse's namespace: sampling and rendering both have a `mode`."""
    return f"{settings.__name__}.{name}"
