"""Widgets of settings: their defaults, ranges and choices are those of `pipelines/settings.py`. What the widgets of
face finding say."""

from ...host import io
from ...media.faces import CHOICES
from ...pipelines.settings import Choice, Settings

FINDER_TOOLTIP = (
    "auto: the first of own, yunet and cascade that can run here. own: the pack's network. yunet: OpenCV's network, if "
    "its file is there. cascade: OpenCV's older detector, if it has its files. "
)


def advanced(widget):
    """The widget, marked as one that a beginner need not see, where the host knows of that."""
    if hasattr(widget, "advanced"):
        widget.advanced = True
    return widget


def time_input(name: str, tooltip: str):
    """A time of a video, in seconds."""
    return io.Float.Input(
        name,
        display_name=f"{name} (seconds)",
        default=0.0,
        min=0.0,
        max=86400.0,
        step=0.01,
        optional=True,
        tooltip=tooltip,
    )


def which_face_inputs() -> list:
    """Which of several faces: a choice, and a number for one of its options."""
    return [
        io.Combo.Input(
            "face",
            options=[*CHOICES, "number"],
            default="largest",
            tooltip="Which face, when there are several: the largest; left, right, center: by its place in the "
            "picture; number: the one given by face_number.",
        ),
        advanced(
            io.Int.Input(
                "face_number",
                default=0,
                min=0,
                max=99,
                tooltip="With face = number: 0 is the largest face, 1 the next.",
            )
        ),
    ]


def setting(settings: type[Settings], name: str, tooltip: str, **more):
    """The input of a node for one setting; `more` goes to the host's Input as it is."""
    allowed, default = settings.allowed(name), getattr(settings, name)
    if isinstance(allowed, Choice):
        return io.Combo.Input(name, options=list(allowed.options), default=default, tooltip=tooltip, **more)
    widget = io.Int if allowed.whole else io.Float
    more |= {} if allowed.step is None else {"step": allowed.step}
    return widget.Input(name, default=default, min=allowed.low, max=allowed.high, tooltip=tooltip, **more)
