"""A film of each of several voices or portraits; transparency that moves with the head and is kept in files."""

import av
import pytest
import torch

from mamba_portrait.host.headless.workflow import NodeError
from mamba_portrait.media.photo import load_cutout, load_photo
from mamba_portrait.nodes.batch import ALL, PAIRS, BatchToList
from mamba_portrait.nodes.crop import PortraitCrop
from mamba_portrait.nodes.workflow import run_workflow

pytestmark = pytest.mark.usefixtures("shipped_tiny")
KEYS = "0: yaw=0; .1: yaw=9"


def voices(count):
    waveform = torch.arange(count)[:, None, None].expand(count, 1, 8000) / 10
    return {"waveform": waveform, "sample_rate": 16000}


def values(lists):
    pictures, sounds = lists
    return [float(p.mean()) for p in pictures], [round(float(a["waveform"].mean()) * 10) for a in sounds]


def test_pairs_and_all_of_both_are_listed_and_none_is_dropped():
    faces = torch.arange(3)[:, None, None, None].expand(3, 8, 8, 3).float()
    assert values(BatchToList.execute(PAIRS, faces, voices(3)).args) == ([0, 1, 2], [0, 1, 2])
    assert values(BatchToList.execute(PAIRS, faces, voices(1)).args) == ([0, 1, 2], [0, 0, 0])
    assert values(BatchToList.execute(PAIRS, faces[:1], voices(2)).args) == ([0, 0], [0, 1])
    assert values(BatchToList.execute(ALL, faces[:2], voices(2)).args) == ([0, 0, 1, 1], [0, 1, 0, 1])
    assert values(BatchToList.execute(PAIRS, None, voices(2)).args) == ([], [0, 1])
    with pytest.raises(ValueError, match="3 portraits and 2 voices make no pairs"):
        BatchToList.execute(PAIRS, faces, voices(2))
    with pytest.raises(ValueError, match="nothing to make a list of"):
        BatchToList.execute(PAIRS)


def speaking():
    """Two voices, loaded apart, in one batch, on one portrait."""
    return {
        "1": {"class_type": "MambaPortraitLoadRenderer", "inputs": {}},
        "2": {"class_type": "MambaPortraitLoadMotionModel", "inputs": {}},
        "3": {"class_type": "MambaPortraitExamplePortrait", "inputs": {}},
        "4": {"class_type": "TwoVoices", "inputs": {}},
        "5": {"class_type": "MambaPortraitBatchToList", "inputs": {"images": ["3", 0], "audio": ["4", 0]}},
        "6": {"class_type": "MambaPortraitEncodeSource", "inputs": {"renderer": ["1", 0], "image": ["5", 0]}},
        "7": {"class_type": "MambaPortraitExtractAppearance", "inputs": {"renderer": ["1", 0], "source": ["6", 0]}},
        "8": {"class_type": "MambaPortraitGlobalAudio", "inputs": {"motion_model": ["2", 0], "audio": ["5", 1]}},
        "9": {"class_type": "MambaPortraitLocalAudio", "inputs": {"motion_model": ["2", 0], "audio": ["5", 1]}},
        "10": {
            "class_type": "MambaPortraitSampleMotion",
            "inputs": {"motion_model": ["2", 0], "global_audio": ["8", 0], "local_audio": ["9", 0], "steps": 1},
        },
        "11": {
            "class_type": "MambaPortraitAssembleVideo",
            "inputs": {
                "renderer": ["1", 0],
                "source": ["6", 0],
                "appearance": ["7", 0],
                "motion": ["10", 0],
                "size": "256",
                "audio": ["5", 1],
            },
        },
        "12": {"class_type": "SaveVideo", "inputs": {"video": ["11", 0], "filename_prefix": "each"}},
    }


@pytest.fixture
def two_voices():
    from mamba_portrait.host.headless import schema as io
    from mamba_portrait.nodes.workflow import node_classes

    class TwoVoices(io.ComfyNode):
        @classmethod
        def define_schema(cls):
            return io.Schema("TwoVoices", outputs=[io.Audio.Output()])

        @classmethod
        def execute(cls):
            return io.NodeOutput(voices(2))

    from mamba_portrait.host.headless.workflow import run_workflow as run

    classes = node_classes() | {"TwoVoices": TwoVoices}
    return lambda graph, **places: run(graph, classes, **places)


def test_a_batch_of_voices_makes_a_film_of_each(two_voices, tmp_path):
    files = two_voices(speaking(), output_dir=tmp_path).files
    assert len(files) == len(set(files)) == 2
    for path in files:
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 13


def test_a_batch_without_a_list_is_refused_in_one_sentence(two_voices, tmp_path):
    graph = speaking()
    for node in ("8", "9", "11"):
        graph[node]["inputs"]["audio"] = ["4", 0]
    with pytest.raises(NodeError, match="One recording is needed, but 2 came in"):
        two_voices(graph, output_dir=tmp_path)


def moving(**saving):
    """A portrait that turns, with a mask: its left half is transparent."""
    return {
        "1": {"class_type": "MambaPortraitLoadRenderer", "inputs": {}},
        "2": {"class_type": "MambaPortraitExamplePortrait", "inputs": {}},
        "3": {"class_type": "HalfMask", "inputs": {"image": ["2", 0]}},
        "4": {
            "class_type": "MambaPortraitEncodeSource",
            "inputs": {"renderer": ["1", 0], "image": ["10", 0]},
        },
        "10": {"class_type": "JoinImageWithAlpha", "inputs": {"image": ["2", 0], "alpha": ["3", 0]}},
        "5": {"class_type": "MambaPortraitExtractAppearance", "inputs": {"renderer": ["1", 0], "source": ["4", 0]}},
        "6": {
            "class_type": "MambaPortraitEditExpression",
            "inputs": {"renderer": ["1", 0], "keys": "0: yaw=0;.1: yaw=9"},
        },
        "7": {
            "class_type": "MambaPortraitDecodeMotion",
            "inputs": {
                "renderer": ["1", 0],
                "source": ["4", 0],
                "appearance": ["5", 0],
                "motion": ["6", 0],
                "size": "256",
            },
        },
        "8": {
            "class_type": "MambaPortraitSaveAlpha",
            "inputs": {"frames": ["7", 0], "mask": ["7", 4], "fps": 25.0} | saving,
        },
    }


@pytest.fixture
def with_mask():
    from mamba_portrait.host.headless import schema as io
    from mamba_portrait.host.headless.workflow import run_workflow as run
    from mamba_portrait.nodes.workflow import node_classes

    class HalfMask(io.ComfyNode):
        @classmethod
        def define_schema(cls):
            return io.Schema("HalfMask", inputs=[io.Image.Input("image")], outputs=[io.Mask.Output()])

        @classmethod
        def execute(cls, image):
            mask = torch.zeros(image.shape[:3])
            mask[:, :, : image.shape[2] // 2] = 1
            return io.NodeOutput(mask)

    classes = node_classes() | {"HalfMask": HalfMask}
    return lambda graph, **places: run(graph, classes, **places)


def test_what_is_transparent_moves_and_comes_back_in_pictures(with_mask, tmp_path):
    run = with_mask(moving(format="png pictures", filename_prefix="clear"), output_dir=tmp_path)
    frames, *_, mask = run.outputs["7"]
    assert frames.shape[-1] == 3 and mask.shape == frames.shape[:3]
    assert mask[0, :, :100].min() > 0.99 and mask[0, :, 156:].max() < 0.01
    files = sorted(tmp_path.glob("clear*.png"))
    assert len(files) == len(frames)
    _, alpha = load_cutout(files[0])
    assert torch.allclose(alpha, 1 - mask[0], atol=0.01)


def test_a_webm_keeps_its_alpha_and_its_rate(with_mask, tmp_path):
    run = with_mask(moving(format="webm", filename_prefix="clear"), output_dir=tmp_path)
    (path,) = tmp_path.glob("clear*.webm")
    assert run.outputs["8"][0] == str(path)
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 25
        packets = list(container.demux(stream))
        pictures = [f for p in packets for f in decoder.decode(p if p.size else None)]
    alpha = torch.from_numpy(pictures[0].reformat(format="rgba").to_ndarray())[..., 3]
    assert pictures[0].format.name == "yuva420p" and len(pictures) == len(run.outputs["7"][0])
    assert alpha[:, :100].max() < 8 and alpha[:, 156:].min() > 247


def test_the_crop_cuts_colours_and_alpha_alike():
    photo = torch.rand(1, 60, 80, 3)
    box = {"box_x": 20, "box_y": 20, "box_width": 20, "box_height": 20}
    clear = torch.cat([photo, (photo[..., :1] > 0.5).float()], -1)
    picture = PortraitCrop.execute(clear, "box", "largest", 0, 1.5, 0.0, **box).args[0]
    assert torch.equal(picture[..., 3], (picture[..., 0] > 0.5).float())
    clear[..., 3] = 1
    assert PortraitCrop.execute(clear, "box", "largest", 0, 1.5, 0.0, **box).args[0].shape[-1] == 3


def test_an_opaque_portrait_has_no_transparency(tmp_path):
    graph = moving(format="webm")
    del graph["3"], graph["8"], graph["10"]
    graph["4"]["inputs"]["image"] = ["2", 0]
    graph["9"] = {"class_type": "PreviewImage", "inputs": {"images": ["7", 0]}}
    frames, *_, mask = run_workflow(graph, output_dir=tmp_path).outputs["7"]
    assert mask.shape == frames.shape[:3] and not mask.any()


def test_half_transparent_colours_are_kept_and_hidden_ones_white(tmp_path):
    from mamba_portrait.media.photo import save_image

    picture = torch.tensor([[[1.0, 0, 0, 1], [0, 1, 0, 0.6], [0, 0, 1, 0]]])
    save_image(tmp_path / "p.png", picture)
    colour, alpha = load_cutout(tmp_path / "p.png")
    assert torch.allclose(colour[0], torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 1, 1]]), atol=0.01)
    assert torch.allclose(alpha[0], torch.tensor([1, 0.6, 0]), atol=0.01)
    assert torch.allclose(load_photo(tmp_path / "p.png")[0, 1], torch.tensor([0.4, 1, 0.4]), atol=0.01)
    save_image(tmp_path / "q.png", picture[..., :3])
    assert load_cutout(tmp_path / "q.png")[1] is None
