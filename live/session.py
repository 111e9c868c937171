"""One voice, one portrait: threads that turn sound into motion and motion into pictures, in step with the sound.

The clock is the sound: picture i belongs to samples 640 i to 640 (i + 1), and both go out under that number, the
picture first, so nothing can drift and no picture comes after its sound. A machine that is too slow leaves pictures
out evenly.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from queue import Empty, Full, Queue

import cv2
import numpy as np
import torch

from ..media.motion import Motion
from ..media.photo import to_uint8
from ..networks.motion_model.model import MotionModel
from ..networks.renderer.model import Renderer
from ..pipelines.live import LiveMotion, LivePortrait
from ..pipelines.settings import LiveSettings, RenderingSettings
from ..vocabulary import FPS, SAMPLES_A_FRAME

SOUND, PICTURE = b"A", b"P"
WAITING = 50  # messages that a viewer may be behind; the oldest go then
MOST_SOUND = 10 * FPS  # frames of sound that wait to be heard; more is a fault of the sender
KEPT = 250  # pictures over which delay and rate are told
SPARE = 1.1  # the share of time that pictures may take is 1 over it
PATIENT = 4  # chunks by which motion may be behind before pictures wait for it
CALM = 0.7  # how much of the estimated cost of a picture stays with each new one
JPEG = 85


@dataclass(frozen=True)
class Message:
    """What goes to viewers: kind SOUND (16-bit mono of one frame at 16 kHz) or PICTURE (JPEG), and its frame."""

    kind: bytes
    frame: int
    data: bytes


class Viewer:
    """Messages for one viewer, the oldest of which go when it does not fetch them."""

    def __init__(self):
        self.queue: Queue[Message | None] = Queue(WAITING)

    def put(self, message: Message | None) -> None:
        while True:
            try:
                self.queue.put_nowait(message)
                return
            except Full:
                try:
                    self.queue.get_nowait()
                except Empty:
                    pass

    def get(self, seconds: float) -> Message | None:
        """The next message; None at the end. Raises queue.Empty after some seconds without one."""
        return self.queue.get(timeout=seconds)


class Session:
    """A portrait (H,W,3) in [0,1] and its voice, in a `with` block: `hear` sound, `viewer` for what comes of it,
    `status` for how it goes."""

    def __init__(
        self,
        renderer: Renderer,
        model: MotionModel,
        portrait: torch.Tensor,
        settings: LiveSettings | None = None,
        rendering: RenderingSettings | None = None,
        bf16: bool = False,
    ):
        self.portrait = LivePortrait(renderer, portrait, rendering or RenderingSettings(size=256), bf16)
        self.live = LiveMotion(model, self.portrait.appearance, settings, bf16)
        self.viewers: set[Viewer] = set()
        self.lock = threading.Lock()
        self.news = threading.Condition()
        self.incoming: deque[np.ndarray] = deque()
        self.arrived: deque[tuple[int, float]] = deque(maxlen=4 * KEPT)  # (frames heard, when)
        self.samples, self.frames_out, self.pictures, self.left_out = 0, 0, 0, 0
        self.cost = 0.0  # seconds of a picture
        self.delays: deque[float] = deque(maxlen=KEPT)
        self.shown: deque[float] = deque(maxlen=KEPT)
        self.to_draw: deque[tuple[int, Motion, bytes]] = deque()  # frame, its motion and its sound
        self.ended, self.error = False, None
        self.threads = [
            threading.Thread(target=self._run, args=(work,), daemon=True) for work in (self._move, self._draw)
        ]

    def __enter__(self) -> Session:
        self._warm_up()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error) -> None:
        with self.news:
            self.ended = True
            self.news.notify_all()
        for thread in self.threads:
            thread.join(30)
        self._send(None)

    def _warm_up(self) -> None:
        """Run everything once on silence: what is loaded and compiled at the first call would be seconds of delay."""
        settings = self.live.settings
        self.live.push(torch.zeros((settings.chunk + settings.ahead) * SAMPLES_A_FRAME))
        motion = self.live.next()
        for _ in range(2):
            begun = time.monotonic()
            self.portrait.draw(_one(motion, 0), 0)
            self.cost = time.monotonic() - begun
        self.live.start_again()

    def _run(self, work) -> None:
        try:
            work()
        except Exception as error:  # told by `status`; the viewers end
            self.error = error
            with self.news:
                self.ended = True
                self.news.notify_all()
            self._send(None)

    def hear(self, samples: np.ndarray) -> None:
        """Sound (n,) float32 at 16 kHz that follows what was heard before. ValueError where far too much waits."""
        with self.news:
            waiting = sum(map(len, self.incoming)) + len(samples)
            if waiting > MOST_SOUND * SAMPLES_A_FRAME:
                raise ValueError("The sound comes faster than it can be heard: send it as it is spoken.")
            self.incoming.append(np.clip(np.nan_to_num(samples.astype(np.float32)), -1, 1))
            self.samples += len(samples)
            self.arrived.append((self.samples // SAMPLES_A_FRAME, time.monotonic()))
            self.news.notify_all()

    def viewer(self) -> Viewer:
        """A new viewer; give it back to `leave`."""
        viewer = Viewer()
        with self.lock:
            self.viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        with self.lock:
            self.viewers.discard(viewer)

    def _send(self, message: Message | None) -> None:
        with self.lock:
            for viewer in self.viewers:
                viewer.put(message)

    def _move(self) -> None:
        """Sound to motion."""
        rest = np.zeros(0, np.float32)
        while True:
            with self.news:
                self.news.wait_for(lambda: self.ended or self.incoming)
                if self.ended:
                    return
                heard = np.concatenate([rest, *self.incoming])
                self.incoming.clear()
            self.live.push(torch.from_numpy(heard[len(rest) :].copy()))
            rest = heard
            while (motion := self.live.next()) is not None:
                first, length = self.live.made - motion.frames, motion.frames * SAMPLES_A_FRAME
                sound, rest = (rest[:length] * 32767).astype("<i2").reshape(motion.frames, -1), rest[length:]
                with self.news:
                    self.to_draw.extend((first + i, _one(motion, i), part.tobytes()) for i, part in enumerate(sound))
                    self.frames_out = first + motion.frames
                    self.news.notify_all()

    def _draw(self) -> None:
        """Motion to pictures, as many as there is time for; the sound of every frame follows."""
        while True:
            with self.news:
                self.news.wait_for(lambda: self.ended or self.to_draw)
                if self.ended:
                    return
                frame, motion, sound = self.to_draw.popleft()
                wanted = frame % self.stride() == 0 and not self._late() and not self._hurried()
            if wanted:
                begun = time.monotonic()
                self._show(frame, to_uint8(self.portrait.draw(motion, frame)[0]))
                self._account(frame, time.monotonic() - begun)
            else:
                self.left_out += 1
            self._send(Message(SOUND, frame, sound))

    def stride(self) -> int:
        """Of how many frames one is drawn, so that drawing keeps up with the sound."""
        return max(1, int(np.ceil(self.cost * FPS * SPARE - 1e-9)))

    def behind(self) -> int:
        """Frames by which motion is behind the sound, beyond those that it hears ahead."""
        return max(0, self.samples // SAMPLES_A_FRAME - self.live.settings.ahead - self.frames_out)

    def _hurried(self) -> bool:
        """Whether motion is so far behind that it needs the time of pictures."""
        return self.behind() > PATIENT * self.live.settings.chunk

    def _late(self) -> bool:
        """Whether more frames wait than come at once, so that the oldest would be shown late."""
        return len(self.to_draw) > 2 * self.live.settings.chunk + self.stride()

    def _show(self, frame: int, picture: np.ndarray) -> None:
        _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG])
        self._send(Message(PICTURE, frame, data.tobytes()))

    def _account(self, frame: int, seconds: float) -> None:
        now = time.monotonic()
        self.cost = CALM * self.cost + (1 - CALM) * seconds
        with self.news:
            self.pictures += 1
            self.shown.append(now)
            heard = next((when for frames, when in self.arrived if frames > frame), None)
            if heard is not None:
                self.delays.append(now - heard)

    def status(self) -> dict:
        """Seconds heard, frames made and shown, delay in milliseconds from the last sample of a frame to its picture
        (median and 95th percentile of the last ones), pictures a second, and frames by which motion is behind the sound
        beyond what it hears ahead."""
        with self.news:
            delays, shown = sorted(self.delays), list(self.shown)
        span = shown[-1] - shown[0] if len(shown) > 1 else 0
        return {
            "heard_seconds": self.samples / SAMPLES_A_FRAME / FPS,
            "frames": self.frames_out,
            "pictures": self.pictures,
            "left_out": self.left_out,
            "fps": (len(shown) - 1) / span if span else 0.0,
            "every": self.stride(),
            "delay_ms": 1000 * statistics.median(delays) if delays else None,
            "delay_95_ms": 1000 * delays[int(0.95 * (len(delays) - 1))] if delays else None,
            "behind": self.behind(),
            "viewers": len(self.viewers),
            "error": None if self.error is None else str(self.error),
        }


def _one(motion: Motion, i: int) -> Motion:
    return replace(motion, values=motion.values[i : i + 1])
