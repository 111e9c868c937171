"""A person from a film: what is read of it, what is learnt, what is kept, and that nothing else changes."""

import dataclasses
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.tracks import MOUTH
from mamba_portrait.learning.training.personal import film as films
from mamba_portrait.learning.training.personal import lips, task, train
from mamba_portrait.learning.training.personal.drawn import draw_person
from mamba_portrait.media.audio import load_audio
from mamba_portrait.media.photo import load_photo
from mamba_portrait.media.video import VideoWriter
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.model_loaders.person import CHANGED, Person, load_person, save_person, weights_id, with_person
from mamba_portrait.vocabulary import FPS, LANDMARKS

ASSETS = Path(__file__).resolve().parents[4] / "assets"
SECONDS = 4


@pytest.fixture(autouse=True)
def weights(tiny_weights, tmp_path_factory, monkeypatch):
    """The tiny networks in the place of the shipped ones, beside the shipped face finder."""
    folder = tmp_path_factory.mktemp("beside")
    for file in (*tiny_weights.iterdir(), ASSETS.parent / "weights" / "face_finder.safetensors"):
        (folder / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("MAMBA_PORTRAIT_WEIGHTS", str(folder))


def moving(photo, seconds=SECONDS):
    """Frames of a picture that sways a little."""
    return [photo.roll(round(2 * np.sin(i / 4)), 1) for i in range(seconds * FPS)]


def made(frames, sound=True, fps=FPS):
    """A film of frames with a voice."""
    voice = load_audio(ASSETS / "greeting.flac") if sound else None
    return films.film_of_frames("anna.mp4", lambda: iter(frames), Fraction(fps), voice)


@pytest.fixture(scope="module")
def anna():
    return moving(load_photo(ASSETS / "portrait.jpg")[25:207, 133:315])


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(films, "SHORTEST", 2.0)
    monkeypatch.setattr(films, "PIECE", 1.0)


def test_a_film_becomes_pieces_of_face_and_voice(anna):
    pieces, faults = films.read_pieces([made(anna)], 64)
    assert not faults and sum(piece.voice.frames for piece in pieces) == SECONDS * FPS
    for number, piece in enumerate(pieces):
        assert piece.pictures.shape == (piece.voice.frames, 64, 64, 3) and piece.pictures.dtype == np.uint8
        assert piece.voice.waveform.shape == (1, 640 * piece.voice.frames)
        begin = 640 * sum(each.voice.frames for each in pieces[:number])
        sound = made(anna).sound[begin : begin + 640 * piece.voice.frames]
        assert torch.equal(piece.voice.waveform[0, : len(sound)], sound)


def test_frames_of_any_rate_are_read_at_25(anna):
    slow = list(made(anna[:50], fps=12).frames())
    assert len(slow) == 105 and all(torch.equal(slow[k], anna[int(k * 12 / 25)]) for k in range(0, 100, 7))
    assert len(list(made(anna, fps=50).frames())) == len(anna) // 2


def test_a_cut_begins_another_shot_and_the_bad_one_is_left_out(anna):
    gray = [torch.full_like(anna[0], 0.1)] * 30
    pieces = films.pieces_of(made(anna[:40] + gray + anna[:30]), 64)
    assert [piece.voice.frames for piece in pieces] == [20, 20, 30]


@pytest.mark.parametrize(
    ("film", "told"),
    [
        (lambda anna: made(anna, sound=False), "anna.mp4 has no sound"),
        (lambda anna: dataclasses.replace(made(anna), sound=torch.zeros(16000)), "anna.mp4 is silent"),
        (lambda anna: made(anna[:20]), "is too short"),
        (lambda anna: made(anna[:40]), "1.6 s with one face and a voice, which is too short"),
        (lambda anna: made([torch.full((128, 128, 3), 0.5)] * 60), r"no face.*one person who looks at the camera"),
        (
            lambda anna: made(moving(load_photo(ASSETS / "two_portraits.jpg"), 2)),
            "two faces.*one person in the picture",
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_said_in_a_sentence(anna, film, told):
    with pytest.raises(ValueError, match=told) as fault:
        films.read_pieces([film(anna)], 64)
    assert "\n" not in str(fault.value)


def test_a_film_among_others_that_cannot_be_learnt_from_is_told(anna):
    pieces, faults = films.read_pieces([made(anna, sound=False), made(anna)], 64)
    assert pieces and len(faults) == 1 and "no sound" in faults[0]


def test_networks_stay_and_the_person_is_theirs(anna, tmp_path):
    renderer, model = load_renderer(), load_motion_model()
    before = [weights_id(network) for network in (renderer, model)]
    done, pictures = [], []

    def tell(part, picture):
        done.append(part)
        pictures.extend([] if picture is None else [picture])

    settings = train.PersonSettings(steps=4, groups=1)
    with torch.inference_mode():  # as inside of a host's graph
        person, report = train.personalise(renderer, model, [made(anna)], settings, tell)
    assert [weights_id(network) for network in (renderer, model)] == before == list(person.base.values())
    assert done == sorted(done) and done[-1] == 1 and pictures[0].shape == (64, 64, 3)
    assert report.seconds == SECONDS and 0 < report.kept < report.pieces and "4 s of film" in str(report)
    file = save_person(tmp_path / "anna.safetensors", person)
    assert file.stat().st_size < 500_000 and load_person(file).facts["pieces"] == report.pieces
    own = load_motion_model(person=file)
    assert own.person == "anna.safetensors" and not torch.equal(own.ear.weight, model.ear.weight)
    with pytest.raises(ValueError, match="somebody's already"):
        train.personalise(load_renderer(person=file), own, [made(anna)], settings)


def judged(monkeypatch, values):
    """Have the seconds kept from learning give these values, one after the other."""
    left = list(values)
    picture = torch.zeros(64, 64, 3)

    def judge(self, pieces):
        return {"over_copying": left.pop(0), "mouth": 0.0}, picture

    monkeypatch.setattr(task.PersonTask, "judge", judge)


def learnt(anna, steps=20):
    report = train.Report()
    renderer = train.copy_of(load_renderer())
    shown = [task.read_piece(renderer, piece) for piece in films.pieces_of(made(anna), 64)]
    settings = train.PersonSettings(steps=steps, groups=1, size=32)
    return train._learn_face(renderer, shown, settings, report, lambda done, picture: None), report


def test_over_training_stops_and_the_best_is_kept(anna, monkeypatch):
    judged(monkeypatch, [1.0, 1.1, 1.3, *[1.2] * 20])
    best, report = learnt(anna)
    assert (report.best, report.steps, report.stopped) == (2, 2 + train.PATIENCE, True)
    judged(monkeypatch, [1.0, 1.1, 1.3])
    again, _ = learnt(anna, steps=2)  # the same two steps but for their rates
    assert best.keys() == again.keys() and report.after["over_copying"] == 1.3


def test_where_nothing_is_better_the_base_stays(anna, monkeypatch):
    judged(monkeypatch, [1.0, *[0.9] * 20])
    best, report = learnt(anna)
    assert best == {} and report.best == 0 and report.steps == 20 and report.after == report.before


def test_cancelling_leaves_through_the_learning(anna):
    class Cancelled(Exception):
        pass

    def tell(part, picture):
        if part > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        train.personalise(load_renderer(), load_motion_model(), [made(anna)], train.PersonSettings(steps=50), tell)


def test_what_is_learnt_is_what_a_loaded_file_does(anna):
    """The renderer in learning, with its low ranks in place, gives the pictures and readings of the person's file."""
    renderer = train.copy_of(load_renderer())
    base = {"renderer": weights_id(renderer), "motion_model": ""}
    piece = films.pieces_of(made(anna), 64)[0]
    shown = task.read_piece(renderer, piece)
    changes = task.Changes(renderer, shown.seen)
    learning = task.PersonTask(renderer, changes, [shown], 64)
    with torch.no_grad():
        for parameter in changes.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(parameter)))
        given = [x[:3][None] for x in (shown.motion, shown.seen)]
        source = shown.pictures[:1].float() / 255
        wanted = learning._rendered(source, *given).image
        deltas = changes.deltas()
        assert set(deltas) <= set(CHANGED["renderer"])
        own = with_person(load_renderer(), Person(base, {"renderer": deltas}), "renderer")
        motion = own.encode_motion(shown.pictures[:3].float() / 255)
        torch.testing.assert_close(motion, task.read_again(shown, deltas)[:3], rtol=1e-3, atol=1e-3)
        assert (motion - shown.motion[:3]).abs().max() > 0.01
        encoded = own.encode_source(source, motion=own.centred(motion[:1]), size=64)
        drawn = own.decode(encoded, own.extract_appearance(encoded), encoded.motion + motion[1:] - motion[:1]).image
    torch.testing.assert_close(drawn, wanted, rtol=0, atol=2e-3)


def spoken(rule, noise, count=8, frames=60, width=12):
    """Pieces in which a person's lips follow a rule (width,) that the base does not know, with noise."""
    generator = torch.Generator().manual_seed(5)
    told = torch.randn(width, len(MOUTH), generator=generator) / width**0.5
    pieces = []
    for _ in range(count):
        x = torch.randn(frames, width, generator=generator)
        opening = lips.opening_of(x @ told) + x @ rule + noise * torch.randn(frames, generator=generator)
        seen = torch.stack([0.1 * opening + 0.3, 0.2 * lips.said_lips(x @ told)[:, 1] + 1], 1)
        pieces.append(lips.Spoken(x, torch.full((width,), 0.2), x @ told, seen))
    return pieces


def test_lips_learn_a_rule_and_nothing_from_noise():
    rule = torch.randn(12, generator=torch.Generator().manual_seed(6))
    known = spoken(rule, 0.1)
    solved = lips.solve_lips(known)
    assert solved.held is not None and solved.lag == 0 and solved.changed > 0.95 > 0.8 > solved.base
    before, after = (
        lips.opening_of(known[0].told + known[0].x @ weight.T) for weight in (0 * solved.weight, solved.weight)
    )
    assert np.corrcoef(after, known[0].opening)[0, 1] > 0.95 > np.corrcoef(before, known[0].opening)[0, 1]
    others = [row for row in range(len(MOUTH)) if row != lips.JAW]
    assert not solved.weight[others].any(), "what the film does not tell stays"
    torch.testing.assert_close(known[0].silence @ solved.weight.T + solved.bias, torch.zeros(len(MOUTH)))
    lost = lips.solve_lips(spoken(0 * rule, 30.0))
    assert lost.held is None and not lost.weight.any() and lost.base == lost.changed


def test_a_late_sound_is_found():
    late = [dataclasses.replace(one, seen=one.seen.roll(-2, 0)) for one in spoken(torch.zeros(12), 0.1)]
    assert lips.solve_lips(late).lag == -2


def test_the_lips_seen_are_free_of_the_size():
    points = torch.zeros(5, len(LANDMARKS), 2)
    for name, place in (
        ("left_eye_outer", (0.3, 0.4)),
        ("right_eye_outer", (0.7, 0.4)),
        ("upper_lip_inner", (0.5, 0.6)),
        ("mouth_left", (0.4, 0.6)),
    ):
        points[:, LANDMARKS.index(name)] = torch.tensor(place)
    far = torch.arange(5)[:, None]
    points[:, LANDMARKS.index("lower_lip_inner")] = torch.tensor([0.5, 0.6]) + far * torch.tensor([0, 0.02])
    points[:, LANDMARKS.index("mouth_right")] = torch.tensor([0.6, 0.6]) - far * torch.tensor([0.02, 0])
    expected = torch.stack([0.05 * torch.arange(5), 0.5 - 0.05 * torch.arange(5)], 1)
    torch.testing.assert_close(lips.seen_lips(points), expected)
    torch.testing.assert_close(lips.seen_lips(0.5 * points), expected)


def scaled(known, monkeypatch):
    """Lips of pieces whose regression is `told`, with a renderer that shows two thirds of the opening that the film
    shows, and twice the width."""
    model = load_motion_model()
    told = torch.linalg.lstsq(known[0].x, known[0].told).solution.T
    model.ear = torch.nn.Linear(12, len(MOUTH))
    with torch.no_grad():
        model.ear.weight.copy_(told)
        model.ear.bias.zero_()
    film = torch.tensor([0.1 / 1.5, 0.2 * 2])
    monkeypatch.setattr(lips, "_filmed", lambda renderer, mouth, photo: film * lips.said_lips(mouth))
    with torch.no_grad():
        found = lips.scale_lips(
            model, None, lips.solve_lips(known), known, [None] * len(known), torch.zeros(len(MOUTH))
        )
    torch.testing.assert_close(known[0].silence @ found.weight.T + found.bias, torch.zeros(len(MOUTH)))
    return found, found.weight / told


def test_lips_go_as_far_as_in_the_film(monkeypatch):
    found, more = scaled(spoken(torch.zeros(12), 0.0), monkeypatch)
    assert found.factors == pytest.approx((1.5, 0.5), abs=0.2)  # pucker opens the lips too, and is scaled as the width
    for rows, factor in zip((lips.OPENING, lips.WIDTH), found.factors, strict=True):
        torch.testing.assert_close(more[rows], torch.full_like(more[rows], factor - 1))


def test_widths_that_do_not_agree_with_the_voice_are_not_believed(monkeypatch):
    generator = torch.Generator().manual_seed(8)
    known = spoken(torch.zeros(12), 0.0)
    for one in known:
        one.seen[:, 1] = torch.randn(len(one.seen), generator=generator)
    found, more = scaled(known, monkeypatch)
    assert found.factors[1] == 1 and found.factors[0] == pytest.approx(1.5, abs=0.2) and not more[lips.WIDTH].any()


def test_the_command_writes_a_file_that_animate_takes(anna, tmp_path, capsys):
    film, out = tmp_path / "anna.mp4", tmp_path / "anna.safetensors"
    with VideoWriter(film, fps=FPS, audio=load_audio(ASSETS / "greeting.flac")) as writer:
        writer.write(torch.stack(anna))
    assert main(["personalise", str(film), "-o", str(out), "--minutes", "0.01"]) == 0
    assert "s of film in" in capsys.readouterr().out
    photo, voice = str(ASSETS / "portrait.jpg"), str(ASSETS / "greeting.flac")
    command = ["animate", photo, voice, "--finder", "whole", "--size", "64", "-o", str(tmp_path / "a.mp4")]
    motions = [tmp_path / "own.safetensors", tmp_path / "base.safetensors"]
    assert main([*command, "--person", str(out), "--save-motion", str(motions[0])]) == 0
    assert main([*command, "--save-motion", str(motions[1])]) == 0
    assert motions[0].read_bytes() != motions[1].read_bytes()
    silent = tmp_path / "silent.mp4"
    with VideoWriter(silent, fps=FPS) as writer:
        writer.write(torch.stack(anna[:10]))
    assert main(["personalise", str(silent), "-o", str(tmp_path / "no.safetensors"), "--minutes", "0.01"]) == 2
    assert "silent.mp4 has no sound" in capsys.readouterr().err and not (tmp_path / "no.safetensors").exists()
    assert main(["personalise", str(film), "-o", str(tmp_path / "anna.pt")]) == 2
    assert "ends in .safetensors" in capsys.readouterr().err


def test_places_of_films(tmp_path):
    with pytest.raises(ValueError, match="holds no film"):
        films.open_films([tmp_path])
    rows = "video,speaker\n" + "".join(f"{ASSETS / 'driving.mp4'},{who}\n" for who in ("lab/a", "lab/b"))
    (tmp_path / "list.csv").write_text(rows)
    with pytest.raises(ValueError, match="2 people .*films of one person"):
        films.open_films([tmp_path / "list.csv"])
    with pytest.raises(FileNotFoundError):
        films.open_films([tmp_path / "no.mp4"])


def test_other_faces_are_held_to_the_base(anna):
    renderer = train.copy_of(load_renderer())
    shown = task.read_piece(renderer, films.pieces_of(made(anna), 64)[0])
    changes = task.Changes(renderer, shown.seen)
    learning = task.PersonTask(renderer, changes, [shown], 64)
    slices = [BatchSlice(0, step, range(1), 1) for step in (0, 1, task.TURN)]
    first, between, later = learning.batches(iter(slices))
    assert len(first.other) == len(later.other) == 1 and not len(between.other)
    assert (first.other - later.other).abs().mean() > 0.05, "another face in its turn"
    for batch in (first, between):
        assert float(learning.losses(batch)["others"]) == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        for layer in changes.layers.values():
            layer.left += 0.3
    held = learning.losses(first)["others"]
    held.backward()
    assert held > 1e-4 and all(layer.left.grad.any() for layer in changes.layers.values())
    assert float(learning._change_of_others(first)) == pytest.approx(float(held), rel=1e-3), "changed again"


def test_a_drawn_person_speaks_with_one_voice(tmp_path):
    drawn = draw_person(tmp_path, 3, 5.0, 64)
    stamps = [film.stat().st_mtime_ns for film in drawn]
    assert draw_person(tmp_path, 3, 5.0, 64) == drawn and stamps == [film.stat().st_mtime_ns for film in drawn]
    seconds = [len(film.sound) / 16000 for film in films.open_films(drawn)]
    assert sum(seconds) >= 5 > sum(seconds[:-1])
    metas = [json.loads(file.read_text()) for file in tmp_path.glob("clips/*/meta.json")]
    assert len({meta["speaker"] for meta in metas}) == 1 and {meta["split"] for meta in metas} <= {"val", "test"}
