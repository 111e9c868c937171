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
from mamba_portrait.vocabulary import ARM_LANDMARKS, ARMS, COUNT, HAND, LANDMARKS, TORSO  # noqa: E402

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
        hands, torso = ((part[group, twin] == which).mean() for which in (HAND, TORSO))
        assert 0.005 < hands < 0.1 and torso > 0.15
    assert np.abs(shard["param"][:, 0, :, COUNT:] - shard["param"][:, 1, :, COUNT:]).max() == 0  # twins gesture alike


def test_the_flow_carries_the_hands(shard):
    """The source moved by the labels is nearer to the target than the source itself, on the hands that it shows."""
    moved, still = [], []
    for group, twin, frame in np.ndindex(3, 2, 3):
        label = shard["label"][group, twin, frame]
        hand = ((label >> 1) == HAND) & ((label & 1) == 1)
        source, target = shard["rgb"][group, twin, 0].astype(float), shard["rgb"][group, twin, frame + 1].astype(float)
        warped = warp_by_flow(shard["rgb"][group, twin, 0], shard["flow"][group, twin, frame]).astype(float)
        moved += [np.abs(warped - target)[hand].mean()]
        still += [np.abs(source - target)[hand].mean()]
    assert np.nanmean(moved) < 0.6 * np.nanmean(still)


def test_points_of_the_arms_lie_on_them(shard):
    """The wrists are on hands or sleeves, and a hand raised by a decimetre is seen higher by its share of the view."""
    marks = shard["mark"][:, :, 1:, len(LANDMARKS) :]
    assert marks.shape[3] == len(ARM_LANDMARKS)
    part, hits = shard["label"] >> 1, []
    for group, twin, frame in np.ndindex(3, 2, 3):
        for point in (2, 6):
            x, y = (marks[group, twin, frame, point] * 128).astype(int)
            if 0 <= x < 128 and 0 <= y < 128:
                hits.append(part[group, twin, frame, y, x] in (HAND, TORSO))
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
