"""Two voices of a conversation as two tracks of one length, each silent while the other speaks."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from .audio import resample
from .mixing import mix

ORDERS = ("as recorded", "one after the other")
TURN = re.compile(r"([12])\s*:?\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)")
FADE = 0.01  # seconds, so that a cut does not click


def two_tracks(
    first: tuple[Tensor, int], second: tuple[Tensor, int], order: str = "as recorded", pause: float = 0.3
) -> tuple[Tensor, Tensor, int]:
    """Two voices (C,N) with their rates -> tracks (1,M) of one length at the first's rate. order: "as recorded", both
    from the beginning, or "one after the other", with `pause` seconds between them."""
    rate = first[1]
    one, two = mix(first[0], "mono"), resample(mix(second[0], "mono"), second[1], rate)
    if order == ORDERS[1]:
        two = torch.cat([two.new_zeros(1, one.shape[1] + round(pause * rate)), two], 1)
    length = max(one.shape[1], two.shape[1])
    one, two = (torch.nn.functional.pad(track, (0, length - track.shape[1])) for track in (one, two))
    return one, two, rate


def split_by_times(waveform: Tensor, rate: int, times: str) -> tuple[Tensor, Tensor]:
    """One recording (C,N) of two voices -> two tracks (1,N), by times in seconds such as "1: 0-2.4, 2: 2.4-5".

    ValueError for anything else, for a turn that ends before it begins, and where one never speaks."""
    turns = [(int(who), float(start), float(end)) for who, start, end in TURN.findall(times)]
    if not turns or re.sub(r"[\s,;]", "", TURN.sub("", times)):
        raise ValueError(
            f"The times {times.strip()!r} could not be read: write who speaks from when to when in seconds, such as "
            "1: 0-2.4, 2: 2.4-5."
        )
    for who, start, end in turns:
        if end <= start:
            raise ValueError(f"The turn {who}: {start:g}-{end:g} ends before it begins: give its start first.")
    if {who for who, *_ in turns} != {1, 2}:
        raise ValueError("The times name one of the two voices only: give turns of 1 and of 2.")
    mono = mix(waveform, "mono")
    at = torch.arange(mono.shape[1]) / rate
    gains = []
    for voice in (1, 2):
        gain = torch.zeros(mono.shape[1])
        for who, start, end in turns:
            if who == voice:
                gain = torch.maximum(gain, (torch.minimum(at - start, end - at) / FADE + 1).clamp(0, 1))
        gains.append(gain)
    return mono * gains[0], mono * gains[1]
