"""Stage 1's data, losses and loop: labels mean what they say, a tiny run learns, a killed one goes on unharmed."""

import json
import shutil

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.stills import EYE_CORNERS, MOUTH_CORNERS, StillSet
from mamba_portrait.learning.training.loop import Every, Plan
from mamba_portrait.learning.training.renderer.augment import jostle, vary
from mamba_portrait.learning.training.renderer.losses import (
    LEFT_EYE,
    MOUTH,
    RIGHT_EYE,
    Stage1Weights,
    Target,
    stage1_losses,
    threshold_mask_loss,
)
from mamba_portrait.learning.training.renderer.motion_space import MotionSpaceTask, ParameterSpaceTask, landmark_reach
from mamba_portrait.learning.training.renderer.rendering import RenderingTask
from mamba_portrait.learning.training.renderer.schedule import SCHEDULE as USUAL
from mamba_portrait.learning.training.renderer.schedule import Part, going_on
from mamba_portrait.learning.training.renderer.train import Stage1Settings, averaged_renderer, train_stage1
from mamba_portrait.model_loaders.checkpoint import save_checkpoint
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.networks.renderer.warp import warp
from mamba_portrait.vocabulary import LANDMARKS

SCHEDULE = (
    Part("space", 0.1, 64, 1, 2e-3),
    Part("motion", 0.3, 64, 2, 1e-2),
    Part("coarse", 0.6, 64, 2, 2e-3),
)


def lines(folder, part, name="loss"):
    """Last value logged of each step."""
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return {row["step"]: row[name] for row in rows if row["part"] == part and name in row}


def train(data, out, config, steps, plan=None, **settings):
    plan = Plan(
        steps=steps, **(dict(saves=Every(steps=1), reports=Every(steps=1), report=lambda _: None) | (plan or {}))
    )
    return train_stage1(data, out, plan, Stage1Settings(**(dict(config=config, schedule=SCHEDULE) | settings)))


def draws(seed, samples):
    return BatchSlice(seed, 0, range(samples), samples).draws()


def test_flow_labels_bring_the_source_onto_the_target(drawn_discs):
    groups = StillSet(drawn_discs).get(np.arange(6))
    pictures = groups.rgb.permute(0, 1, 2, 5, 3, 4).float() / 255
    source = pictures[:, :, :1].expand(-1, -1, 3, -1, -1, -1).flatten(0, 2)
    target, field = pictures[:, :, 1:].flatten(0, 2), groups.displacement().flatten(0, 2)
    seen = torch.nn.functional.interpolate(groups.visible().flatten(0, 2)[:, None], size=64, mode="area")
    error = ((warp(source, field) - target).abs() * seen).mean()
    assert error < 0.3 * ((source - target).abs() * seen).mean()


def test_stills_grow_while_they_are_read(drawn_discs, tmp_path):
    shutil.copytree(drawn_discs / "stills", tmp_path / "stills")
    stills = StillSet(tmp_path)
    assert len(stills) == 12 and stills.refresh() == 12
    for path in list((tmp_path / "stills").glob("000000_*")):
        if "rgb" not in path.name:
            shutil.copy(path, path.with_name(path.name.replace("000000", "000001")))
    assert stills.refresh() == 12  # the pictures come last: a shard without them is not there yet
    shutil.copy(tmp_path / "stills" / "000000_rgb.npy", tmp_path / "stills" / "000001_rgb.npy")
    assert stills.refresh() == 24
    assert torch.equal(stills.get(np.array([3])).rgb, stills.get(np.array([15])).rgb)
    with pytest.raises(FileNotFoundError, match="corpus"):
        StillSet(tmp_path / "nothing")


def test_landmark_numbers_are_the_corpus():
    assert [LANDMARKS[i] for i in MOUTH_CORNERS] == ["mouth_left", "mouth_right"]
    assert [LANDMARKS[i] for i in EYE_CORNERS] == ["left_eye_outer", "right_eye_outer"]


def test_the_inside_of_the_mouth_is_teeth_tongue_and_cavity():
    for part in (torch.arange(17, dtype=torch.uint8), torch.arange(17.0)):
        target = Target(None, None, None, part)
        assert target.mouth.dtype == torch.float32 and target.mouth.nonzero().flatten().tolist() == [3, 4, 10]


def test_closed_lids_and_lips_count():
    shape = 1, 1, 128, 128
    skin = torch.ones(shape, dtype=torch.uint8)
    marks = torch.full((1, len(LANDMARKS), 2), 0.5)
    marks[0, LANDMARKS.index("left_eye_outer")] = torch.tensor([0.25, 0.4])
    target = Target(torch.zeros(1, 3, 128, 128), torch.zeros(1, 2, 128, 128), torch.ones(shape), skin, marks)
    assert target.eye.sum() == 0 and target.around_eye[0, 0, 52, 34] == 1 and target.around_eye[0, 0, 70, 34] == 0
    assert all("eye" in LANDMARKS[i] or "lid" in LANDMARKS[i] or "brow" in LANDMARKS[i] for i in LEFT_EYE + RIGHT_EYE)
    assert all("mouth" in LANDMARKS[i] or "lip" in LANDMARKS[i] for i in MOUTH)


def test_a_closing_lid_is_painted_and_the_rest_of_the_face_copied():
    shape = 3, 1, 128, 128
    marks = torch.full((3, len(LANDMARKS), 2), 0.8)
    for i, (x, y) in zip(LEFT_EYE, [(0.2, 0.4), (0.4, 0.4), (0.3, 0.35), (0.3, 0.45)] + 3 * [(0.3, 0.4)], strict=True):
        marks[:, i] = torch.tensor([x, y])
    field = torch.zeros(3, 2, 128, 128)
    field[:, 1, 46:56] = -torch.arange(1, 11)[:, None] * 0.9 / 64  # ten rows drawn out of one
    lids = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    target = Target(torch.zeros(3, 3, 128, 128), field, torch.ones(shape), torch.ones(shape), marks, lids)
    assert (target.copied[0, 0, 46:54, 30:50] == 0).all() and (target.copied[0, 0, 46:54, 70:] == 1).all()
    assert (target.copied[1:] == 1).all()  # a turn may draw out as much: where no lid moves, the photo serves


def test_frames_of_a_clip_vary_together():
    same = torch.rand(1, 3, 32, 32).expand(8, -1, -1, -1)
    points = torch.zeros(8, 1, 2)
    framed, _ = jostle(same, points, draws(0, 2), shared=4)
    varied = vary(same, draws(0, 2), shared=4)
    assert torch.equal(framed[0], framed[3]) and not torch.allclose(framed[0], framed[4], atol=1e-3)
    assert (varied[0] - varied[3]).abs().mean() < 0.05 and (varied[0] - varied[4]).abs().mean() > 0.02
    assert varied.min() >= 0 and varied.max() <= 1


def test_points_move_with_their_picture():
    picture = torch.zeros(4, 1, 64, 64)
    picture[:, :, 30:34, 18:22] = 1.0  # a spot around (20, 32)
    moved, points = jostle(picture, torch.tensor([20 / 64, 0.5]).expand(4, 1, 2), draws(1, 4))
    weight = moved[:, 0] / moved.sum((1, 2, 3))[:, None, None]
    centres = (torch.arange(64) + 0.5) / 64
    seen = torch.stack([weight.sum(1) @ centres, weight.sum(2) @ centres], 1)
    assert (points[:, 0] - torch.tensor([20 / 64, 0.5])).abs().max() > 0.01
    assert (seen - points[:, 0]).abs().max() < 0.005


def test_reach_tells_how_far_parameters_carry_landmarks(drawn_discs, monkeypatch):
    stills, generator = StillSet(drawn_discs), torch.Generator().manual_seed(0)
    truth = torch.randn(24, 80, generator=generator)
    people, own = torch.randn(400, 4, 24, generator=generator), torch.randn(400, 1, 80, generator=generator)
    monkeypatch.setattr(stills, "parameters", lambda: people.flatten(0, 1))
    monkeypatch.setattr(stills, "landmarks", lambda: (people @ truth + own).view(-1, 40, 2))
    assert (landmark_reach(stills) - truth).abs().max() < 1e-3


def test_threshold_mask_lets_small_differences_pass():
    truth = torch.randn(2, 6, 8, 8)
    assert threshold_mask_loss(truth + 1e-3 * torch.randn_like(truth), truth) < 2e-3
    assert threshold_mask_loss(truth.flip(-1), truth) > 0.5
    deviated = torch.randn(2, 6, 8, 8, requires_grad=True)
    threshold_mask_loss(deviated, truth).backward()
    assert torch.isfinite(deviated.grad).all() and deviated.grad.abs().max() > 0


def test_the_truth_has_the_least_loss(drawn_discs, tiny_config):
    torch.manual_seed(0)
    task = RenderingTask(Renderer(tiny_config).eval(), StillSet(drawn_discs), written=1.0)
    batch = task.batch(np.arange(4), 64, draws(0, 4), augment=False)
    base, motion, _ = task.drive(batch)
    with torch.no_grad():
        rendered = task.render(batch.source, motion, base)
        target = batch.target
        field = rendered.motion._replace(
            field=target.displacement, coarse=target.displacement, visible=20 * (target.visible - 0.5)
        )
        perfect = stage1_losses(rendered._replace(image=target.image, motion=field), target)
        actual = stage1_losses(rendered, target)
    for name in ("flow", "coarse_flow", "visible", "pixels", "structure", "gradient", "multiscale"):
        assert perfect[name] < 0.35 * actual[name] + 1e-5, name


def test_twins_drive_with_their_own_pictures_and_parameters(drawn_discs, tiny_config):
    task = RenderingTask(Renderer(tiny_config), StillSet(drawn_discs), written=0.0)
    batch = task.batch(np.arange(12), 64, draws(1, 12), augment=False)
    own = (batch.frames[:, 0] - batch.source).abs().mean((1, 2, 3)) < 0.02
    assert 1 <= int(own.sum()) <= 10 and not batch.written.any()
    assert torch.equal(batch.framed[own], batch.parameters[own])


def test_the_motion_encoder_is_held_still_unless_joint(drawn_discs, tiny_config):
    stills = StillSet(drawn_discs)
    for joint in (False, True):
        renderer = Renderer(tiny_config)
        task = RenderingTask(renderer, stills, joint=joint)
        batch = task.batch(np.arange(3), 64, draws(0, 3))
        torch.stack(list(task.losses(batch).values())).sum().backward()
        learns = renderer.motion_encoder.head.weight.grad is not None
        assert learns == joint == any(p is renderer.motion_encoder.head.weight for p in task.parameters())
        assert ("motion_space" in task.losses(batch)) == joint
        base, motion, _ = task.drive(batch)
        assert base.requires_grad == motion.requires_grad == joint
        reader = renderer.parameters_of_motion.reader.weight  # stage 2 stands on the space: it never moves
        assert not any(p is reader for p in task.parameters())


@pytest.mark.parametrize("task", [ParameterSpaceTask, MotionSpaceTask, RenderingTask])
def test_measuring_is_repeatable_and_leaves_no_gradient(task, drawn_discs, tiny_config):
    task = task(Renderer(tiny_config).eval(), StillSet(drawn_discs))
    first, again = (task.measure(np.arange(3), 64) for _ in range(2))
    assert first == again and all(np.isfinite(v) for v in first.values())


def test_a_tiny_run_lowers_every_part_of_the_loss(drawn_discs, tiny_config, tmp_path):
    file = train(drawn_discs, tmp_path, tiny_config, 50, dict(saves=Every(seconds=1e6)), validation=drawn_discs)
    for part, name, share in (("space", "write", 0.2), ("motion", "agree", 0.94), ("coarse", "loss", 0.8)):
        values = list(lines(tmp_path, part, name).values())
        assert len(values) == 50 and np.mean(values[-10:]) < share * np.mean(values[:10]), part
    assert set(lines(tmp_path, "coarse", "held_out/psnr")) == {150}
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["000001100.jpg"]
    assert averaged_renderer(file).config == tiny_config


def test_killed_and_resumed_equals_unbroken(drawn_discs, tiny_config, tmp_path, killing):
    whole = torch.load(train(drawn_discs, tmp_path / "whole", tiny_config, 6), weights_only=True)
    for task, when in ((ParameterSpaceTask, 2), (MotionSpaceTask, 4), (RenderingTask, 3), (RenderingTask, 2)):
        with killing(task, "losses", when):
            train(drawn_discs, tmp_path / "broken", tiny_config, 6)
    resumed = torch.load(train(drawn_discs, tmp_path / "broken", tiny_config, 6), weights_only=True)
    assert (resumed["step"], resumed["samples"]) == (18, 6 * 16 + 6 * 6)
    for part in ("renderer", "average"):
        assert all(torch.equal(value, resumed[part][name]) for name, value in whole[part].items())
    for part in ("space", "motion", "coarse"):
        assert lines(tmp_path / "whole", part) == lines(tmp_path / "broken", part)
    text = (tmp_path / "broken" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in text] == list(range(1, 19))  # no step is told twice


def test_discriminators_too_go_on_to_the_bit(drawn_discs, tiny_config, tmp_path, killing):
    parts = Part("coarse", 0.5, 64, 2, 1e-3), Part("finish", 0.5, 64, 2, 1e-3, joint=True, adversarial=True)
    options = dict(schedule=parts, weights=Stage1Weights(adversarial=0.1, features=1.0))
    whole = torch.load(train(drawn_discs, tmp_path / "whole", tiny_config, 3, **options), weights_only=True)
    for when in (4, 3):  # in the first step of the second part, and in its third
        with killing(RenderingTask, "losses", when):
            train(drawn_discs, tmp_path / "broken", tiny_config, 3, **options)
    resumed = torch.load(train(drawn_discs, tmp_path / "broken", tiny_config, 3, **options), weights_only=True)
    assert len(whole["optimizers"]) == 2 and whole["adversary"].keys() == resumed["adversary"].keys()
    for part in ("renderer", "average", "adversary"):
        assert all(torch.equal(value, resumed[part][name]) for name, value in whole[part].items()), part


def test_trained_weights_are_gone_on_from(drawn_discs, tiny_config, tmp_path):
    begun = averaged_renderer(train(drawn_discs, tmp_path / "first", tiny_config, 2))
    file = save_checkpoint(tmp_path / "begun.safetensors", begun, "renderer", begun.config)
    rested = train(drawn_discs, tmp_path / "second", None, 1, init=file, schedule=(Part("coarse", 1, 128, 1, 0.0),))
    for name, value in averaged_renderer(rested).state_dict().items():
        assert torch.allclose(value, begun.state_dict()[name], 1e-3, 2e-3), name  # half precision on disk


def test_trained_weights_keep_their_space_and_are_trained_more_gently():
    usual = {part.name: part.rate for part in USUAL}
    gentle = {part.name: part.rate for part in going_on(USUAL)}
    assert gentle.keys() == usual.keys() - {"space"}
    assert all(0 < rate < 0.5 * usual[name] for name, rate in gentle.items())


def test_a_finished_run_stays_finished(drawn_discs, tiny_config, tmp_path):
    file = train(drawn_discs, tmp_path, tiny_config, 2)
    before = file.stat().st_mtime_ns
    assert train(drawn_discs, tmp_path, tiny_config, 2) == file and file.stat().st_mtime_ns == before
    train(drawn_discs, tmp_path, tiny_config, 2, dict(resume=False))
    assert file.stat().st_mtime_ns != before


def test_the_clock_ends_a_run(drawn_discs, tiny_config, tmp_path):
    train(drawn_discs, tmp_path, tiny_config, None, dict(minutes=0.02))
    assert len(lines(tmp_path, "coarse")) >= 1


def test_bf16_and_the_papers_other_losses_train(drawn_discs, tiny_config, tmp_path):
    schedule = (Part("finish", 1.0, 64, 2, 1e-3, joint=True, adversarial=True),)
    weights = Stage1Weights(perceptual=1.0, adversarial=0.1, features=1.0)
    options = dict(schedule=schedule, weights=weights)
    train(drawn_discs, tmp_path, tiny_config, 3, dict(precision="bf16"), **options)
    train(
        drawn_discs, tmp_path, tiny_config, 4, dict(precision="bf16"), **options
    )  # the discriminators' state resumes too
    row = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert all(np.isfinite(row[k]) for k in ("perceptual", "adversarial", "features", "discriminator", "motion_space"))
    with pytest.raises(ValueError, match="precision"):
        train(drawn_discs, tmp_path / "other", tiny_config, 1, dict(precision="fp8"))
