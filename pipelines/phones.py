"""Motion of a mouth whose phones and their times are known, alone or in place of the lips of another motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from ..media.motion import Motion, check_language
from ..media.motion_edit import resample_motion
from ..networks.renderer.model import Renderer
from ..visemes.phones import Phone
from ..visemes.table import CLOSURES, closed, mouth_parameters
from ..visemes.times import phones_of, read_times
from ..vocabulary import FPS, INDEX
from .regions import motion_to_parameters, parameters_to_motion
from .settings import AUTO, LANGUAGE, LipSettings

SUFFIXES = (".TextGrid", ".srt", ".vtt", ".json")
"""Of the files that `read_lips` reads; it goes by their content."""
OPENING = ("jaw", "upper_lip", "lower_lip")
SPOKEN = (*OPENING, "pucker", "spread", "press", "tongue")
"""The parameters that phones say; smiles stay those of the other motion."""
LIPS_ALONE = frozenset("p")  # closures of both lips, not of the lower one and the teeth
FIRM = 0.2
"""Jaw parameters by which lips meet firmly: a photograph's lips that are a little apart stayed .05 eye distances apart
in closures without it, .01 with it, and shut ones stay as they are."""


def phones_to_motion(
    phones: Sequence[Phone],
    renderer: Renderer,
    settings: LipSettings | None = None,
    *,
    frames: int | None = None,
    voice: Motion | None = None,
) -> Motion:
    """Timed phones -> Motion at 25 fps, relative to a face at rest; frame i is the mouth at (i + 0.5) / 25 s.

    frames: of the motion (default: to the end of the last phone). voice: a motion, as of the voice, whose smile, brows,
    eyes and head stay and whose lips are mixed with the phones' by the settings' share, closed wherever the phones
    close them; the result is as long as it is, at 25 fps, relative to its reference. Lips of both follow a speaker
    better than those of either (docs/visemes.md). Raises ValueError for no phones, and for motion of another renderer.
    """
    settings = settings or LipSettings()
    if not phones:
        raise ValueError("There are no phones: give a file with phones or words and their times.")
    if voice is not None:
        check_language(voice.language, renderer)
        voice = voice if voice.fps == FPS else resample_motion(voice, fps=Fraction(FPS))
        frames = voice.frames
    moved = [phone.moved(settings.late) for phone in phones]
    frames = max(1, round(moved[-1].end * FPS)) if frames is None else frames
    said = torch.from_numpy(mouth_parameters(moved, frames, openness=settings.openness, width=settings.width))
    moments = (np.arange(frames) + 0.5) / FPS
    shut, lips = (
        torch.from_numpy(closed([phone for phone in moved if phone.kind in kinds], moments)).to(said)
        for kinds in (CLOSURES, LIPS_ALONE)
    )
    firm = FIRM * lips**4  # at the closure itself, not on the way
    if voice is None:
        said[:, INDEX["jaw"]] -= firm
        rest = renderer.rest_motion().float().cpu()
        return Motion(parameters_to_motion(renderer, said), rest, Fraction(FPS), renderer.motion_language)
    before = motion_to_parameters(renderer, voice.values)
    after = _mixed(before, said, shut, settings.share)
    after[:, INDEX["jaw"]] -= firm
    change = parameters_to_motion(renderer, after) - parameters_to_motion(renderer, before)
    return replace(voice, values=voice.values + change.to(voice.values))


def _mixed(voice: Tensor, said: Tensor, shut: Tensor, share: float) -> Tensor:
    """Parameters (T,24) with the lips of the voice and of the phones; where these are shut (T,), they are. The press of
    the lips is the phones'."""
    mixed, spoken, opening = voice.clone(), *([INDEX[name] for name in names] for names in (SPOKEN, OPENING))
    mixed[:, opening] = mixed[:, opening].clamp_min(0) * (1 - shut)[:, None]
    mixed[:, spoken] = torch.lerp(mixed, said, share)[:, spoken]
    mixed[:, INDEX["press"]] = said[:, INDEX["press"]]
    return mixed


def read_lips(
    data: bytes, name: str, *, language: str = LANGUAGE, phone_set: str = AUTO, sound: Tensor | None = None
) -> tuple[Phone, ...]:
    """The phones in the bytes of a TextGrid, an SRT, a VTT or a JSON with times; `name` stands in messages.

    language: espeak-ng's name of a text's language; phone_set: one of PHONE_SETS; sound (1,N) at 16 kHz: where it is
    silent, a line of text is not spoken. ValueError for other content, RuntimeError where espeak-ng is missing."""
    heard = None if sound is None else sound.reshape(-1).cpu().numpy()
    return phones_of(read_times(data, name, phone_set), language, heard)
