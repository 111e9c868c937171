"""What a piece of work is and about how long it takes, told before it begins.

The seconds are those of the last work of the same kind in this process, on the same device, or of a trial: a few frames
or solver steps that are made and thrown away. Short work has no trial, which would be a large part of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from torch import Tensor

from ..media.motion import Motion
from ..networks.motion_model.model import GlobalAudio, MotionModel
from ..networks.renderer.model import Renderer, Source
from ..sampling.guidance import branches
from ..sampling.windows import plan
from ..vocabulary import FPS
from . import rendering, speaking
from .settings import RenderingSettings, SamplingSettings
from .tracking import FaceTrack

LEAST_BATCHES = 25  # of a film that has a trial: two of them are thrown away
LEAST_STEPS = 30  # of a sampling that has a trial: three of them are thrown away
TRIAL_STEPS = 3
BATCH = 22_000_000, 48  # bytes of a frame in work, and of each of its pixels, measured on a CPU
WINDOW = 75_000  # bytes of a frame of a window

_paces: dict[Hashable, float] = {}  # seconds a unit of work, as the last one had it


@dataclass(frozen=True)
class Forecast:
    """Work of so many units, such as frames, of a kind whose pace may be known."""

    name: str  # such as Rendering
    what: str
    units: int
    kind: Hashable
    trial: Callable[[], float] | None = None  # gives seconds a unit

    def seconds(self) -> float | None:
        """About how long the work takes; None where nothing tells."""
        if self.kind not in _paces and self.trial is not None:
            _paces[self.kind] = self.trial()
        return _paces[self.kind] * self.units if self.kind in _paces else None

    def text(self) -> str:
        """A sentence for those who wait; its seconds come first, as a page shows two lines of it."""
        return self.said(self.seconds())

    def said(self, seconds: float | None) -> str:
        """`text` with so many seconds."""
        return f"{self.name}{'' if seconds is None else f', about {length(seconds)}'}: {self.what}."

    def took(self, seconds: float, units: int | None = None) -> None:
        """Remember how long so many units (None: all) took."""
        _paces[self.kind] = seconds / max(1, self.units if units is None else units)

    @contextmanager
    def told(self, say: Callable[[str], None]) -> Iterator[None]:
        """A block that does all of the work, before which it is said what it is and about how long it takes."""
        say(self.text())
        began = time.perf_counter()
        yield
        self.took(time.perf_counter() - began)

    def timed(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        """The batches of the work as they are; once all were made and used, it is remembered how long they took."""
        began, done = time.perf_counter(), 0
        for part in parts:
            yield part
            done += len(part)
        self.took(time.perf_counter() - began, done)


def length(seconds: float) -> str:
    """Such as 8 s, 1 min 20 s, 2 h 5 min."""
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    exact = 10 if seconds < 595 else 60
    minutes, rest = divmod(round(seconds / exact) * exact, 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def size(count: float) -> str:
    """Bytes, such as 140 MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"


def of_rendering(
    renderer: Renderer,
    source: Source,
    appearance: Tensor,
    motion: Motion,
    settings: RenderingSettings,
    *,
    bf16: bool = False,
    finish: Callable[[Iterator[Tensor]], Iterator[Tensor]] = iter,
    kept: int = 0,
    people: int = 1,
    first: int = 0,
) -> Forecast:
    """Of `rendering.render`, and of what `finish` makes of its batches. kept: bytes of a frame that stays in memory.
    people: how many are rendered for one frame. first: frames that are there already."""
    height, width = rendering.frame_size(renderer, source, settings.size)
    device = next(renderer.parameters()).device
    batch, frames = min(settings.batch, motion.frames), motion.frames - first
    memory = people * batch * (BATCH[0] + BATCH[1] * height * width) + kept * frames
    of = f" of {motion.frames}" if first else ""
    what = f"{frames}{of} frames of {width}x{height}, {batch} at once, about {size(memory)} of memory"

    def trial() -> float:
        few = replace(motion, values=motion.values[:batch])
        for _ in range(2):  # the first time also loads and prepares
            began, done = time.perf_counter(), 0
            for part in finish(rendering.render(renderer, source, appearance, few, settings, bf16=bf16)):
                done += len(part)
                if done == batch:  # before the end, where `render` warns of motion
                    break
        return people * (time.perf_counter() - began) / batch

    kind = ("rendering", device, bf16, renderer.config, height, width, settings.batch, people, finish is iter)
    return Forecast("Rendering", what, frames, kind, trial if frames >= LEAST_BATCHES * batch else None)


def of_sampling(
    model: MotionModel,
    global_audio,
    local_audio: Tensor,
    appearance: Tensor | None,
    settings: SamplingSettings,
    *,
    bf16: bool = False,
) -> Forecast:
    """Of `speaking.generate_motion` for a whole recording; its units are solver steps."""
    frames = local_audio.shape[1]
    if model.config.frame_by_frame:
        settings = replace(settings, mode="strict")
    spans = plan(speaking.WARM_UP_FRAMES + frames, settings)
    window = max(stop - start for start, stop, _ in spans)
    memory = 2 * frames * model.config.motion_dim * 4 + window * WINDOW
    windows = "1 window" if len(spans) == 1 else f"{len(spans)} windows"
    what = (
        f"{frames} frames ({frames / FPS:.1f} s) in {windows} of {settings.steps} steps, about {size(memory)} of memory"
    )

    def trial() -> float:
        marks: list[float] = []
        one = replace(settings, steps=TRIAL_STEPS)
        part = slice(0, max(1, min(window - speaking.WARM_UP_FRAMES, frames)))
        cut = GlobalAudio(global_audio.style, global_audio.frames[:, part])
        speaking.generate_motion(
            model,
            cut,
            local_audio[:, part],
            appearance,
            one,
            bf16=bf16,
            progress=lambda done, total: marks.append(time.perf_counter()),
        )
        return min(after - before for before, after in zip(marks, marks[1:], strict=False))

    rows = len(branches(settings.audio_guidance, 1.0 if appearance is None else settings.appearance_guidance))
    kind = ("sampling", model.rest_motion.device, bf16, model.config, settings.mode, window, settings.solver, rows)
    units = len(spans) * settings.steps
    return Forecast("Sampling", what, units, kind, trial if units >= LEAST_STEPS else None)


def of_dubbing(renderer: Renderer, track: FaceTrack, bf16: bool = False, first: int = 0) -> Forecast:
    """Of `dub` from a frame on. It has no trial: whether a frame is drawn depends on the face in it."""
    device = next(renderer.parameters()).device
    frames = track.frames - first
    what = f"{frames} frames of {track.width}x{track.height}"
    return Forecast("Dubbing", what, frames, ("dubbing", device, bf16, renderer.config, track.height, track.width))
