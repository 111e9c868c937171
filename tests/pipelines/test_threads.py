"""Work by several threads comes in order, its errors in their place, and leaves PyTorch's threads as they were."""

import threading
from fractions import Fraction

import pytest
import torch

from mamba_portrait.media.motion import Motion
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.pipelines import portrait, rendering
from mamba_portrait.pipelines.settings import RenderingSettings
from mamba_portrait.pipelines.threads import in_order, threads_a_thread, worker_count


@pytest.fixture
def four_threads():
    with threads_a_thread(4):
        yield


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize("workers", [1, 3])
def test_results_are_in_order(workers):
    first = threading.Event()

    def work(number):  # with several workers the first result is the last to be ready
        if number == 1:
            first.set()
        elif number == 0 and workers > 1:
            assert first.wait(10)
        return number * number

    assert list(in_order(work, range(9), workers)) == [n * n for n in range(9)]


@pytest.mark.usefixtures("four_threads")
def test_workers_share_the_threads_and_give_them_back():
    assert set(in_order(lambda _: torch.get_num_threads(), range(4), 2)) == {2}
    assert torch.get_num_threads() == 4
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [4]


@pytest.mark.usefixtures("four_threads")
def test_an_error_comes_in_its_place_and_ends_the_work():
    began = []

    def work(number):
        began.append(number)
        if number == 2:
            raise ValueError("the third")
        return number

    results = in_order(work, range(100), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(results)
    assert len(began) < 10


@pytest.mark.usefixtures("four_threads")
def test_a_caller_that_stops_leaves_no_thread():
    before = threading.active_count()
    results = in_order(lambda number: number, range(100), 2)
    next(results)
    results.close()
    assert threading.active_count() == before


@pytest.mark.usefixtures("four_threads")
def test_items_are_taken_as_results_are_used():
    taken = []
    results = in_order(lambda number: number, (taken.append(n) or n for n in range(100)), 2)
    next(results)
    assert len(taken) == 3  # one more than there are workers
    results.close()


@pytest.mark.usefixtures("four_threads")
def test_other_devices_have_one_worker():
    assert worker_count(torch.device("cpu"), 3) == 3
    assert worker_count(torch.device("cpu"), 16) == 4
    assert worker_count(torch.device("cuda"), 16) == 1


def test_frames_do_not_depend_on_the_number_of_workers(tiny_weights):
    tiny_renderer = load_renderer(tiny_weights / "renderer_lite.safetensors")
    photo = torch.rand(96, 96, 3, generator=torch.Generator().manual_seed(1))
    source = portrait.encode_source(tiny_renderer, photo)
    appearance = portrait.extract_appearance(tiny_renderer, source)
    values = source.motion + torch.randn(11, 768, generator=torch.Generator().manual_seed(2))
    motion = Motion(values, tiny_renderer.rest_motion(), Fraction(25), tiny_renderer.motion_language)
    frames, reports = {}, []
    for threads in (1, 4):
        with threads_a_thread(threads):
            batches = rendering.render(
                tiny_renderer,
                source,
                appearance,
                motion,
                RenderingSettings(size=64, batch=4),
                progress=lambda done, total: reports.append((done, total)),
            )
            frames[threads] = torch.cat(list(batches))
    assert frames[4].shape == (11, 64, 64, 3)
    assert (frames[1] - frames[4]).abs().max() < 1e-5
    assert frames[1].std(0).max() > 1e-3  # they differ from one another
    assert reports[:3] == [(4, 11), (8, 11), (11, 11)] and reports[-1] == (11, 11)
