"""Cancel takes effect within a batch; a film in the temporary folder goes with the VIDEO that refers to it."""

import gc
import weakref
from fractions import Fraction

import pytest
import torch
from torch import nn

from mamba_portrait.host import Interrupted, ManagedModel, VideoFromFile
from mamba_portrait.host.headless import settings as headless
from mamba_portrait.media.motion import Motion
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.nodes import assemble
from mamba_portrait.nodes.appearance import ExtractAppearance
from mamba_portrait.nodes.source import EncodeSource
from mamba_portrait.nodes.values.cancelling import cancellable, one_by_one
from mamba_portrait.nodes.values.temporary_film import TemporaryFilm
from mamba_portrait.nodes.values.video_input import open_video
from mamba_portrait.pipelines import rendering, resuming


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(assemble, "temp_directory", lambda: tmp_path)
    with headless.configure(device="cpu"):
        yield tmp_path


class Cancelling(nn.Module):
    """A layer during which the user cancels."""

    def forward(self, x):
        headless.interrupt()
        return x


class Counting(nn.Module):
    calls = 0

    def forward(self, x):
        Counting.calls += 1
        return x


def test_the_next_layer_sees_the_cancel_and_no_later_call():
    network, Counting.calls = nn.Sequential(Counting(), Cancelling(), Counting()), 0
    with pytest.raises(Interrupted), cancellable(network):
        network(torch.zeros(1))
    assert Counting.calls == 1
    network[1] = nn.Identity()
    network(torch.zeros(1))
    assert Counting.calls == 3 and not any(layer._forward_pre_hooks for layer in network.modules())


def test_pictures_of_a_batch_are_cancelled_between_two():
    pictures = one_by_one(torch.zeros(2, 5, 4, 4, 3))
    assert next(pictures).shape == next(pictures).shape == (1, 4, 4, 3)
    headless.interrupt()
    with pytest.raises(Interrupted):
        next(pictures)


def film() -> VideoFromFile:
    return assemble.FramesToVideo.execute(torch.rand(3, 32, 32, 3), 25.0, 18, False)[0]


def test_a_film_goes_with_the_last_that_refers_to_it(folder, tmp_path_factory):
    video = film()
    assert len(list(folder.iterdir())) == 1
    trimmed = VideoFromFile(video.get_stream_source())  # as hosts trim
    del video
    gc.collect()
    assert len(list(open_video(trimmed).frames)) == 3
    saved = tmp_path_factory.mktemp("out") / "saved.mp4"
    trimmed.save_to(saved)
    del trimmed
    gc.collect()
    assert not list(folder.iterdir()) and saved.stat().st_size > 500


def test_a_driving_film_from_memory_leaves_none(folder, monkeypatch):
    import io

    from mamba_portrait.nodes.values import video_input

    monkeypatch.setattr(video_input, "temp_directory", lambda: folder)
    made = film()
    data = open(made.get_stream_source(), "rb").read()

    class InMemory(VideoFromFile):
        def get_stream_source(self):
            return io.BytesIO(data)

    stream = open_video(InMemory(made.get_stream_source()))
    assert len(list(folder.iterdir())) == 2 and len(list(stream.frames)) == 3
    del stream
    gc.collect()
    assert len(list(folder.iterdir())) == 1


def test_a_name_of_a_film_is_text_and_forgives_that_it_is_gone(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"x")
    name = TemporaryFilm(path)
    assert name == str(path) and weakref.ref(name)() is name
    path.unlink()
    del name
    gc.collect()


def test_a_cancelled_film_goes_on_when_the_graph_is_queued_again(folder, tiny_weights, monkeypatch, caplog):
    network = ManagedModel(load_renderer(tiny_weights / "renderer_lite.safetensors"), "tiny")
    picture = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(1))
    source = EncodeSource.execute(network, picture).args[0]
    rest = network.module.rest_motion().detach().cpu()
    names = (network.module.motion_language, network.module.motion_encoder_id)
    motion = Motion(rest.repeat(30, 1), rest, Fraction(25), *names)
    values = (network, source, ExtractAppearance.execute(network, source).args[0], motion, "photo", "relative")
    render, made = rendering.render, []

    def watched(*given, first=0, **more):
        for part in render(*given, first=first, **more):
            made.extend(range(first + len(made), first + len(made) + len(part)))
            if len(made) == cancel_at:
                headless.interrupt()
            yield part

    monkeypatch.setattr(rendering, "render", watched)
    monkeypatch.setattr(resuming, "LEAST", 12)
    cancel_at = 20
    with pytest.raises(Interrupted):
        assemble.AssembleVideo.execute(*values, 1.0, 1.0, 4, 0.06, 18, False)
    assert [path.name[-16:] for path in folder.iterdir()] == [".unfinished.part"]
    made.clear()
    cancel_at = 0
    with caplog.at_level("INFO"):
        video = assemble.AssembleVideo.execute(*values, 1.0, 1.0, 4, 0.06, 18, False)[0]
    assert made == list(range(12, 30)) and len(list(open_video(video).frames)) == 30
    assert "Assemble Video goes on after 12 frames, which an earlier run finished." in caplog.text
    assert [path.suffix for path in folder.iterdir()] == [".mp4"]
    made.clear()
    assemble.AssembleVideo.execute(*values, 0.5, 1.0, 4, 0.06, 18, False)
    assert made == list(range(30))
