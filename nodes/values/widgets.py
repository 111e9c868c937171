"""Widgets of settings: their defaults, ranges and choices are those of `pipelines/settings.py`."""

from ...host import io
from ...pipelines.settings import Choice, Settings


def setting(settings: type[Settings], name: str, tooltip: str, **more):
    """The input of a node for one setting; `more` goes to the host's Input as it is."""
    allowed, default = settings.allowed(name), getattr(settings, name)
    if isinstance(allowed, Choice):
        return io.Combo.Input(name, options=list(allowed.options), default=default, tooltip=tooltip, **more)
    widget = io.Int if allowed.whole else io.Float
    more |= {} if allowed.step is None else {"step": allowed.step}
    return widget.Input(name, default=default, min=allowed.low, max=allowed.high, tooltip=tooltip, **more)
