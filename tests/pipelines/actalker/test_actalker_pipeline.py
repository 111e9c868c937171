"""Photo and voice, photo and video, or both, to frames: the whole chain at a reduced size with random weights."""

import copy
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
pytest.importorskip("transformers", reason="ACTalker needs transformers (extra actalker)")

from mamba_portrait.networks.actalker.config import ACTalkerConfig  # noqa: E402
from mamba_portrait.networks.actalker.model import MOTION_PARTS, PARTS, ACTalker  # noqa: E402
from mamba_portrait.pipelines.actalker import stages as pipeline  # noqa: E402
from mamba_portrait.pipelines.actalker import voice as actalker_voice  # noqa: E402
from mamba_portrait.pipelines.actalker.driving import frames_at_actalker_rate  # noqa: E402
from mamba_portrait.pipelines.control import Control  # noqa: E402
from mamba_portrait.sampling.actalker import guidance_rows  # noqa: E402

BOX = (40.0, 30.0, 90.0, 80.0)
FRAMES = 5


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = ACTalker(ACTalkerConfig.reduced())
    with torch.no_grad():  # SVD starts its temporal paths at zero; random weights show every path
        for parameter in model.unet.parameters():
            if parameter.dim() > 1:
                parameter.add_(torch.randn_like(parameter) * 0.02)
    return model


@pytest.fixture(scope="module")
def photo():
    return torch.rand(120, 130, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def masks(photo):
    return pipeline.face_masks(photo.shape[:2], [BOX])


@pytest.fixture(scope="module")
def identity(model, photo, masks):
    return pipeline.encode_identity(model, photo, BOX, masks.face)


@pytest.fixture(scope="module")
def voice(model):
    waveform = torch.randn(1, 1280 * FRAMES + 100, generator=torch.Generator().manual_seed(2)) * 0.1
    return pipeline.encode_voice(model, waveform)


@pytest.fixture(scope="module")
def driving(model):
    frames = torch.rand(2 * FRAMES, 120, 130, 3, generator=torch.Generator().manual_seed(3))
    return pipeline.encode_driving(model, frames, 25, [BOX])


def run(model, identity, masks, *sources, **kwargs):
    return pipeline.sample(model, identity, *sources, masks=masks, steps=2, **kwargs)


@pytest.fixture(scope="module")
def driven(model, identity, masks, voice, driving):
    """Latents driven by the voice, by the video and by both, gates open."""
    sources = {"voice": (voice, None), "video": (None, driving), "both": (voice, driving)}
    return {kind: run(model, identity, masks, *given) for kind, given in sources.items()}


def test_identity_has_the_prepared_size(model, identity):
    assert identity.size == (128, 128)
    assert identity.token.shape == (1, 1, 64)
    assert identity.latent.shape == (4, 16, 16)
    assert identity.face_feature.shape == (1, 32, 16, 16)


def test_voice_gives_a_token_set_a_frame(voice):
    assert voice.frames == FRAMES and voice.tokens.shape == (FRAMES, 4, 64) and voice.none.shape == (1, 4, 64)


def test_whisper_gives_its_embedding_and_every_layer_the_last_after_the_final_norm(model):
    states = actalker_voice._hidden_states(model, torch.randn(16000, generator=torch.Generator().manual_seed(4)) * 0.1)
    layers = model.config.whisper["encoder_layers"]
    assert states.shape == (1500, layers + 1, 16)
    whisper, seen = model.whisper, []
    hooks = [layer.register_forward_hook(lambda m, given, out: seen.append(given[0])) for layer in whisper.layers]
    normed = whisper.layer_norm.register_forward_hook(lambda m, given, out: seen.append(out))
    with torch.no_grad():
        actalker_voice._hidden_states(model, torch.randn(16000, generator=torch.Generator().manual_seed(4)) * 0.1)
    for hook in (*hooks, normed):
        hook.remove()
    for i, state in enumerate(seen):
        torch.testing.assert_close(states[:, i], state[0])


@pytest.mark.parametrize(("samples", "frames"), [(640, 1), (1280 * 3 + 639, 3), (1280 * 3 + 640, 4), (490_000, 383)])
def test_a_frame_hears_the_ten_steps_around_it(model, monkeypatch, samples, frames):
    """Steps of 20 ms 4 i - 4 .. 4 i + 5 of the whole recording, silence (zeros) where there is none."""
    heard = iter(range(1, 1_000_000))
    monkeypatch.setattr(
        actalker_voice,
        "_hidden_states",
        lambda model, piece: torch.tensor([next(heard) for _ in range(1500)]).float()[:, None, None].expand(-1, 3, 16),
    )
    told = []
    windows = actalker_voice.speech_windows(model, torch.zeros(samples), lambda *done: told.append(done))
    pieces = -(-samples // 480_000)
    assert told == [(i + 1, pieces) for i in range(pieces)]
    assert windows.shape == (frames, 10, 3, 16)
    for i in {0, frames // 2, frames - 1}:
        steps = 4 * i - 4 + torch.arange(10)
        want = torch.where((steps >= 0) & (steps < 4 * frames), steps + 1, 0).float()
        assert torch.equal(windows[i, :, 0, 0], want)
    with pytest.raises(ValueError, match="at least 640"):
        actalker_voice.speech_windows(model, torch.zeros(639))


def test_driving_video_gives_a_token_a_generated_frame(driving):
    assert driving.frames == FRAMES and driving.tokens.shape == (FRAMES, 1, 64) and driving.none.shape == (1, 1, 64)


def test_any_frame_rate_is_watched_at_twelve_and_a_half():
    assert frames_at_actalker_rate(10, 25) == [0, 2, 4, 6, 8]
    assert frames_at_actalker_rate(6, 12.5) == [0, 1, 2, 3, 4, 5]
    assert frames_at_actalker_rate(60, 30) == [int(i * Fraction(30) / Fraction(25, 2)) for i in range(25)]
    assert frames_at_actalker_rate(1, 60) == [0]
    with pytest.raises(ValueError, match="frame rate"):
        frames_at_actalker_rate(10, 0)


def far_apart(latents, others):
    """Whether every frame of two results differs by more than rounding."""
    return bool(((latents - others).abs().amax((1, 2, 3)) > 1e-2).all())


@pytest.mark.parametrize("kind", ["voice", "video", "both"])
def test_all_that_drives_reaches_every_frame(model, identity, masks, voice, driving, driven, kind):
    sources = [voice if kind != "video" else None, driving if kind != "voice" else None]
    assert driven[kind].shape == (FRAMES, 4, 16, 16) and torch.isfinite(driven[kind]).all()
    for i, source in enumerate(sources):
        if source is not None:
            other = [replace(x, tokens=x.tokens.roll(1, 0)) if x is source else x for x in sources]
            assert far_apart(driven[kind], run(model, identity, masks, *other)), i


def test_all_of_an_identity_reaches_every_frame(model, identity, masks, voice, driven):
    for part in ("token", "latent", "face_feature"):
        other = replace(identity, **{part: getattr(identity, part).flip(-1)})
        assert far_apart(driven["voice"], run(model, other, masks, voice)), part


@torch.inference_mode()
def test_latents_are_decoded_a_chunk_at_a_time_to_pictures(model):
    latents = 10 * torch.randn(FRAMES, 4, 16, 16, generator=torch.Generator().manual_seed(5))
    told = []
    parts = list(pipeline.decode(model, latents, chunk=2, progress=lambda *done: told.append(done)))
    assert [part.shape for part in parts] == [(n, 128, 128, 3) for n in (2, 2, 1)]
    assert told == [(2, FRAMES), (4, FRAMES), (5, FRAMES)]
    for part, chunk in zip(parts, latents.split(2), strict=True):
        signed = model.vae.decode(chunk, num_frames=len(chunk)).sample.permute(0, 2, 3, 1)
        assert signed.abs().max() > 1
        torch.testing.assert_close(part, (signed.clamp(-1, 1) + 1) / 2)


def test_foreign_latents_are_refused(model):
    with pytest.raises(ValueError, match=r"latents are \(1, 16, 2, 8, 8\)"):
        next(pipeline.decode(model, torch.zeros(1, 16, 2, 8, 8)))


def test_closed_gate_is_the_same_as_no_source(model, identity, masks, voice, driving, driven):
    closed = run(model, identity, masks, voice, driving, control=Control(motion=0.0))
    assert torch.equal(closed, driven["voice"])


@pytest.mark.parametrize("gates", [Control(motion=0.0), Control(audio=0.0)], ids=["voice", "video"])
def test_three_rows_equal_the_four_bit_for_bit(model, identity, masks, voice, driving, gates, monkeypatch):
    three = run(model, identity, masks, voice, driving, control=gates, rows_at_once=1)
    monkeypatch.setattr(pipeline, "guidance_rows", lambda audio, motion, scales: guidance_rows(1.0, 1.0, scales))
    assert torch.equal(run(model, identity, masks, voice, driving, control=gates, rows_at_once=1), three)


@pytest.mark.parametrize(("gate", "closed"), [("audio", "video"), ("motion", "voice")])
def test_a_gate_opens_by_degrees(model, identity, masks, voice, driving, driven, gate, closed):
    """The further it is open, the nearer is the result to that of the open gate."""
    between = [
        run(model, identity, masks, voice, driving, control=Control(**{gate: opening})) for opening in (0.3, 0.7)
    ]
    distances = [(result - driven["both"]).norm() for result in (driven[closed], *between)]
    assert distances[0] > 1.03 * distances[1] and distances[1] > 1.5 * distances[2] > 0


def test_masks_of_the_control_win(model, identity, masks, voice, driven):
    nowhere = Control(audio_mask=torch.zeros(64, 64))
    assert not torch.equal(run(model, identity, masks, voice, control=nowhere), driven["voice"])


def test_mask_modes_differ_in_joint_control_only(model, identity, masks, voice, driving):
    joint = [run(model, identity, masks, voice, driving, mask_mode=mode) for mode in ("release", "paper")]
    single = [run(model, identity, masks, voice, mask_mode=mode) for mode in ("release", "paper")]
    assert not torch.equal(*joint) and torch.equal(*single)


def test_nothing_to_drive_by_is_said(model, identity, masks, voice):
    with pytest.raises(ValueError, match="Nothing drives"):
        run(model, identity, masks)
    with pytest.raises(ValueError, match="Nothing drives"):
        run(model, identity, masks, voice, control=Control(audio=0.0))


def test_missing_parts_are_named(photo):
    model = ACTalker(ACTalkerConfig.reduced(), tuple(part for part in PARTS if part not in MOTION_PARTS))
    with pytest.raises(RuntimeError, match="expression, head_pose, motion_projector"):
        pipeline.encode_driving(model, photo[None], 25, [BOX])


def test_reduced_precision_keeps_the_scans_rates(model):
    half = copy.deepcopy(model).set_precision(torch.bfloat16)
    kept = {name for name, p in half.unet.named_parameters() if p.dtype == torch.float32}
    assert {name.rsplit(".", 1)[1] for name in kept} == {"A_logs", "Ds", "dt_projs_bias"}
    assert all(torch.equal(half.unet.get_parameter(name), model.unet.get_parameter(name)) for name in kept)
    assert half.audio_projector.proj1.weight.dtype == torch.float32


def test_half_precision_gives_nearly_the_same(model, photo, masks, voice, driven):
    half = copy.deepcopy(model).set_precision(torch.bfloat16)
    rough = run(half, pipeline.encode_identity(half, photo, BOX, masks.face), masks, voice)
    exact = driven["voice"]
    assert {half.unet.conv_in.weight.dtype, half.vae.quant_conv.weight.dtype} == {torch.bfloat16}
    assert rough.dtype == torch.float32 and (rough - exact).norm() < 0.25 * exact.norm()
    pictures = [torch.cat(list(pipeline.decode(net, exact))) for net in (half, model)]
    assert pictures[0].dtype == torch.float32 and (pictures[0] - pictures[1]).abs().mean() < 0.01
