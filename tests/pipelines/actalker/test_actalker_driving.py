"""ACTalker reads a driving face alike in videos of every size."""

from pathlib import Path

import pytest
import torch

pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
pytest.importorskip("transformers", reason="ACTalker needs transformers (extra actalker)")

from mamba_portrait.media.crop import resize  # noqa: E402
from mamba_portrait.media.faces import find_face  # noqa: E402
from mamba_portrait.media.video import VideoWriter, read_video  # noqa: E402
from mamba_portrait.pipelines.actalker.crops import head_box  # noqa: E402
from mamba_portrait.pipelines.actalker.driving import cut_views  # noqa: E402

DRIVING = Path(__file__).resolve().parents[3] / "assets" / "driving.mp4"


def test_the_networks_see_one_face_at_every_size(tmp_path):
    frame, seen = next(read_video(DRIVING)), {}
    face = find_face(frame).box
    for size in (128, 256, 512, 800, 1600):
        path = tmp_path / f"{size}.mp4"
        with VideoWriter(path, fps=25, crf=1) as writer:
            writer.write(resize(frame, size, size))
        box = tuple(side * size / frame.shape[0] for side in face)
        seen[size] = torch.stack(cut_views(next(read_video(path)), box, head_box(box, (size, size))))
    assert seen[512].std() > 0.1
    for size, near in ((128, 0.02), (256, 0.01), (800, 0.005), (1600, 0.005)):
        assert (seen[size] - seen[512]).abs().mean() < near, size
    with pytest.raises(ValueError, match="The driving video has uint8 pixels"):
        cut_views((frame * 255).byte(), face, face)
