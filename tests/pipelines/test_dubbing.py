"""A dubbed film: the mouth is the new voice's, and every other pixel is the film's."""

from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from mamba_portrait.media.faces import NoFaceError
from mamba_portrait.media.motion import Motion
from mamba_portrait.media.mouth_region import MouthRegion
from mamba_portrait.media.video import read_video
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.pipelines.dub_plan import DubbingSettings, _keys, plan_shot, voice_parameters
from mamba_portrait.pipelines.dubbing import _nearest, dub
from mamba_portrait.pipelines.face_reading import read_face
from mamba_portrait.pipelines.tracking import Shot, track_face
from mamba_portrait.vocabulary import COUNT, INDEX

FILM = Path(__file__).resolve().parents[2] / "assets" / "driving.mp4"
FRAMES, FPS, JAW = 16, Fraction(25), INDEX["jaw"]


@pytest.fixture(scope="module")
def renderer():
    return load_renderer(None)


def film():
    return islice(read_video(FILM), 20, 20 + FRAMES)


@pytest.fixture(scope="module")
def read_film(renderer):
    track = track_face(film(), FPS)
    return track, read_face(renderer, film(), track)


def voice(renderer, jaw, frames=FRAMES, fps=FPS):
    """A motion that opens the jaw so far in each frame."""
    parameters = torch.zeros(frames, COUNT)
    parameters[:, JAW] = torch.as_tensor(jaw, dtype=torch.float32)
    with torch.no_grad():
        values, rest = (renderer.motion_from_parameters(p).float() for p in (parameters, torch.zeros(COUNT)))
    return Motion(values, rest, fps, renderer.motion_language)


@pytest.fixture(scope="module")
def dubbed(renderer, read_film):
    jaw = torch.tensor([0.0, 0.8]).repeat_interleave(FRAMES // 2)
    return torch.cat(list(dub(renderer, film, *read_film, voice(renderer, jaw))))


def test_only_the_mouths_region_changes(read_film, dubbed):
    track, _ = read_film
    for number, (own, new) in enumerate(zip(film(), dubbed, strict=True)):
        region = MouthRegion(track.marks(number), own.shape[:2])
        away = np.ones(own.shape[:2], bool)
        away[region.rows, region.columns] = region.alpha == 0
        assert 0.6 < away.mean() < 0.95
        assert (own[away] == new[away]).all()
    assert float((new - own).abs().max()) > 0.1


def test_the_mouth_is_the_new_voices_and_not_the_films(renderer, read_film, dubbed):
    """The film's own mouth opens and closes in these frames; the new one is closed, then open."""
    track, face = read_film
    own = face.parameters[:, JAW]
    read = read_face(renderer, iter(dubbed), track).parameters[:, JAW]
    assert float(own.max() - own.min()) > 0.3
    closed, opened = read[: FRAMES // 2 - 1], read[FRAMES // 2 + 1 :]
    assert float(closed.max()) < 0.2 and float(opened.min()) > 0.4


def test_the_film_of_another_rate_keeps_its_rate_and_the_voice_its_time(renderer, read_film):
    track, _ = read_film
    for fps in (16, 24, 30):
        there = type(track)(FRAMES, Fraction(fps), track.height, track.width, track.shots)
        ramp = torch.arange(40) / 25  # opens by its own time in seconds
        spoken = voice_parameters(renderer, voice(renderer, ramp, 40), there, DubbingSettings())
        assert spoken[:, JAW] == pytest.approx(torch.arange(FRAMES) / fps, abs=1e-3)


def test_a_voice_begins_late_and_the_lips_are_closed_before_and_after_it(renderer, read_film):
    track, _ = read_film
    settings = DubbingSettings(begin=0.2, gain=0.5)
    spoken = voice_parameters(renderer, voice(renderer, 0.8, 4), track, settings)[:, JAW]
    assert spoken == pytest.approx(torch.tensor([0.0] * 5 + [0.4] * 4 + [0.0] * 7), abs=1e-4)


def test_frames_that_are_left_alone_are_the_films_to_the_bit_and_are_named(renderer, read_film, monkeypatch):
    track, _ = read_film
    (shot,) = track.shots
    seen = shot.seen.clone()
    seen[6:10] = False
    broken = type(track)(FRAMES, FPS, track.height, track.width, (Shot(0, FRAMES, seen, shot.boxes, shot.marks),))
    face = read_face(renderer, film(), broken)
    assert str(face.report) == "1 shot, 12 of 16 frames dubbed; left as filmed: 0.24 to 0.40 s (no face)."
    frames = torch.cat(list(dub(renderer, film, broken, face, voice(renderer, 0.8))))
    own = torch.stack(list(film()))
    assert (frames[6:10] == own[6:10]).all() and not (frames[0] == own[0]).all()


def test_a_face_turned_away_is_left_alone(renderer, read_film, monkeypatch):
    track, _ = read_film
    monkeypatch.setattr("mamba_portrait.pipelines.face_reading.TURNED", 0.0)
    with pytest.raises(NoFaceError, match="looks at the camera"):
        read_face(renderer, film(), track)


def test_another_film_than_the_tracked_one_is_refused(renderer, read_film):
    track, face = read_film
    with pytest.raises(ValueError, match="another film"):
        read_face(renderer, (frame[:-2] for frame in film()), track)
    with pytest.raises(ValueError, match="another film"):
        list(dub(renderer, lambda: islice(film(), 3), track, face, voice(renderer, 0.0)))


def test_key_frames_have_closed_lips_and_lie_apart():
    opening = torch.tensor([0.5, 0.02, 0.0, 0.6, 0.7, 0.8, 0.9, 0.05, 0.6, torch.inf, 0.5, 0.5, 0.04, 0.9])
    assert _keys(opening, 25.0) == [2, 7, 12]
    assert _keys(torch.tensor([0.9, torch.inf]), 25.0) == [0]


def test_a_shot_without_the_face_has_no_plan():
    shot = Shot(0, 3, torch.zeros(3, dtype=torch.bool), torch.zeros(3, 3), torch.zeros(3, 5, 2))
    assert plan_shot(shot, torch.full((3, COUNT), torch.nan), torch.zeros(3, COUNT), 25.0) is None


def test_key_frames_are_dissolved_in_the_middle_between_them_only():
    parts = {at: _nearest([4, 14], at) for at in (0, 4, 6, 9, 13, 20)}
    assert parts[0] == parts[4] == parts[6] == [(4, 1.0)] and parts[13] == parts[20] == [(14, 1.0)]
    assert parts[9] == [(4, pytest.approx(0.5)), (14, pytest.approx(0.5))]
