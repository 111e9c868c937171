"""Stage 2's losses and loop: safe forms equal definitions, a tiny run learns, a killed one goes on as if unbroken."""

import dataclasses
import json
import wave

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.tracks import MOUTH, TrackBatches, load_tracks
from mamba_portrait.learning.training.loop import Every, Plan
from mamba_portrait.learning.training.motion_model.clips import encode_clips
from mamba_portrait.learning.training.motion_model.losses import (
    clean_error,
    linear_map,
    motion_losses,
    parameter_weights,
    readout_loss,
)
from mamba_portrait.learning.training.motion_model.measure import measure_voices
from mamba_portrait.learning.training.motion_model.task import Stage2Task
from mamba_portrait.learning.training.motion_model.train import Stage2Settings, averaged_motion_model, train_stage2
from mamba_portrait.media.video import VideoWriter
from mamba_portrait.model_loaders.checkpoint import save_checkpoint
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.sampling.schedule import NoiseSchedule
from mamba_portrait.sampling.settings import SamplingSettings
from mamba_portrait.sampling.windows import sample_motion
from mamba_portrait.vocabulary import COUNT, INDEX

TINY = MotionModelConfig(
    motion_dim=48,
    mels=16,
    global_width=16,
    global_layers=1,
    local_width=16,
    local_layers=1,
    headdim=16,
    width=32,
    layers=1,
    heads=2,
    appearance_dim=8,
    prediction="x0",
)


class LinearFace:
    """In the place of stage 1: motion is a fixed linear map of the parameters."""

    motion_language = "linear"

    def __init__(self, width=TINY.motion_dim):
        self.map = torch.randn(COUNT, width, generator=torch.Generator().manual_seed(0))

    def motion_from_parameters(self, parameters):
        return parameters @ self.map + 0.1

    def read_parameters(self, motion):
        return (motion - 0.1) @ torch.linalg.pinv(self.map)

    def rest_motion(self):
        return self.motion_from_parameters(torch.zeros(COUNT))


def write_clip(folder, frames, seed, split="train", motion=None):
    """A humming whose loudness opens the jaw."""
    rng = np.random.default_rng(seed)
    jaw = np.clip(np.sin(np.arange(frames) * 0.7 + rng.uniform(0, 6)), 0, 1)
    loud = np.repeat(jaw, 640)
    audio = 0.3 * loud * np.sin(np.arange(frames * 640) * 2 * np.pi * rng.uniform(150, 250) / 16000)
    folder.mkdir(parents=True)
    with wave.open(str(folder / "audio.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes((audio * 32767).astype("<i2").tobytes())
    if motion is None:
        parameters = np.zeros((frames, COUNT), np.float32)
        parameters[:, INDEX["jaw"]], parameters[:, INDEX["yaw"]] = jaw, rng.normal() * 0.1
        np.savez(folder / "labels.npz", parameters=parameters)
    else:
        np.save(folder / "motion.npy", motion)
    (folder / "meta.json").write_text(json.dumps({"split": split, "fps": "25"}))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    for i in range(6):
        write_clip(root / "clips" / f"c{i}", 100 + i, i)
    write_clip(root / "clips" / "held_out", 90, 9, split="val")
    return root


def run(clips, out, steps, plan=None, **settings):
    plan = Plan(steps=steps, **(dict(report=lambda _: None) | (plan or {})))
    return train_stage2(clips, out, plan, Stage2Settings(**(dict(config=TINY, batch=4) | settings)), LinearFace())


def batch_of(clips, samples, step=0, seed=0, **options):
    return TrackBatches(load_tracks(clips), **options)[BatchSlice(seed, step, range(samples), samples)]


def history_of(out, name="loss"):
    return [json.loads(line)[name] for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("kind", ["eps", "v", "x0"])
def test_safe_velocity_equals_its_definition(kind):
    schedule, g = NoiseSchedule(), torch.Generator().manual_seed(0)
    x0, eps, guess = torch.randn(3, 2, 10, 7, generator=g, dtype=torch.float64)
    t = torch.tensor([300, 700])
    ab = schedule.alpha_bar[t]
    target = schedule.target(x0, eps, t, kind)
    x0_guess = schedule.to_x0(guess, schedule.add_noise(x0, eps, t), t, kind)
    scale = 1 if kind == "x0" else ab.sqrt()[:, None, None]
    error = clean_error(guess, target, schedule.scales(t, guess), kind)
    assert torch.allclose(error, scale * (x0_guess - x0), atol=1e-9)
    velocity, _ = motion_losses(error, torch.tensor([False, False]))
    defined = (scale * (x0_guess.diff(dim=1) - x0.diff(dim=1))).square().sum() / (2 * 11 * 7)
    assert torch.allclose(velocity, defined)


def test_the_seam_to_a_clean_history_counts():
    step = torch.ones(1, 6, 3)  # a window that sits beside the truth by a constant: only the seam shows it
    free, seam = (motion_losses(step, torch.tensor([c])) for c in (False, True))
    assert free[0] == 0 and free[1] == 0 and seam[0] > 0 and seam[1] > 0


def test_readout_follows_the_parameters_and_prefers_the_mouth():
    face = LinearFace()
    matrix = linear_map(face.read_parameters, TINY.motion_dim)
    parameters = torch.randn(2, 5, COUNT)
    motion = face.motion_from_parameters(parameters)
    assert torch.allclose(motion @ matrix + face.read_parameters(torch.zeros(48)), parameters, atol=1e-4)
    weights = parameter_weights(torch.ones(COUNT), mouth=4.0)
    assert weights.mean() == pytest.approx(1)
    assert weights[INDEX["jaw"]] == pytest.approx(4 * weights[INDEX["yaw"]].item())
    error = torch.zeros(COUNT)
    error[INDEX["jaw"]] = 1
    loss = readout_loss((error @ face.map)[None, None], matrix, weights)
    assert loss == pytest.approx(weights[INDEX["jaw"]].item() / COUNT, rel=1e-3)


def test_a_sample_depends_on_seed_step_and_number_alone(clips):
    windows = TrackBatches(load_tracks(clips), augment=lambda audio, rng: audio * rng.uniform(0.1, 1))
    whole, part = (windows[BatchSlice(1, 5, samples, 6)] for samples in (range(6), range(2, 5)))
    for a, b in zip(whole[:2], part[:2], strict=True):
        assert torch.equal(a[2:5], b)
    others = [batch_of(clips, 6, step, seed) for step, seed in ((6, 1), (5, 2))]
    assert not any(b.audio.shape == whole.audio.shape and torch.equal(b.audio, whole.audio) for b in others)


def test_audio_and_motion_of_a_window_belong_together(clips):
    batch = batch_of(clips, 8, silent=0.0)
    window = batch.parameters.shape[1] - 4
    loud = batch.audio.unflatten(1, (-1, 640)).square().mean(2).sqrt()[:, batch.margin : batch.margin + window]
    jaw = batch.parameters[:, 4:, INDEX["jaw"]]
    for a, b in zip(loud, jaw, strict=True):
        assert torch.corrcoef(torch.stack([a, b]))[0, 1] > 0.95


def test_silence_is_given_with_a_resting_mouth(clips):
    batch = batch_of(clips, 8, silent=1.0)
    assert batch.audio.abs().max() < 0.01 and batch.parameters[..., MOUTH].abs().max() == 0
    assert batch.parameters.abs().max() > 0


def test_augmentation_takes_its_share_of_unchanged_clips(clips):
    options = dict(silent=0.0, augment=lambda audio, rng: np.ones_like(audio))
    batches = [batch_of(clips, 40, step, augment_share=0.5, **options) for step in range(4)]
    share = torch.cat([(b.audio == 1).all(1).float() for b in batches]).mean()
    assert 0.35 < share < 0.65


def test_no_clips_is_a_clear_message(tmp_path):
    with pytest.raises(FileNotFoundError, match="corpus"):
        load_tracks(tmp_path)
    with pytest.raises(ValueError, match="by steps or by minutes"):
        Plan()


def test_a_tiny_run_lowers_the_loss_and_gives_a_model(clips, tmp_path):
    file = run(clips, tmp_path, 75, batch=4, rate=5e-3, audio_first=0.0)
    for name in ("loss", "heard"):
        losses = history_of(tmp_path, name)
        assert losses[-1] < 0.8 * losses[0], name
    model = averaged_motion_model(file)
    assert model.motion_std.min() > 0 and torch.allclose(model.rest_motion, LinearFace().rest_motion())
    assert model.motion_language == "linear"
    noise, face = torch.randn(5, TINY.motion_dim), LinearFace()
    scaled = model.scale_mouth_noise(noise, 0.25)
    whole, quiet = (face.read_parameters(model.motion_std * n + 0.1) for n in (noise, scaled))
    others = [i for i in range(COUNT) if i not in MOUTH]
    assert torch.allclose(quiet[:, MOUTH], 0.25 * whole[:, MOUTH], atol=1e-4)
    assert torch.allclose(quiet[:, others], whole[:, others], atol=1e-4)


def test_the_ear_reads_the_mouth_from_the_voice_and_leads_it(clips, tmp_path):
    model = averaged_motion_model(run(clips, tmp_path, 75, batch=4, rate=5e-3, audio_first=1.0)).requires_grad_(False)
    track = load_tracks(clips)[0]
    frames = len(track.values)
    audio = torch.from_numpy(track.audio(0, frames))[None]
    voice = model.extract_global(audio), model.extract_local(audio)
    heard, face = model.predict_mouth(*voice)[0].detach(), LinearFace()
    jaw = torch.stack([heard[:, MOUTH.index(INDEX["jaw"])], torch.from_numpy(track.values[:, INDEX["jaw"]])])
    assert torch.corrcoef(jaw)[0, 1] > 0.6
    free, led = (
        sample_motion(model, *voice, None, SamplingSettings(steps=3, mouth_lead=share), frames=frames)
        for share in (0.0, 1.0)
    )
    wanted = heard + face.read_parameters(model.motion_mean)[MOUTH]
    assert torch.allclose(face.read_parameters(led)[:, MOUTH], wanted, atol=1e-3)
    assert not torch.allclose(face.read_parameters(free)[:, MOUTH], wanted, atol=1e-2)


def test_a_run_does_not_go_on_with_a_renderer_of_another_language(clips, tmp_path, monkeypatch):
    run(clips, tmp_path, 1)
    monkeypatch.setattr(LinearFace, "motion_language", "other")
    with pytest.raises(ValueError, match="learned another renderer's motion .linear, not other"):
        run(clips, tmp_path, 2)


def first_batch(task, samples=4):
    return next(task.batches(iter([BatchSlice(0, 0, range(samples), samples)])))


@pytest.mark.parametrize("kind", ["eps", "v", "x0"])
def test_a_perfect_answer_of_the_config_s_kind_leaves_no_loss(clips, monkeypatch, kind):
    model = MotionModel(dataclasses.replace(TINY, prediction=kind))
    task = Stage2Task(model, LinearFace(), TrackBatches(load_tracks(clips)))
    task.measure_motion(load_tracks(clips), 0)
    batch = first_batch(task)
    x0, eps = task.motion(batch.tracks)[:, TINY.history :], batch.noise.eps
    alpha_bar = task.schedule.alpha_bar[batch.noise.t][:, None, None]
    clean, dirty = alpha_bar.sqrt().float(), (1 - alpha_bar).sqrt().float()

    def perfect(noisy, t, *_):
        assert torch.allclose(noisy, clean * x0 + dirty * eps, atol=1e-5) and torch.equal(t, batch.noise.t)
        return {"eps": eps, "v": clean * eps - dirty * x0, "x0": x0}[kind]

    monkeypatch.setattr(model, "denoise", perfect)
    found = task.losses(batch, 1.0)
    assert all(found[name] < 1e-9 for name in ("simple", "velocity", "acceleration", "readout"))
    monkeypatch.setattr(model, "denoise", lambda *given: perfect(*given) + 0.1 * torch.randn_like(eps))
    worse = task.losses(batch, 1.0)
    assert worse["simple"] == pytest.approx(0.01, rel=0.1) and worse["velocity"] > 1e-6 and worse["readout"] > 1e-6


@pytest.mark.parametrize("kind", ["eps", "v"])
def test_other_predictions_train(clips, tmp_path, kind):
    config = dataclasses.replace(TINY, prediction=kind)
    file = run(clips, tmp_path, 3, config=config, audio_first=0.0)
    torch.manual_seed(0)
    begun, trained = MotionModel(config).state_dict(), torch.load(file, weights_only=True)["model"]
    weights = [name for name in begun if name.startswith("denoiser") and name.endswith("weight")]
    assert len(weights) > 5 and not any(torch.equal(begun[name], trained[name]) for name in weights)
    assert averaged_motion_model(file).config.prediction == kind
    with pytest.raises(ValueError, match="another config"):
        run(clips, tmp_path, 6)


def test_killed_and_resumed_equals_unbroken(clips, tmp_path, killing):
    whole = torch.load(run(clips, tmp_path / "whole", 8), weights_only=True)
    with killing(Stage2Task, "losses", 6):
        run(clips, tmp_path / "broken", 8, dict(saves=Every(steps=1)))
    resumed = torch.load(run(clips, tmp_path / "broken", 8), weights_only=True)
    assert resumed["step"] == 8
    for part in ("model", "average", "pose_head"):
        for name, value in whole[part].items():
            assert torch.equal(value, resumed[part][name]), name


def test_trained_weights_are_gone_on_from(clips, tmp_path):
    begun = averaged_motion_model(run(clips, tmp_path / "first", 4))
    file = save_checkpoint(tmp_path / "begun.safetensors", begun, "motion_model", begun.config)
    rested = run(clips, tmp_path / "second", 1, init=file, rate=0.0)
    for name, value in averaged_motion_model(rested).state_dict().items():
        assert torch.allclose(value, begun.state_dict()[name], 1e-3, 2e-3), name  # half precision on disk
    begun.motion_language = "another"
    file = save_checkpoint(tmp_path / "other.safetensors", begun, "motion_model", begun.config)
    with pytest.raises(ValueError, match="another renderer's motion"):
        run(clips, tmp_path / "third", 1, init=file)


def test_the_denoiser_waits_for_the_audio_extractors(clips, tmp_path):
    before = averaged_motion_model(run(clips, tmp_path / "a", 1, rate=0.0)).state_dict()
    after = averaged_motion_model(run(clips, tmp_path / "b", 3, audio_first=1.0)).state_dict()
    moved = {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}
    assert {"mamba_global", "mamba_local", "from_local"} <= moved and "denoiser" not in moved


def test_real_clips_train_beside_drawn_ones(tmp_path):
    write_clip(tmp_path / "clips" / "drawn", 100, 0)
    real = np.random.default_rng(0).normal(size=(100, 48)).astype(np.float16)
    write_clip(tmp_path / "clips" / "real", 100, 1, motion=real)
    looks = torch.randn(5, 8)
    model, face = MotionModel(TINY), LinearFace()
    task = Stage2Task(model, face, TrackBatches(load_tracks(tmp_path)), appearances=looks)
    model.motion_mean.fill_(0.5)
    batch = first_batch(task, 12)
    drawn, motion = batch.tracks.drawn, task.motion(batch.tracks)
    assert 0 < drawn.sum() < 12 and all((looks == row).all(1).any() for row in batch.appearance)
    assert torch.allclose(motion[drawn], face.motion_from_parameters(batch.tracks.parameters[drawn]) - 0.5)
    rows = {row.tobytes() for row in real}
    assert all(row.half().numpy().tobytes() in rows for row in (motion[~drawn] + 0.5).flatten(0, 1))

    file = run(tmp_path, tmp_path / "out", 3, appearances=looks, audio_first=0.0)
    torch.manual_seed(0)
    begun, trained = MotionModel(TINY).from_appearance, averaged_motion_model(file).from_appearance
    assert not torch.equal(begun[1].weight, trained[1].weight)


@pytest.mark.parametrize(
    ("said", "jaw", "lag", "size"),
    [
        (lambda p: p, 1, 0, 1),
        (lambda p: 0.5 * p, 1, 0, 0.5),
        (lambda p: p.roll(1, 0), 1, 1, 1),
        (lambda p: p.flip(0), 0, 0, 1),
    ],
    ids=["the truth", "half of it", "a frame late", "backwards"],
)
def test_voices_are_measured_from_sampled_motion(clips, monkeypatch, said, jaw, lag, size):
    track, face = load_tracks(clips, "val")[0], LinearFace()
    parameters = torch.from_numpy(track.values[:75].copy())
    module = "mamba_portrait.learning.training.motion_model.measure"
    answer = face.motion_from_parameters(said(parameters))
    monkeypatch.setattr(f"{module}.sample_motion", lambda *_, frames, **__: answer[:frames])
    found = measure_voices(MotionModel(TINY).eval(), face, [track], clips=1, seconds=3.0)
    assert found["amplitude"] == pytest.approx(size, abs=0.01) and found["speed"] == pytest.approx(size, abs=0.02)
    if jaw:
        assert found["jaw"] == pytest.approx(1, abs=0.02) and abs(found["lag"]) == lag
    else:
        assert found["jaw"] < 0.9


class Seeing(torch.nn.Module):
    """A renderer that sees nothing but the mean brightness, and calls all of it a place."""

    config = RendererConfig(motion_space="named")

    def __init__(self):
        super().__init__()
        self.motion_encoder = torch.nn.Linear(1, TINY.motion_dim)

    def encode_motion(self, frames):
        return self.motion_encoder(frames.mean((1, 2, 3))[:, None])

    def centred(self, motion, reference):
        return motion - reference


def test_real_clips_are_encoded_once(tmp_path):
    folder = tmp_path / "clips" / "real"
    write_clip(folder, 20, 0, motion=np.zeros((20, 48)))
    with VideoWriter(folder / "video.mp4", fps=25) as video:
        video.write(np.full((20, 32, 32, 3), 128, np.uint8))  # two batches
    renderer = Seeing()
    name = encode_clips(tmp_path, renderer)
    motion = load_tracks(tmp_path, motion_file=name)[0].values
    assert motion.shape == (20, 48) and motion.dtype == np.float16
    assert not motion.any()  # counted from where the first frame's head stands
    stamp = (folder / name).stat().st_mtime_ns
    assert encode_clips(tmp_path, renderer) == name and (folder / name).stat().st_mtime_ns == stamp
    assert encode_clips(tmp_path, Seeing()) != name
