"""A step of every training, by one process and by two that share it: test_loop.py starts it, once for all tests.

    python one_step.py DATA OUT

DATA holds drawn stills and clips. OUT/one and OUT/two get losses_and_gradients.pt, {task: {"terms": ..., "gradients":
...}} in float64, and short runs, toy and stage1, in float32. In the steps what the code casts to float32 stays float64,
for rounding would hide what is to be seen.
"""

import dataclasses
import importlib.util
import os
import socket
import sys
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.datasets.tracks import TrackBatches, load_tracks
from mamba_portrait.learning.training import processes
from mamba_portrait.learning.training.face_finder.batch_norm import share_batch_norms
from mamba_portrait.learning.training.face_finder.task import FinderSchedule, FinderTask, ScenePool
from mamba_portrait.learning.training.loop import Descent, Plan, gradients
from mamba_portrait.learning.training.motion_model.task import Stage2Task
from mamba_portrait.learning.training.renderer.losses import Stage1Weights
from mamba_portrait.learning.training.renderer.motion_space import MotionSpaceTask, ParameterSpaceTask
from mamba_portrait.learning.training.renderer.rendering import RenderingTask
from mamba_portrait.learning.training.renderer.schedule import Part
from mamba_portrait.learning.training.renderer.train import Stage1Settings, train_stage1
from mamba_portrait.networks.face_finder import FaceFinder, FaceFinderConfig
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.model import Renderer

reduced_actalker = None
with suppress(ImportError):  # without diffusers and transformers
    from mamba_portrait.learning.training.actalker.data import Window
    from mamba_portrait.learning.training.actalker.task import TRAINED, ACTalkerTask
    from mamba_portrait.model_loaders.actalker.reduced import reduced_actalker
    from mamba_portrait.pipelines.actalker.masks import Masks


def beside(name):
    """A module of the tests, by its path from here."""
    path = Path(__file__).parent / name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


conftest, test_loop = beside("../../conftest.py"), beside("test_loop.py")


def stirred(module):
    """Weights of which none is zero, the same everywhere, in float64."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
    return module.double().train()


def renderer_tasks(data):
    stills, renderer = StillSet(data), stirred(Renderer(conftest.TINY_RENDERER))
    space, motion = ParameterSpaceTask(renderer, stills), MotionSpaceTask(renderer, stills)
    yield "space", space, space.parameters(), 10
    yield "motion", motion, motion.parameters(), 3
    options = {"weights": Stage1Weights.for_gpu(), "joint": True, "adversarial": True}
    task = RenderingTask(renderer, stills, 64, **options)
    stirred(task.adversary)
    yield "rendering", task, [*task.parameters(), *task.adversary.parameters()], 3


def motion_model_task(data):
    renderer = stirred(Renderer(conftest.TINY_RENDERER)).requires_grad_(False)
    model = stirred(MotionModel(conftest.TINY_MOTION_MODEL))
    tracks = load_tracks(data, None)
    windows = TrackBatches(tracks, augment=lambda audio, rng: audio * rng.uniform(0.5, 1))
    task = Stage2Task(model, renderer, windows, appearances=torch.randn(5, 16), audio_first=0.3)
    task.measure_motion(tracks, 0)
    task.weigh_parameters(tracks)
    stirred(task.pose_head)
    return "motion model", task, task.parameters(), 5


def face_finder_task():
    """On noise, in which every second scene has a face."""
    network = stirred(FaceFinder(FaceFinderConfig(widths=(8, 8, 16, 16, 16), blocks=1, head=16)))
    share_batch_norms(network)
    pool = ScenePool(None, FinderSchedule(size=64))

    def scene(seed, number):
        rng = np.random.default_rng([seed, number])
        face = np.concatenate([rng.uniform(20, 44, 2), [24], rng.uniform(20, 44, 10)]).astype(np.float32)
        return rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), face[None][number % 2 :]

    pool._scene = scene
    return "face finder", FinderTask(network, pool), list(network.parameters()), 5


def actalker_task():
    """On random windows in place of clips."""

    def window(rng):
        shapes = (3, 4, 8, 8), (4, 8, 8), (1, 16), (3, 10, 3, 16), (3, 16), (3, 3)
        tensors = [torch.from_numpy(rng.standard_normal(shape)) for shape in shapes]
        return Window(*tensors, Masks(*torch.from_numpy(rng.uniform(size=(3, 64, 64))).round())), "window"

    task = ACTalkerTask(reduced_actalker())
    task._window = window
    task.model.double()
    parameters = [p for name in TRAINED for p in getattr(task.model, name).parameters()]
    return "actalker", task, parameters, 3


def in_float64(value):
    """Tensors of a batch, however nested, in float64."""
    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    if dataclasses.is_dataclass(value):
        return replace(value, **{f.name: in_float64(getattr(value, f.name)) for f in dataclasses.fields(value)})
    if isinstance(value, (tuple, list)):
        values = [in_float64(v) for v in value]
        return type(value)(*values) if hasattr(value, "_fields") else type(value)(values)
    return value


def step(task, parameters, batch, progress=0.5):
    """Terms and gradients of the batch of step 9, over all processes."""
    for name, value in vars(task).items():
        setattr(task, name, value.double() if isinstance(value, nn.Module) else in_float64(value))
    shares = processes.shares(batch)
    batches = map(in_float64, task.batches(BatchSlice(0, 9, samples, batch) for samples in shares))
    descent = Descent([torch.optim.SGD(parameters)], batch)
    terms = gradients(task, batches, shares, progress, Plan(steps=1), descent)
    terms = {name: processes.total(value) / processes.count() for name, value in terms.items()}
    return {"terms": terms, "gradients": [None if p.grad is None else p.grad.clone() for p in parameters]}


def all_steps(data):
    """{task: terms and gradients}."""
    toy = test_loop.Toy()
    tasks = [("toy", toy, list(toy.network.parameters()), 5), *renderer_tasks(data), face_finder_task()]
    if reduced_actalker is not None:
        tasks.append(actalker_task())
    name, *rest = motion_model_task(data)
    found = {name: step(*rest), "audio extractors": step(*rest, progress=0.0)}
    return found | {name: step(*rest) for name, *rest in tasks}


def work(data, out):
    """What one process does."""
    processes.join("cpu")
    single = torch.Tensor.float
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    found = all_steps(data)
    torch.Tensor.float = single
    torch.set_default_dtype(torch.float32)
    if processes.is_main():
        torch.save(found, out / "losses_and_gradients.pt")
    test_loop.train_toy(out / "toy", steps=test_loop.STEPS // 2)
    test_loop.train_toy(out / "toy")  # goes on
    parts = Part("space", 0.1, 64, 1, 1e-3), Part("motion", 0.3, 64, 2, 1e-3), Part("coarse", 0.6, 64, 2, 1e-3)
    settings = Stage1Settings(validation=data, config=conftest.TINY_RENDERER, schedule=parts)
    for steps in (1, 2):  # the second goes on with the last part
        train_stage1(data, out / "stage1", Plan(steps=steps, report=lambda text: None), settings)


def begin(data, out, rank, count, port):
    """A process of its own, with all that was imported here; its id."""
    out.mkdir(exist_ok=True)
    if child := os.fork():
        return child
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    place |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
    os.environ.update({key: str(value) for key, value in place.items()})
    status = 1
    try:
        work(data, out)
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


def main(data, out):
    torch.set_num_threads(1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = ("one", 0, 1), ("two", 0, 2), ("two", 1, 2)
    children = [begin(data, out / name, rank, count, port) for name, rank, count in places]
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
