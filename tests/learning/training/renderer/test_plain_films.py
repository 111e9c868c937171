"""Stage 1 from plain films: the encoder learns through the picture, nothing needs labels, killed runs go on."""

import importlib.util
import json

import numpy as np
import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.film_frames import PlainStills
from mamba_portrait.learning.datasets.manifest import Entry, write_manifest
from mamba_portrait.learning.evaluation.video_motion import over_copying
from mamba_portrait.learning.training.loop import Every, Plan
from mamba_portrait.learning.training.renderer import efficientnet
from mamba_portrait.learning.training.renderer.adversarial import Adversary
from mamba_portrait.learning.training.renderer.efficientnet import EfficientNetLoss
from mamba_portrait.learning.training.renderer.film_losses import FilmWeights, identity_loss, printed_mask_loss
from mamba_portrait.learning.training.renderer.films import FilmTask, Withheld, features_of, holder
from mamba_portrait.learning.training.renderer.free_motion import parameter_groups, with_space
from mamba_portrait.learning.training.renderer.schedule import Part
from mamba_portrait.learning.training.renderer.train import averaged_renderer
from mamba_portrait.learning.training.renderer.train_films import FilmSettings, Mixture, Source, train_films
from mamba_portrait.media.video import VideoWriter
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.networks.renderer.model import Renderer

SCHEDULE = (Part("films", 1.0, 64, 2, 2e-3),)


@pytest.fixture
def trained(tiny_weights):
    """The tiny renderer, free to learn."""
    return load_renderer(tiny_weights / "renderer_lite.safetensors").train().requires_grad_(True)


def slices(count=1, samples=2):
    return (BatchSlice(3, step, range(samples), samples) for step in range(count))


def train(sources, out, steps=2, plan=None, **settings):
    plan = Plan(
        steps=steps, **(dict(saves=Every(steps=1), reports=Every(steps=1), report=lambda _: None) | (plan or {}))
    )
    sources = [Source.parse(str(source)) for source in sources]
    return train_films(sources, out, plan, FilmSettings(**(dict(schedule=SCHEDULE) | settings)))


def losses_of(folder, name="loss"):
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return {row["step"]: row[name] for row in rows if name in row}


def test_the_encoder_learns_through_the_reconstruction_alone(trained, drawn_discs):
    weights = FilmWeights(perceptual=0.0, names=0.0)
    task = FilmTask(trained, PlainStills(drawn_discs, 64), 64, weights)
    losses = task.losses(next(task.batches(slices())))
    losses["loss"].backward()
    assert trained.motion_encoder.head.weight.grad.abs().max() > 0
    assert not {"names", "flow", "visible"} & losses.keys()


def test_names_go_on_meaning_what_they_meant(trained, drawn_discs):
    task = FilmTask(trained, PlainStills(drawn_discs, 64), 64, FilmWeights(perceptual=0.0), held=holder(trained))
    batch = next(task.batches(slices()))
    assert float(task.losses(batch)["names"].detach()) < 1e-10
    with torch.no_grad():
        trained.motion_encoder.pose[2].bias += trained.parameters_of_motion.writer.weight[:, 0]
    assert float(task.losses(batch)["names"].detach()) == pytest.approx(1 / 24, rel=0.05)  # one parameter is 1 off


def test_driving_frames_are_mirrored_with_the_source_and_coloured_apart(trained):
    pictures = np.zeros((8, 4, 64, 64, 3), np.uint8)
    pictures[:, :, :, :32] = 200  # the left half is light
    task = FilmTask(trained, None, 64, FilmWeights(perceptual=0.0))
    batch = task.batch(pictures, pictures, next(slices(samples=8)).draws())

    def left_is_light(x):
        return (x[..., :24].mean((1, 2, 3)) > x[..., -24:].mean((1, 2, 3))).tolist()

    sides = left_is_light(batch.source)
    assert sides == left_is_light(batch.driving[:, 0]) == left_is_light(batch.target[::3]) and 0 < sum(sides) < 8
    apart = (batch.source.mean((2, 3)) - batch.driving[:, 0].mean((2, 3))).abs().amax(1)
    assert (apart > 0.02).sum() >= 6  # another camera's colours
    assert torch.allclose(batch.driving[:, 0], batch.driving[:, 1], atol=0.2)  # the same place in all frames of a clip


def test_twins_drive_about_half(trained):
    own, twin = np.zeros((40, 4, 64, 64, 3), np.uint8), np.full((40, 4, 64, 64, 3), 255, np.uint8)
    task = FilmTask(trained, None, 64, FilmWeights(perceptual=0.0))
    batch = task.batch(own, twin, next(slices(samples=40)).draws())
    driven_by_twins = (batch.driving.mean((1, 2, 3, 4)) > 0.5).sum()
    assert 10 <= driven_by_twins <= 30 and (batch.source.mean((1, 2, 3)) < 0.5).all()


@pytest.mark.parametrize("named,free", [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)])
def test_parts_of_motion_can_be_withheld(trained, drawn_discs, named, free):
    semi = with_space(trained, "semi")
    task = FilmTask(semi, PlainStills(drawn_discs, 64), 64, FilmWeights(perceptual=0.0), Withheld(named, free))
    batch = next(task.batches(slices()))
    base, motion, _ = task.drive(batch._replace(noise=torch.zeros_like(batch.noise)))
    change = motion - base.repeat_interleave(3, 0)
    without_names, unnamed = semi.parameters_of_motion.named_part(change).std(), semi.free_part(change).std()
    assert (without_names < 1e-5) == (named == 1) and (unnamed < 1e-5) == (free == 1)
    plain = FilmTask(trained, task.frames, 64, task.weights, Withheld(named, free))
    batch = next(plain.batches(slices()))
    assert batch.named.min() == batch.free.min() == 1  # in a named space nothing is withheld


def test_what_writes_and_reads_the_free_part_learns_at_once(trained, drawn_discs):
    semi = with_space(trained, "semi")
    task = FilmTask(semi, PlainStills(drawn_discs, 64), 64, FilmWeights(perceptual=0.0), Withheld(1.0, 0.0))
    optimizer = torch.optim.AdamW(parameter_groups(semi, 1e-3))
    head, reader = semi.motion_encoder.free.out.weight, semi.deviation.linear_shift.weight
    before = head.detach().clone()
    assert semi.free_part(reader).abs().max() < 1e-3  # as the weights were: names alone are read
    for batch in task.batches(slices(2)):
        losses = task.losses(batch)
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
    assert semi.free_part(reader).abs().max() > 5e-3 and (head - before).abs().max() > 5e-3


def test_the_mask_loss_as_printed_has_one_gate_a_picture():
    truth = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    deviated = truth.clone()
    deviated[1] += truth[1].std()  # the second picture is one deviation off everywhere
    deviated[0, :, 0, 0] += 0.5  # the first one only at a place
    assert float(printed_mask_loss(deviated, truth, tau=0.1)) == pytest.approx(0.5, rel=1e-3)
    assert float(printed_mask_loss(deviated, truth, tau=1.1)) == 0
    deviated.requires_grad_()
    printed_mask_loss(deviated, truth, tau=0.1).backward()
    assert deviated.grad[0].abs().max() == 0 and deviated.grad[1].abs().max() > 0
    same = truth.clone().requires_grad_()
    printed_mask_loss(same, truth, tau=-1.0).backward()
    assert torch.isfinite(same.grad).all()


def test_a_discriminator_without_landmarks_looks_at_the_picture():
    adversary = Adversary(width=4, names=("picture",))
    fake, real = (torch.rand(2, 3, 64, 64) for _ in range(2))
    fake.requires_grad_()
    terms = adversary.terms(fake, real, None, progress=1.0)
    (terms["adversarial"] + terms["features"]).backward()
    assert fake.grad.abs().max() > 0
    adversary.mistakes(fake, real, None).backward()
    assert all(p.grad is not None for p in adversary.parameters())


def published_state(loss):
    """Random weights under the names of the published file."""
    state = {}
    for key, value in loss.state_dict().items():
        module, _, kind = key.rpartition(".")
        parts = module.split(".")
        if parts[0] == "stem":
            name = ("_conv_stem", "_bn0")[int(parts[1])]
        else:
            norms = ["expand", "depthwise", "project"] if parts[1] != "0" else ["depthwise", "project"]
            first = 0 if parts[1] != "0" else 1
            norm = f"_bn{first + norms.index(parts[2])}"
            name = f"_blocks.{parts[1]}." + (f"_{parts[2]}_conv" if parts[3] == "0" else norm)
        state[f"{name}.{kind}"] = torch.rand_like(value.float()).to(value.dtype) * 0.1 + (kind == "running_var")
    return state | {"_fc.weight": torch.zeros(2, 2)}


def test_efficientnet_weights_are_taken_by_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr(EfficientNetLoss, "_load", lambda self, path: None)
    state = published_state(EfficientNetLoss("none"))
    monkeypatch.undo()
    torch.save(state, tmp_path / "net.pth")
    loss = EfficientNetLoss(tmp_path / "net.pth")
    assert torch.equal(loss.blocks[3].depthwise[0].weight, state["_blocks.3._depthwise_conv.weight"])
    assert torch.equal(loss.blocks[3].project[1].running_var, state["_blocks.3._bn2.running_var"])
    picture = torch.rand(1, 3, 64, 64)
    assert [x.shape[-1] for x in loss.features(picture)] == [32, 16, 8, 4]
    soft = torch.nn.functional.avg_pool2d(picture, 9, 1, 4)
    assert loss(picture, picture) == 0 and loss.train()(soft, picture) > 0
    del state["_blocks.10._project_conv.weight"]
    torch.save(state, tmp_path / "half.pth")
    with pytest.raises(ValueError, match="half.pth is no EfficientNet-Lite0: _blocks.10._project_conv.weight"):
        EfficientNetLoss(tmp_path / "half.pth")


def test_without_trained_features_there_are_none(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert efficientnet.installed_weights() is None and features_of(None) is None


def test_shares_of_a_mixture():
    class Named:
        def __init__(self, name):
            self.name = name

        def batches(self, slices):
            return (self.name for _ in slices)

    mixture = Mixture([Named("a"), Named("b")], [3.0, 1.0])
    taken = [name for _, name in mixture.batches(slices(200))]
    assert 130 < taken.count("a") < 170
    assert taken[5:] == [name for _, name in mixture.batches(BatchSlice(3, s, range(2), 2) for s in range(5, 200))]


def test_films_and_labelled_stills_mix_in_one_run_that_survives_a_kill(tiny_weights, drawn_discs, tmp_path, killing):
    init = tiny_weights / "renderer_lite.safetensors"
    sources = [f"{drawn_discs}=.5", f"plain:{drawn_discs}=.5"]
    settings = {"init": init, "space": "semi"}
    train(sources, tmp_path / "whole", 4, **settings)
    assert losses_of(tmp_path / "whole", "labelled/flow") and losses_of(tmp_path / "whole", "pooled")
    with killing(Mixture, "losses", 3):
        train(sources, tmp_path / "broken", 4, **settings)
    train(sources, tmp_path / "broken", 4, **settings)
    assert losses_of(tmp_path / "whole") == losses_of(tmp_path / "broken")
    ours, theirs = (torch.load(tmp_path / name / "stage1.pt")["average"] for name in ("whole", "broken"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert averaged_renderer(tmp_path / "whole" / "stage1.pt").config.motion_space == "semi"


def test_new_weights_learn_from_films_alone_in_a_free_space(tiny_config, drawn_discs, tmp_path):
    part = (Part("films", 1.0, 64, 2, 4e-4, adversarial=True),)
    out = train([f"plain:{drawn_discs}"], tmp_path, 3, config=tiny_config, schedule=part, validation=str(drawn_discs))
    renderer = averaged_renderer(out)
    assert renderer.config.motion_space == "free" and not renderer.config.readout
    assert losses_of(tmp_path, "discriminator") and losses_of(tmp_path, "held_out/over_another_frame")
    with pytest.raises(ValueError, match="have no names: give trained ones"):
        train([f"plain:{drawn_discs}"], tmp_path / "b", config=tiny_config, space="semi")
    with pytest.raises(ValueError, match="hide their labels with plain:DIR"):
        train([drawn_discs, f"plain:{drawn_discs}"], tmp_path / "c", config=tiny_config)
    with pytest.raises(ValueError, match="None of the data is without labels"):
        train([drawn_discs], tmp_path / "d", config=tiny_config)


def test_measured_is_what_motion_gives(trained):
    clip = (np.random.default_rng(0).random((4, 64, 64, 3)) * 255).astype(np.uint8)
    trained.eval()
    still = over_copying(trained, [np.repeat(clip[:1], 4, 0)], 64)
    assert still["over_another_frame"] == 0 and still["psnr"] > 15
    with torch.no_grad():
        values = [over_copying(trained, [clip], 64, part) for part in ("both", "named")]
    assert values[0] == pytest.approx(values[1], abs=0.2)  # the tiny encoder hardly says anything without a name


def test_the_command_trains_on_a_list_of_films(shipped_tiny, tmp_path, capsys):
    noise = torch.rand(12, 48, 64, 3)
    with VideoWriter(tmp_path / "a.mp4", fps=12) as writer:
        writer.write(noise)
    listed = write_manifest(tmp_path / "films.csv", [Entry(video=tmp_path / "a.mp4", speaker="ann")])
    init = shipped_tiny / "renderer_lite.safetensors"
    arguments = ["--init", init, "--space", "semi", "--steps", 1, "--parts", "films", "--device", "cpu"]
    command = ["train", "stage1", "--data", f"{listed}=1", "--out", tmp_path / "run", *arguments]
    assert main([str(word) for word in command]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "run" / "stage1.pt")
    assert isinstance(averaged_renderer(tmp_path / "run" / "stage1.pt"), Renderer)


@pytest.mark.parametrize(
    "text,source",
    [
        ("data", Source("data", 1.0, False)),
        ("plain:data=.25", Source("data", 0.25, True)),
        ("a/films.csv=2", Source("a/films.csv", 2.0, True)),
        ("kept:faces=.1", Source("faces", 0.1, kept=True)),
        ("faces:f", Source("f", 1.0, faces=True)),
        ("odd=name", Source("odd=name", 1.0, False)),
    ],
)
def test_sources_are_read_from_words(text, source):
    assert Source.parse(text) == source
    with pytest.raises(ValueError, match="share of 0"):
        Source.parse(f"{source.place}=0")


def test_the_identity_loss_sees_what_stays_within_a_clip():
    rng = torch.Generator().manual_seed(0)
    person, face = torch.randn(6, 1, 768, generator=rng), torch.randn(6, 4, 768, generator=rng)
    leak, clean = identity_loss(face + 3 * person), identity_loss(face)
    assert float(leak) == pytest.approx(np.log1p(9.25), rel=0.02) and float(clean) == pytest.approx(0.223, abs=0.02)
    face.requires_grad_()
    identity_loss(face + person).backward()
    moved = (face - 100 * face.grad).detach() + person
    assert identity_loss(moved) < identity_loss(face + person).detach()  # the descent takes the person out
