"""ACTalker's encoding of a voice: Whisper's hidden states around each frame, projected to tokens."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...media.audio import frame_count
from ...networks.actalker.model import VOICE_PARTS, ACTalker
from ...vocabulary import ACTALKER_FPS, SAMPLE_RATE

PIECE = 30 * SAMPLE_RATE  # samples of one Whisper input
STEPS_A_FRAME = 4  # Whisper steps (20 ms) per generated frame
BEFORE, AFTER = 4, 6  # zero steps of padding, so that every frame has a full window


@dataclass(frozen=True, eq=False)
class VoiceTokens:
    """tokens (T, n, D) at 12.5 frames a second, and the tokens of no voice (1, n, D)."""

    tokens: Tensor
    none: Tensor

    @property
    def frames(self) -> int:
        return self.tokens.shape[0]


@torch.inference_mode()
def encode_voice(
    model: ACTalker,
    waveform: Tensor,
    *,
    progress: Callable[[int, int], None] | None = None,
    keep_on: str | torch.device = "cpu",
) -> VoiceTokens:
    """Mono 16 kHz waveform (N,) or (1, N) to voice tokens of floor(N / 1280 + 1/2) frames, padded with silence.

    progress(done, total) is called after every 30 s of sound and may raise to cancel.
    Raises ValueError for less than half a frame (40 ms) of sound, RuntimeError if the voice parts were not loaded.
    """
    model.require(VOICE_PARTS, "encode a voice")
    projector = model.audio_projector
    tokens = torch.cat([projector(part) for part in speech_windows(model, waveform, progress).split(64)])
    return VoiceTokens(tokens.to(keep_on), projector.unconditional().to(keep_on))


def speech_windows(model: ACTalker, waveform: Tensor, progress: Callable[[int, int], None] | None = None) -> Tensor:
    """Whisper's hidden states around each generated frame (T, 10, layers + 1, channels).

    T, progress and errors as in `encode_voice`.
    """
    waveform = waveform.reshape(-1).float().cpu()
    frames = frame_count(waveform.numel(), SAMPLE_RATE, ACTALKER_FPS)
    if frames == 0:
        raise ValueError(f"The voice has {waveform.numel()} samples at 16 kHz; give at least 640 (40 ms).")
    steps, pieces, encoded = STEPS_A_FRAME * frames, waveform.split(PIECE), []
    for piece in pieces:
        encoded.append(_hidden_states(model, piece))
        if progress is not None:
            progress(len(encoded), len(pieces))
    states = torch.cat(encoded)[:steps]
    silence = states.new_zeros(BEFORE + AFTER, *states.shape[1:])
    padded = torch.cat([silence[:BEFORE], states, silence[BEFORE:]]).to(model.audio_projector.proj1.weight)
    return padded.unfold(0, model.config.audio_window, STEPS_A_FRAME)[:frames].movedim(-1, 1)


def _hidden_states(model: ACTalker, piece: Tensor) -> Tensor:
    """All of Whisper's hidden states (1500, layers + 1, channels) of at most 30 s, the last after its final norm."""
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(feature_size=model.config.whisper["num_mel_bins"])
    mel = extractor(piece.numpy(), sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
    weight = model.whisper.conv1.weight
    hidden_states = model.whisper(mel.to(weight), output_hidden_states=True).hidden_states
    return torch.stack(hidden_states, 2)[0]
