"""A sync judge as a loss of stage 2: the mouths that the audio regression commands, as portraits would show them, must
be nearer to their own sound than to the sound some frames before or after.

In sampling the mouth is the audio regression's, so the loss reaches that and the audio extractors, not the denoiser.
One that is a loss must not judge the result: two are trained, on different people (training/sync_judge).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ....networks.renderer.model import Renderer
from ...datasets.tracks import Track, TrackBatch
from ...evaluation.sync.judge import load_sync_judge
from ...evaluation.sync.network import SyncNetwork
from ..sync_judge.task import REACH, SPREADS, shift_entropy
from .shown_mouths import ShownMouths, mouths_of_clips, rendered_mouths

WINDOWS = 8  # of a batch that are looked at
FRAMES = 32  # of a window, at most
EDGE = 2  # frames at either end of which the judge sees too little


class SyncLoss(nn.Module):
    """judge and the maps of the portraits' mouths, all of them frozen."""

    def __init__(self, judge: SyncNetwork, portraits: Sequence[ShownMouths]):
        super().__init__()
        self.judge, self.portraits = judge, nn.ModuleList(portraits)
        self.eval().requires_grad_(False)

    @classmethod
    def of(cls, judge: str, photos: Sequence[Tensor], renderer: Renderer, tracks: Sequence[Track]) -> SyncLoss:
        """By the file of a judge, photographs (S,S,3) in [0,1], and clips whose mouths the portraits are seen under."""
        mouths = mouths_of_clips(tracks)
        shown = [ShownMouths(mouths, rendered_mouths(renderer, photo, mouths)) for photo in photos]
        return cls(load_sync_judge(judge), shown).to(next(renderer.parameters()).device)

    def forward(self, mouths: Tensor, tracks: TrackBatch) -> Tensor:
        """Mean cross-entropy (nats) of shift 0 among all shifts; mouths (B,W,9) are those of the windows of tracks."""
        count = min(len(mouths), WINDOWS)
        frames = min(mouths.shape[1], FRAMES)
        start = (mouths.shape[1] - frames) // 2
        told = mouths[:count, start : start + frames].float()
        pictures = torch.stack([self.portraits[i % len(self.portraits)](told[i]) for i in range(count)])
        seen = self.judge.seen(pictures)[:, EDGE : frames - EDGE]
        first = tracks.margin + start + EDGE - REACH
        heard = self.judge.heard(tracks.audio[:count])[:, first : first + seen.shape[1] + 2 * REACH]
        by_shift = torch.einsum("btd,btds->bts", seen, heard.unfold(1, 2 * REACH + 1, 1))
        terms = [shift_entropy(by_shift, spread, self.judge.sharpness) for spread in SPREADS]
        return torch.stack(terms).mean()
