"""The graphs in which other nodes finish the frames."""

import pytest

from mamba_portrait.nodes.workflow import run_workflow


@pytest.mark.parametrize(
    ("name", "frames", "rate", "side"),
    [
        ("portrait_detailed", 16, 25, 512),
        ("portrait_upscaled", 16, 25, 360),
        ("portrait_interpolated", 32, 50, 256),
        ("tts_to_portrait", 16, 25, 180),
    ],
)
def test_finished_films_have_the_voices_length(tiny, tiny_host, name, frames, rate, side):
    tiny.write_voice(tiny_host / "voice.wav", samples=9999)
    graph = tiny.workflow(name, ExampleVoice=("LoadAudio", {"audio": "voice.wav"}))
    (path,) = run_workflow(graph, input_dir=tiny_host, output_dir=tiny_host).files
    *film, seconds = tiny.facts(path)
    assert film == [frames, rate, side, side]
    assert seconds == pytest.approx(9999 / 16000, abs=0.07)
