"""Pictures and clips of half bodies: arms are parameters like those of the head."""

import json

import numpy as np
import pytest

moderngl = pytest.importorskip("moderngl")

from mamba_portrait.learning.corpus.clips import ClipRasterizer  # noqa: E402
from mamba_portrait.learning.corpus.drawing.rasterizer import HeadRasterizer  # noqa: E402
from mamba_portrait.learning.corpus.person.half_body import PARAMETERS  # noqa: E402
from mamba_portrait.learning.corpus.sheet import warp_by_flow  # noqa: E402
from mamba_portrait.learning.corpus.speech import voices  # noqa: E402
from mamba_portrait.learning.corpus.stills import draw_shard, draw_stills  # noqa: E402
from mamba_portrait.learning.corpus.tracks import draw_tracks, read_clip, synthesise_clip  # noqa: E402
from mamba_portrait.learning.datasets.stills import StillSet  # noqa: E402
from mamba_portrait.learning.datasets.tracks import load_tracks  # noqa: E402
from mamba_portrait.vocabulary import ARM_BONES, ARM_LANDMARKS, ARMS, BACKGROUND, COUNT, HAND, LANDMARKS, TORSO  # noqa: E402

UP = COUNT + [parameter.name for parameter in ARMS].index("left_up")


@pytest.fixture(scope="module")
def rasterizer() -> HeadRasterizer:
    try:
        return HeadRasterizer(128)
    except RuntimeError as fault:
        pytest.skip(str(fault))


@pytest.fixture(scope="module")
def shard(rasterizer) -> dict[str, np.ndarray]:
    return draw_shard(rasterizer, 5, 0, 3, framing="half")


def test_stills_show_hands_on_a_body_and_name_their_arms(shard):
    assert shard["param"].shape == (3, 2, 4, PARAMETERS)
    part = shard["label"] >> 1
    for group, twin in np.ndindex(3, 2):
        bones = [(shard["bone"][group, twin] == 1 + i).mean() for i in range(len(ARM_BONES))]
        assert 0.005 < min(bones[-2:]) and max(bones) < 0.1
        assert (part[group, twin] == TORSO).mean() > 0.15 and not (part[group, twin] == HAND).any()
    assert np.abs(shard["param"][:, 0, :, COUNT:] - shard["param"][:, 1, :, COUNT:]).max() == 0  # twins gesture alike


def test_the_same_is_shown_without_arms(shard):
    """Pictures differ on the arms, hardly elsewhere but for their shade; the flow carries the body."""
    apart = np.abs(shard["rgb"].astype(float) - shard["bare"]).max(-1) > 12
    arm = shard["bone"] > 0
    assert apart[arm].mean() > 0.7 and apart[~arm].mean() < 0.15
    moved, still = [], []
    for group, twin, frame in np.ndindex(3, 2, 3):
        label = shard["label"][group, twin, frame]
        body = ((label >> 1) != BACKGROUND) & ((label & 1) == 1)
        source, target = (shard["bare"][group, twin, i].astype(float) for i in (0, frame + 1))
        warped = warp_by_flow(shard["bare"][group, twin, 0], shard["flow"][group, twin, frame]).astype(float)
        moved.append(np.abs(warped - target)[body].mean())
        still.append(np.abs(source - target)[body].mean())
    assert np.mean(moved) < 0.8 * np.mean(still)


def test_points_of_the_arms_lie_on_them(shard):
    """The wrists are on their own arm, and a hand raised by a decimetre is seen higher by its share of the view."""
    marks = shard["mark"][:, :, 1:, len(LANDMARKS) :]
    assert marks.shape[3] == len(ARM_LANDMARKS)
    hits = []
    for group, twin, frame in np.ndindex(3, 2, 3):
        for side, point in enumerate((2, 6)):
            x, y = (marks[group, twin, frame, point] * 128).astype(int)
            if 0 <= x < 128 and 0 <= y < 128:
                own = [1 + 2 * bone + side for bone in (1, 2)]  # forearm and hand
                hits.append(np.isin(shard["bone"][group, twin, frame + 1, y - 2 : y + 3, x - 2 : x + 3], own).any())
    assert np.mean(hits) > 0.9
    up = shard["param"][:, :, 1:, UP] - shard["param"][:, :, :1, UP]
    seen = shard["mark"][:, :, :1, len(LANDMARKS) + 2, 1] - shard["mark"][:, :, 1:, len(LANDMARKS) + 2, 1]
    assert np.corrcoef(up.ravel(), seen.ravel())[0, 1] > 0.9


def test_heads_are_drawn_as_before(rasterizer):
    heads = draw_shard(rasterizer, 5, 0, 1)
    assert heads["param"].shape == (1, 2, 4, COUNT) and not ((heads["label"] >> 1) == HAND).any()


def test_a_folder_of_half_bodies_is_read_like_any_other(rasterizer, tmp_path):
    draw_stills(tmp_path, 1, 3, 128, framing="half")
    assert StillSet(tmp_path).parameters().shape == (8, PARAMETERS)


def test_a_raised_hand_is_seen_higher_in_the_clip(rasterizer):
    clip, rest = ClipRasterizer(128), np.zeros((2, PARAMETERS), np.float32)
    rest[1, UP] = 0.8
    low, high = clip.clip(911, rest)
    changed = np.abs(low.astype(int) - high).max(2) > 24
    assert changed[70:, :80].sum() > 60 and changed[:40].sum() == 0 and changed[:, 90:].sum() < 30
    with pytest.raises(ValueError, match=r"\(frames, 24\), of a half body \(frames, 34\)"):
        list(clip.clip(911, rest[:, :30]))


def test_clips_have_the_voice_and_head_of_the_same_clip_without_arms(tmp_path):
    available = tuple(voice for voice in voices.installed() if voice.engine == "espeak-ng")
    if not available:
        pytest.skip("no espeak-ng")
    head, half = (synthesise_clip(available, 4, 2, framing)[1] for framing in ("head", "half"))
    assert half.shape == (len(head), PARAMETERS) and np.array_equal(half[:, :COUNT], head)
    assert half[:, UP].std() > 0.02
    (folder,) = draw_tracks(tmp_path, 1, 4, first=2, framing="half")
    assert read_clip(folder)[1].shape[1] == PARAMETERS and json.loads((folder / "meta.json").read_text())["framing"]
    assert load_tracks(tmp_path, None)[0].values.shape[1] == PARAMETERS
