"""ACTalker's nodes one by one: what the workflows do not reach."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.host.headless import settings as headless
from mamba_portrait.media.faces import Face
from mamba_portrait.nodes.actalker import encode as actalker_encode
from mamba_portrait.nodes.actalker import masks as actalker_masks
from mamba_portrait.pipelines.actalker.preview import preview_colors, preview_picture

BOX = dict(box_x=20, box_y=20, box_width=40, box_height=40)


def masks_of(image, **changes):
    settings = dict(finder="box", face="largest", face_number=0, extend=1.2, mask_mode="paper") | BOX
    return actalker_masks.ACTalkerMasks.execute(image, **settings | changes).args


def test_paper_masks_part_the_face_and_release_masks_are_the_picture():
    image = torch.rand(3, 80, 100, 3)
    box, face, audio, motion = masks_of(image)
    assert tuple(box) == (20, 20, 60, 60)
    assert all(mask.shape == (1, 80, 100) for mask in (face, audio, motion))
    assert face.sum() == 48 * 48 and torch.equal(audio + motion, face) and audio.sum() == 40 * 20
    _, same, *both = masks_of(image, mask_mode="release")
    assert torch.equal(same, face) and all(mask.all() for mask in both)


def test_the_face_is_followed_and_kept_where_it_is_lost(monkeypatch):
    def face(x):
        return Face((x, 0.0, x + 10, 10.0), 1.0, None, "own", (20, 100))

    seen = iter([[face(2)], [face(0), face(50)], [], [face(48), face(8)], [face(2)]])
    monkeypatch.setattr(actalker_encode, "find_faces", lambda picture, finder: next(seen))
    find, picture = actalker_encode.face_tracker("own", True), torch.zeros(20, 100, 3)
    assert [find(picture)[0][0] for _ in range(4)] == [2, 0, 0, 8]
    still = actalker_encode.face_tracker("own", False)
    assert [still(picture)[0][0] for _ in range(3)] == [2, 2, 2]


def test_previews_have_the_portraits_colours():
    latent = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(0)) * 5
    mix = torch.rand(5, 3, generator=torch.Generator().manual_seed(1)) * 0.02
    picture = torch.cat([latent.flatten(1).T, torch.ones(64, 1)], 1) @ mix + 0.4
    small = preview_picture(latent[None], preview_colors(latent, picture.reshape(8, 8, 3)))
    torch.testing.assert_close(small, picture.reshape(8, 8, 3).clamp(0, 1), atol=0.01, rtol=0)


def test_a_folder_of_published_files_is_offered(tmp_path):
    from mamba_portrait.nodes.actalker.load import REDUCED, LoadACTalker

    models = tmp_path / "models" / "mamba_portrait"
    for folder in (models / "actalker", models.parent / "actalker"):
        folder.mkdir(parents=True)
    (models.parent / "actalker" / "unet-136000.pth").touch()
    with headless.configure(model_folders=[models]):
        options = LoadACTalker.define_schema().inputs[0].options
        assert options == [REDUCED, "published files in models/actalker"]


def test_converting_tells_what_is_missing(tmp_path, capsys):
    pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
    assert main(["convert-actalker", str(tmp_path / "none"), "-o", str(tmp_path / "a.safetensors")]) == 2
    assert "no folder" in capsys.readouterr().err
    assert main(["convert-actalker", str(tmp_path), "-o", str(tmp_path / "a.pth")]) == 2
    assert ".safetensors" in capsys.readouterr().err
    assert main(["convert-actalker", str(tmp_path), "-o", str(tmp_path / "a.safetensors")]) == 2
    assert "unet-136000.pth" in capsys.readouterr().err and not list(tmp_path.iterdir())


WITHOUT = """
from mamba_portrait.nodes import NODES, actalker_load
assert all(node.GET_SCHEMA().node_id for node in NODES)
try:
    actalker_load.LoadACTalker.execute(actalker_load.REDUCED, "auto")
except ImportError as fault:
    assert "extra `actalker`" in str(fault), fault
else:
    raise AssertionError("it was loaded")
"""


def test_without_the_extra_all_nodes_are_there_and_running_says_what_is_missing(tmp_path):
    for name in ("diffusers", "transformers"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('absent')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run([sys.executable, "-c", WITHOUT], env=os.environ | {"PYTHONPATH": path}, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()


def test_values_of_another_model_are_refused():
    pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
    from mamba_portrait.nodes.actalker.sample import ACTalkerSample
    from mamba_portrait.nodes.values.sockets import Encoded

    settings = dict(steps=1, identity_guidance=2, audio_guidance=7.5, motion_guidance=3, shift=7, overlap=0)
    with pytest.raises(ValueError, match="one and the same Load ACTalker"):
        ACTalkerSample.execute(SimpleNamespace(name="a"), Encoded(None, "b"), seed=0, rows_at_once=4, **settings)


@pytest.mark.parametrize(("frames", "fps"), [(20, 25), (9, 30), (5, 10), (1, 25)])
def test_a_stream_is_encoded_like_the_whole_video(frames, fps):
    pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
    pytest.importorskip("transformers", reason="ACTalker needs transformers (extra actalker)")
    from mamba_portrait.model_loaders.actalker.reduced import reduced_actalker
    from mamba_portrait.pipelines.actalker.driving import encode_driving, encode_driving_stream

    model = reduced_actalker()
    video = torch.rand(frames, 40, 50, 3, generator=torch.Generator().manual_seed(0))
    box = (10.0, 5.0, 40.0, 35.0)
    whole = encode_driving(model, video, fps, [box])
    streamed = encode_driving_stream(model, iter(video), fps, lambda picture: (box, None))
    torch.testing.assert_close(streamed.tokens, whole.tokens, atol=1e-5, rtol=1e-4)
    assert torch.equal(streamed.none, whole.none)
    with pytest.raises(ValueError, match="The driving video has uint8 pixels"):
        encode_driving_stream(model, iter((video * 255).byte()), fps, lambda picture: (box, None))
    with pytest.raises(ValueError, match="no frames"):
        encode_driving_stream(model, iter(()), fps, lambda picture: (box, None))
