"""talk: two people of a photo and their voices to one film; each face follows its own voice, wrong input is told."""

import math

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.media.audio import load_audio, write_wav
from mamba_portrait.media.photo import save_image
from mamba_portrait.media.video import probe_video, read_video
from mamba_portrait.pipelines import rendering, resuming

pytestmark = pytest.mark.usefixtures("shipped_tiny")
LEFT, RIGHT = "30,40,90,100", "160,40,220,100"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talk")
    y, x = torch.meshgrid(torch.linspace(0, 1, 140), torch.linspace(0, 1, 300), indexing="ij")
    save_image(folder / "two.png", torch.stack([x, y, 1 - x], -1))
    t = torch.arange(16000 * 2 // 5) / 16000  # .4 s: 10 frames
    for name, pitch in (("first", 150), ("second", 240)):
        write_wav(folder / f"{name}.wav", torch.sin(math.tau * pitch * t)[None] * 0.4, 16000)
    write_wav(folder / "both.wav", torch.sin(math.tau * 150 * torch.arange(16000) / 16000)[None] * 0.4, 16000)
    return folder


def talk(files, out, *more, voices=("first.wav", "second.wav"), boxes=(LEFT, RIGHT)):
    order = ["talk", str(files / "two.png"), *(str(files / name) for name in voices), "-o", str(out), "--steps", "1"]
    places = [part for number, box in enumerate(boxes, 1) for part in (f"--box-{number}", box)]
    return main([*order, *places, "--device", "cpu", "--threads", "1", *more])


@pytest.fixture
def rendered(monkeypatch):
    """(horizontal place of the face, motion's frames, first frame rendered) of each person."""
    render, seen = rendering.render, []

    def watched(*values, first=0, **more):
        seen.append((values[1].image, values[3], first))
        yield from render(*values, first=first, **more)

    monkeypatch.setattr(rendering, "render", watched)
    return seen


@pytest.mark.parametrize(("order", "frames"), [("turns", 28), ("recorded", 10)])
def test_two_voices_make_one_film_of_the_whole_photo(files, tmp_path, rendered, capsys, order, frames):
    out = tmp_path / "talk.mp4"
    assert talk(files, out, "--order", order) == 0
    info = probe_video(out)
    assert (info.fps, info.width, info.height, info.has_audio) == (25, 300, 140, True)
    assert sum(1 for _ in read_video(out)) == frames
    sound, rate = load_audio(out)
    assert sound.shape[1] / rate == pytest.approx(frames / 25, abs=0.1)
    printed = capsys.readouterr().out
    assert "Faces at (60, " in printed and "and (190, " in printed and str(out) in printed
    assert [motion.frames for _, motion, _ in rendered] == [frames] * 2
    assert not torch.equal(rendered[0][1].values, rendered[1][1].values)  # a voice of its own


def test_voices_follow_their_faces_when_these_change_sides(files, tmp_path, rendered):
    assert talk(files, tmp_path / "a.mp4") == 0
    assert talk(files, tmp_path / "b.mp4", boxes=(RIGHT, LEFT)) == 0
    (one, first, _), (two, second, _), (three, third, _), (four, fourth, _) = rendered
    assert torch.equal(one, four) and torch.equal(two, three) and not torch.equal(one, two)  # left, right, right, left
    assert not torch.equal(first.values, fourth.values)  # the left one got another voice
    assert not torch.equal(second.values, third.values)


def test_pixels_beside_both_faces_are_the_photos(files, tmp_path):
    assert talk(files, tmp_path / "talk.mp4", "--order", "recorded", "--quality", "0") == 0
    frames = torch.stack(list(read_video(tmp_path / "talk.mp4")))
    assert (frames[:, :, 270:] - frames[:1, :, 270:]).abs().max() < 0.02
    assert (frames[1:, 40:100, 30:90] - frames[:1, 40:100, 30:90]).abs().max() > 0.02


def test_one_recording_is_split_by_times(files, tmp_path):
    out = tmp_path / "talk.mp4"
    assert talk(files, out, "--times", "1: 0-0.5, 2: 0.5-1", voices=("both.wav",)) == 0
    assert sum(1 for _ in read_video(out)) == 25


def test_a_talk_that_was_broken_off_goes_on(files, tmp_path, rendered, monkeypatch, caplog):
    out, pasted = tmp_path / "talk.mp4", resuming.for_film
    monkeypatch.setattr(resuming, "LEAST", 12)
    count = []

    def breaking(picture, channels):
        count.append(1)
        if len(count) == 20:
            raise KeyboardInterrupt
        return pasted(picture, channels)

    monkeypatch.setattr(resuming, "for_film", breaking)
    assert talk(files, out) == 130 and not out.exists()
    monkeypatch.setattr(resuming, "for_film", pasted)
    rendered.clear()
    caplog.set_level("INFO")
    assert talk(files, out) == 0
    assert [first for *_, first in rendered] == [12, 12] and sum(1 for _ in read_video(out)) == 28
    assert "talk.mp4 goes on after 12 frames, which an earlier run finished." in caplog.text


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"voices": ("first.wav",)}, "talk needs a second voice, or --times of who speaks when in the first."),
        ({"boxes": (LEFT, LEFT)}, "Both voices went to one and the same face"),
        ({"voices": ("first.wav", "none.wav")}, "none.wav"),
        ({"voices": ("both.wav",), "times": "1: 0-0.5"}, "The times name one of the two voices only"),
        ({"faces": "left"}, "--faces left: give two, such as left,right."),
    ],
)
def test_what_is_wrong_is_one_sentence_and_leaves_no_film(files, tmp_path, capsys, more, told):
    flags = [part for key in ("times", "faces") if key in more for part in (f"--{key}", more[key])]
    given = {key: value for key, value in more.items() if key in ("voices", "boxes")}
    assert talk(files, tmp_path / "talk.mp4", *flags, **given) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert errors[-1].startswith("error: ") and told in errors[-1]
    assert not list(tmp_path.iterdir())
