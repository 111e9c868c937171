"""Stage 2's networks: shapes, what they hear, what silence is to them, and what null conditions cut off."""

import dataclasses
import json

import pytest
import torch

from mamba_portrait.networks.motion_model import audio_stem
from mamba_portrait.networks.motion_model.audio_stem import LogMelStem, NormalisedAudio, loudness_gain, prepare
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.motion_model.denoiser import rotary
from mamba_portrait.networks.motion_model.model import MotionModel

TINY = MotionModelConfig(
    motion_dim=12,
    mels=16,
    global_width=32,
    global_layers=1,
    local_width=32,
    local_layers=1,
    headdim=16,
    width=32,
    layers=2,
    heads=2,
    appearance_dim=8,
)


def alive(config=TINY, seed=0):
    """A model whose zero-initialised layers are random too, so that every input can reach the output."""
    torch.manual_seed(seed)
    model = MotionModel(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model


def voice(frames, seed=0, batch=1):
    return 0.1 * torch.randn(batch, 640 * frames, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def denoise(model, frames=20, **changed):
    g = torch.Generator().manual_seed(1)
    wave = changed.pop("wave", voice(frames))
    given = dict(
        noisy=torch.randn(1, frames, 12, generator=g),
        t=torch.tensor([500]),
        global_audio=model.extract_global(wave),
        local_audio=model.extract_local(wave),
        appearance=torch.randn(1, 8, generator=g),
        history=torch.randn(1, 4, 12, generator=g),
    )
    return model.denoise(**(given | changed))


def test_rates_in_earlier_configs_are_accepted_when_they_are_ours():
    earlier = {"sample_rate": 16000, "samples_per_frame": 640}
    assert MotionModelConfig.from_dict(TINY.to_dict() | earlier) == TINY
    with pytest.raises(ValueError, match="sample_rate 22050"):
        MotionModelConfig.from_dict(earlier | {"sample_rate": 22050})


def test_config_survives_json_and_refuses_unknown_fields():
    config = MotionModelConfig.paper()
    assert MotionModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(ValueError, match="colour"):
        MotionModelConfig.from_dict({"colour": 1})
    with pytest.raises(ValueError, match="prediction"):
        MotionModelConfig(prediction="score")
    with pytest.raises(ValueError, match="voice"):
        MotionModelConfig(mamba_global=False, mamba_local=False)


def test_presets_have_the_announced_sizes():
    def millions(config):
        with torch.device("meta"):
            return sum(p.numel() for p in MotionModel(config).parameters()) / 1e6

    assert 100 < millions(MotionModelConfig.paper()) < 115
    assert millions(MotionModelConfig.lite()) < 11


@pytest.mark.parametrize("stem", ["logmel", "waveform"])
@pytest.mark.parametrize("samples", [640, 641, 1279, 640 * 37 + 11])
def test_audio_features_have_one_row_a_whole_frame(stem, samples):
    model = alive(dataclasses.replace(TINY, stem=stem))
    wave = voice(60, batch=2)[:, :samples]
    heard = model.extract_global(wave)
    assert heard.frames.shape == (2, samples // 640, 32) and heard.style.shape == (2, 32)
    assert model.extract_local(wave).shape == (2, samples // 640, 32)


def test_audio_shorter_than_a_frame_is_refused():
    with pytest.raises(ValueError, match="one frame"):
        alive().extract_local(torch.zeros(1, 639))


def test_log_mel_is_the_same_with_torchaudio_and_without(monkeypatch):
    functional = audio_stem.torchaudio_functional()
    if functional is None:
        pytest.skip("torchaudio does not import here")
    stem, calls = LogMelStem(TINY, 8), []

    def spectrogram(*given, **more):
        calls.append(given)
        return theirs(*given, **more)

    theirs = functional.spectrogram
    monkeypatch.setattr(functional, "spectrogram", spectrogram)
    sound = 0.3 * voice(10)
    sound[:, :2000] = 0  # silence is the floor in both
    by_torchaudio = stem.log_mel(sound)
    monkeypatch.setattr(audio_stem, "torchaudio_functional", lambda: None)
    assert (stem.log_mel(sound) - by_torchaudio).abs().max() < 1e-5 and len(calls) == 1


def test_mel_filters_are_torchaudios():
    functional = audio_stem.torchaudio_functional()
    if functional is None:
        pytest.skip("torchaudio does not import here")
    for mels in (16, 80):
        theirs = functional.melscale_fbanks(audio_stem.FFT // 2 + 1, 50.0, 8000.0, mels, 16000)
        assert (audio_stem.mel_filters(mels, 16000) - theirs.T).abs().max() < 2e-5


def test_log_mel_is_centred_on_its_own_ten_milliseconds():
    stem = LogMelStem(TINY, 32)
    wave = torch.zeros(1, 640 * 10)
    wave[:, 160 * 20 + 80] = 1.0
    surrounded = NormalisedAudio(wave, torch.ones(1, 1)).samples(-stem.BEFORE, wave.shape[1] + stem.AFTER)
    energy = stem.log_mel(surrounded)[0].mean(0)[3:-3]
    assert energy.argmax() == 20 and torch.allclose(energy[:20].flip(0)[:19], energy[21:], atol=1e-3)


def test_loudness_is_normalised_but_silence_stays_silent():
    def normalised(waveform):
        return waveform * loudness_gain(waveform)

    speech = voice(50) * (torch.arange(32000) % 8000 < 5000)
    quiet, padded = normalised(0.1 * speech), normalised(torch.cat([torch.zeros(1, 6400), speech], 1))
    reference = normalised(speech)
    assert torch.allclose(quiet, reference, atol=1e-5)
    assert torch.allclose(padded[:, 6400:], reference, atol=1e-5)
    assert normalised(torch.zeros(1, 6400)).abs().max() == 0
    floor = normalised(3e-4 * torch.randn(1, 6400))  # a quiet room at -70 dB
    assert 20 * torch.log10(floor.square().mean().sqrt()) < -40


def test_a_voice_and_its_louder_copy_are_heard_alike():
    model = alive()
    assert torch.allclose(model.extract_local(voice(20)), model.extract_local(4 * voice(20)), atol=1e-3)


def test_slices_see_a_fifth_of_a_second_and_no_more():
    for exact in (False, True):
        model = alive(dataclasses.replace(TINY, exact_slices=exact))
        wave = voice(40)
        changed = wave.clone()
        changed[:, 640 * 20 : 640 * 21] = wave[:, 640 * 20 : 640 * 21].flip(1)  # another sound of the same loudness
        moved = (model.extract_local(wave) - model.extract_local(changed)).abs().amax(-1)[0] > 1e-4
        reach = 2 if exact else 3  # the stem's own reach adds to the slice
        assert moved[20] and not moved[: 20 - reach].any() and not moved[21 + reach :].any()


def test_exact_slices_agree_with_sliced_tokens_inside_the_slice():
    continuous, exact = alive(), alive(dataclasses.replace(TINY, exact_slices=True))
    speech = prepare(voice(20))
    a, b = continuous.mamba_local.slices(speech, 0, 20), exact.mamba_local.slices(speech, 0, 20)
    assert a.shape == b.shape == (1, 20, 10, 32)
    assert torch.allclose(a[:, :, 2:-2], b[:, :, 2:-2], atol=1e-5)


def test_local_features_follow_audio_moved_by_whole_frames():
    model = alive()
    a = model.extract_local(voice(30))
    b = model.extract_local(torch.cat([torch.zeros(1, 640 * 7), voice(30)], 1))
    assert torch.allclose(a, b[:, 7:], atol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"stem": "waveform"}, {"exact_slices": True}])
def test_a_clip_heard_in_blocks_is_the_clip_heard_at_once(changes, monkeypatch):
    from mamba_portrait.networks.mamba import mamba2
    from mamba_portrait.networks.motion_model import mamba_global, mamba_local

    model, wave = alive(dataclasses.replace(TINY, **changes)), voice(30, batch=2)
    heard, local = model.extract_global(wave), model.extract_local(wave)
    for module, block in ((mamba_global, 14), (mamba_local, 7), (mamba2, 9)):
        monkeypatch.setattr(module, "BLOCK", block)
    again = model.extract_global(wave)
    assert torch.allclose(heard.frames, again.frames, atol=1e-5) and torch.allclose(heard.style, again.style, atol=1e-5)
    assert torch.allclose(local, model.extract_local(wave), atol=1e-6)


def test_every_condition_reaches_the_prediction():
    model, other = alive(), alive()
    reference = denoise(model)
    assert reference.shape == (1, 20, 12)
    assert not torch.allclose(reference, denoise(model, wave=voice(20, seed=5)), atol=1e-4)
    assert not torch.allclose(reference, denoise(model, appearance=torch.zeros(1, 8)), atol=1e-4)
    assert not torch.allclose(reference, denoise(model, history=torch.zeros(1, 4, 12)), atol=1e-4)
    assert not torch.allclose(reference, denoise(model, t=torch.tensor([100])), atol=1e-4)
    assert torch.equal(reference, denoise(other))


def test_dropped_conditions_cannot_be_told():
    model, yes = alive(), torch.tensor([True])
    assert torch.equal(denoise(model, drop_audio=yes), denoise(model, drop_audio=yes, wave=voice(20, seed=5)))
    dropped = denoise(model, drop_appearance=yes)
    assert torch.equal(dropped, denoise(model, drop_appearance=yes, appearance=torch.zeros(1, 8)))
    assert torch.allclose(dropped, denoise(model, appearance=None), atol=1e-6)


@pytest.mark.parametrize("switch", ["appearance", "mamba_global", "mamba_local"])
def test_ablations_cut_their_branch(switch):
    model = alive(dataclasses.replace(TINY, **{switch: False}))
    wave, other = voice(20), voice(20, seed=5)
    if switch == "appearance":
        assert torch.equal(denoise(model), denoise(model, appearance=torch.zeros(1, 8)))
    elif switch == "mamba_global":
        assert torch.equal(model.extract_global(wave).frames, model.extract_global(other).frames)
    else:
        assert torch.equal(model.extract_local(wave), model.extract_local(other))
    assert denoise(model).isfinite().all()


def test_untrained_network_predicts_zero():
    torch.manual_seed(0)
    assert denoise(MotionModel(TINY).eval()).abs().max() == 0


@pytest.mark.parametrize("adaln", ["block", "single"])
def test_history_counts_as_clean(adaln):
    """Its tokens are modulated as those of step 0 without a condition, however noisy the window is."""
    model, told = alive(dataclasses.replace(TINY, adaln=adaln)), []
    model.denoiser.blocks[0].register_forward_pre_hook(lambda block, given: told.append(given[1]))
    noisy, history, condition = torch.randn(1, 6, 12), torch.randn(1, 4, 12), torch.zeros(1, 6, 32)
    with torch.no_grad():
        for t in (0, 500, 900):
            model.denoiser(noisy, torch.tensor([t]), condition, history)
    clean = told[0][:, :1]
    assert torch.allclose(told[0], clean.expand_as(told[0]), atol=1e-6)
    for modulation in told[1:]:
        assert torch.allclose(modulation[:, :4], clean.expand(-1, 4, -1), atol=1e-6)
        assert (modulation[:, 4:] - clean).abs().amax(-1).min() > 1e-3


@torch.no_grad()
def test_positions_are_relative():
    """A block says the same of tokens that stand seven places later, and something else of tokens in another order."""
    block, head_width = alive(dataclasses.replace(TINY, adaln="block")).denoiser.blocks[0], TINY.width // TINY.heads
    g = torch.Generator().manual_seed(3)
    x, modulation = torch.randn(1, 10, 32, generator=g), torch.randn(1, 10, 32, generator=g)
    cos, sin = rotary(17, head_width, "cpu")
    here = block(x, modulation, cos[:10], sin[:10])
    assert torch.allclose(here, block(x, modulation, cos[7:], sin[7:]), atol=1e-5)
    turned = block(x.flip(1), modulation.flip(1), cos[:10], sin[:10]).flip(1)
    assert (here - turned).abs().max() > 1e-3


@torch.no_grad()
def test_samples_of_a_batch_do_not_mix():
    model = alive()
    g = torch.Generator().manual_seed(3)
    x, c, h = (torch.randn(2, n, w, generator=g) for n, w in ((10, 12), (10, 32), (4, 12)))
    t = torch.tensor([10, 900])
    together = model.denoiser(x, t, c, h)
    alone = torch.cat([model.denoiser(x[i : i + 1], t[i : i + 1], c[i : i + 1], h[i : i + 1]) for i in range(2)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_mismatched_audio_is_named():
    model = alive()
    with pytest.raises(ValueError, match="same window"):
        denoise(model, local_audio=torch.zeros(1, 19, 32))
