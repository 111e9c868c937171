"""Networks, samplers and losses on a device that is not here, by fake tensors that know their shape and device alone.

A tensor left on the CPU is found as on a GPU: PyTorch refuses to mix the devices. `cuda` takes the branches of CUDA and
ROCm without extra kernels. PyTorch has no fake `mps`; the device `meta` stands for it and takes the branches of any
device that is neither CPU nor CUDA. It can also run backward, for which a fake `cuda` needs a driver. Operations in
float64, which MPS has not, are refused on both.
"""

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.datasets.tracks import TrackBatches, load_tracks
from mamba_portrait.learning.training.face_finder.targets import losses as finder_losses
from mamba_portrait.learning.training.motion_model.task import Stage2Task
from mamba_portrait.learning.training.renderer.losses import Stage1Weights
from mamba_portrait.learning.training.renderer.motion_space import MotionSpaceTask, ParameterSpaceTask
from mamba_portrait.learning.training.renderer.rendering import RenderingTask
from mamba_portrait.networks.face_finder import FaceFinder, FaceFinderConfig
from mamba_portrait.networks.mamba import backend, selective_scan
from mamba_portrait.networks.mamba.bidirectional import bidirectional_scan
from mamba_portrait.networks.mamba.mamba1 import Mamba
from mamba_portrait.networks.motion_model.mamba_global import GlobalAudio
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.sampling import windows
from mamba_portrait.sampling.actalker import DrivingConditions, GuidanceScales, guidance_rows, sample_latents
from mamba_portrait.sampling.settings import SOLVERS, WINDOW_MODES, SamplingSettings
from mamba_portrait.sampling.windows import sample_motion


class NoFloat64(TorchDispatchMode):
    """Refuses operations that make float64 or complex128 on the device, as MPS does."""

    def __init__(self, device: str):
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, Tensor) and x.device.type == self.device and x.dtype in (torch.float64, torch.complex128):
                raise TypeError(f"{operation} makes {x.dtype} on the device")
        return result


class Device:
    """A fake device: `put` moves modules and tensors there, `rand` makes new ones."""

    def __init__(self, name: str, mode: FakeTensorMode):
        self.name, self.mode = name, mode

    def put(self, value):
        """A module (its parameters and buffers, nothing else), or tensors however nested."""
        if isinstance(value, nn.Module):
            known: dict[int, Tensor] = {}
            for part in value.modules():
                for named in (part._parameters, part._buffers):
                    for name, x in named.items():
                        if x is not None:
                            named[name] = known.setdefault(id(x), self._fake(x))
            return value
        if isinstance(value, Tensor):
            return self._fake(value)
        if dataclasses.is_dataclass(value):
            moved = {f.name: self.put(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return dataclasses.replace(value, **moved)
        if isinstance(value, (tuple, list)):
            parts = [self.put(v) for v in value]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        return value

    def _fake(self, x: Tensor) -> Tensor:
        fake = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=self.name)
        return nn.Parameter(fake, x.requires_grad) if isinstance(x, nn.Parameter) else fake

    def rand(self, *shape: int) -> Tensor:
        return torch.rand(shape, device=self.name)

    def check(self, *results, module: nn.Module | None = None) -> None:
        """All results lie on the device; on `meta` gradients flow back to it, and every parameter's is there."""
        found = [x for x in tree_leaves(results) if isinstance(x, Tensor)]
        assert found and {x.device.type for x in found} == {self.name}
        if module is not None and self.name == "meta":
            sum(x.float().sum() for x in found if x.requires_grad).backward()
            gradients = [p.grad for p in module.parameters() if p.grad is not None]
            assert gradients and {g.device.type for g in gradients} == {"meta"}


@pytest.fixture(params=["cuda", "meta"])
def device(request, monkeypatch):
    """Without mamba_ssm and Triton, which need the device itself."""
    monkeypatch.setattr(backend, "kernels", lambda: None)
    monkeypatch.setattr(selective_scan, "_triton_works", lambda device: False)
    autocast = torch.amp.autocast_mode.autocast
    monkeypatch.setattr(torch, "autocast", lambda kind, *a, **k: autocast("cpu" if kind == "meta" else kind, *a, **k))
    schedule = windows.NoiseSchedule  # its levels are read as numbers, which fake tensors have not
    monkeypatch.setattr(windows, "NoiseSchedule", lambda *arguments: built(schedule, *arguments))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, NoFloat64(request.param):
        yield Device(request.param, mode)


def built(network, *arguments):
    """A network made on the CPU, outside of the fake mode, with gradients."""
    with torch.utils._python_dispatch._disable_current_modes():
        return network(*arguments)


def test_a_tensor_left_on_the_cpu_is_found(device):
    class Careless(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.kept = nn.Linear(4, 4), torch.ones(4)  # no buffer: it does not move

        def forward(self, x):
            return self.linear(x) + self.kept

    careless = device.put(built(Careless))
    with pytest.raises(RuntimeError, match="two different devices"):
        careless(device.rand(2, 4))
    with pytest.raises(RuntimeError, match="two different devices"):
        device.rand(2, 4) * torch.arange(4)


def test_float64_is_found(device):
    with pytest.raises(TypeError, match="float64"):
        device.rand(3).double()


@pytest.mark.parametrize("trained", [True, False])
def test_the_renderer(device, tiny_config, trained):
    renderer = device.put(built(Renderer, tiny_config))
    assert isinstance(next(renderer.parameters()), FakeTensor)
    with torch.set_grad_enabled(trained):
        source = renderer.encode_source(device.rand(1, 3, 96, 96))
        appearance = renderer.extract_appearance(source)
        motion = renderer.encode_motion(device.rand(3, 3, 64, 64))
        wanted = renderer.within_limits(renderer.centred(motion), source)
        rendered = renderer.decode(source.at_size((80, 64)), appearance, wanted, (80, 64), 0.8)
        parameters = renderer.read_parameters(wanted)
        written = renderer.motion_from_parameters(parameters) + renderer.rest_motion()
    toned = dataclasses.replace(source, tone=device.rand(1, 2, 3, 1, 1))
    device.check(source, renderer.decode(toned, appearance, wanted).image)
    device.check(rendered, appearance, written, module=renderer if trained else None)


@pytest.mark.parametrize("changes", [{}, {"stem": "waveform", "adaln": "block", "exact_slices": True}])
def test_the_motion_model(device, tiny_motion_config, changes):
    model = device.put(built(MotionModel, dataclasses.replace(tiny_motion_config, **changes)))
    waveform, appearance = device.rand(2, 12 * 640), device.rand(2, 16)
    heard, local = model.extract_global(waveform), model.extract_local(waveform)
    t, dropped = (
        torch.zeros(2, dtype=torch.long, device=device.name),
        torch.ones(2, dtype=torch.bool, device=device.name),
    )
    noisy = model.scale_mouth_noise(device.rand(2, 12, 768), 0.5)
    predicted = model.denoise(noisy, t, heard, local, appearance, None, dropped, dropped)
    mouth = model.predict_mouth(heard, local)
    device.check(heard, local, mouth, model.lead_mouth(predicted, mouth, 0.5), module=model)


@pytest.mark.parametrize(
    "solver, mode", [(SOLVERS[0], mode) for mode in WINDOW_MODES] + [(s, "window") for s in SOLVERS[1:]]
)
def test_the_motion_sampler(device, tiny_motion_config, solver, mode):
    model = device.put(built(MotionModel, tiny_motion_config)).requires_grad_(False)
    heard = GlobalAudio(device.rand(1, 16), device.rand(1, 20, 16))
    settings = SamplingSettings(steps=2, solver=solver, eta=0.5, mode=mode, window=16, overlap=4)
    history = device.rand(3, 768)
    device.check(
        sample_motion(model, heard, device.rand(1, 20, 16), device.rand(1, 16), settings, frames=20, history=history)
    )


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_the_sampler_of_other_predictions(device, tiny_motion_config, prediction):
    model = device.put(built(MotionModel, dataclasses.replace(tiny_motion_config, prediction=prediction)))
    heard = GlobalAudio(device.rand(1, 16), device.rand(1, 16, 16))
    device.check(
        sample_motion(model, heard, device.rand(1, 16, 16), None, SamplingSettings(steps=2, window=16), frames=16)
    )


def test_mamba_by_its_own_scan(device):
    layer = device.put(built(Mamba, 16))
    y, state = layer(device.rand(2, 40, 16), return_state=True)
    device.check(layer(device.rand(2, 5, 16), state), y, module=layer)


@pytest.mark.parametrize("form", ["sequential", "chunked", "two_level"])
def test_every_form_of_the_scan(device, form):
    with_grad = [device.rand(2, 20, 2, 8), device.rand(2, 20, 2, 8), -device.rand(2, 8, 4)]
    with_grad += [device.rand(2, 20, 2, 4), device.rand(2, 20, 2, 4), device.rand(2, 8)]
    inputs = nn.ParameterList(x.detach() for x in with_grad)
    y, last = selective_scan.selective_scan(*inputs, form=form, chunk=8)
    device.check(y, last, module=inputs)


def test_the_scan_in_both_directions(device):
    inputs = [device.rand(2, 20, 8), device.rand(2, 20, 2, 8), device.rand(2, 8), -device.rand(2, 8, 4)]
    inputs += [device.rand(2, 20, 2, 4), device.rand(2, 20, 2, 4), device.rand(2, 8)]
    inputs = nn.ParameterList(x.detach() for x in inputs)
    device.check(bidirectional_scan(*inputs), module=inputs)


def test_the_face_finder(device):
    network = device.put(built(FaceFinder, FaceFinderConfig(widths=(8, 8, 16, 16, 16), blocks=1, head=16)))
    outputs = network(device.rand(2, 3, 64, 64))
    targets = [device.rand(2, 16, *output.shape[-2:]) for output in outputs]
    device.check(finder_losses(outputs, targets), module=network)


def taken(task, device: Device, batch):
    """A task made on the CPU and one of its batches: both are put on the device, and the loss is taken there."""
    for name, value in vars(task).items():
        if isinstance(value, (nn.Module, Tensor)):
            setattr(task, name, device.put(value))
    terms = task.losses(device.put(batch), 0.5)
    device.check(terms["loss"], module=task.model if hasattr(task, "model") else task.renderer)


@pytest.mark.parametrize("stage", ["space", "motion", "rendering"])
def test_the_losses_of_the_renderer(device, stage, drawn_discs, tiny_config):
    with torch.utils._python_dispatch._disable_current_modes():
        stills, renderer = StillSet(drawn_discs), Renderer(tiny_config)
        task = {
            "space": lambda: ParameterSpaceTask(renderer, stills),
            "motion": lambda: MotionSpaceTask(renderer, stills),
            "rendering": lambda: RenderingTask(
                renderer, stills, 64, weights=Stage1Weights.for_gpu(), joint=True, adversarial=True
            ),
        }[stage]()
        batch = next(iter(task.batches(iter([BatchSlice(0, 0, range(2), 2)]))))
    taken(task, device, batch)


def test_the_losses_of_the_motion_model(device, drawn_clips, tiny_config, tiny_motion_config):
    with torch.utils._python_dispatch._disable_current_modes():
        renderer, model = Renderer(tiny_config), MotionModel(tiny_motion_config)
        tracks = load_tracks(drawn_clips, None)
        task = Stage2Task(model, renderer.requires_grad_(False), TrackBatches(tracks), appearances=torch.randn(5, 16))
        task.measure_motion(tracks, 0)
        task.weigh_parameters(tracks)
        batch = next(iter(task.batches(iter([BatchSlice(0, 0, range(2), 2)]))))
    taken(task, device, batch)


@pytest.fixture
def actalker(device):
    """ACTalker at a reduced size, its networks on the device."""
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    from mamba_portrait.model_loaders.actalker.reduced import reduced_actalker

    return device.put(built(reduced_actalker).requires_grad_(True))


@pytest.fixture
def everywhere(monkeypatch):
    """Every position of a mask is taken: which ones a mask selects depends on values, and fake ones have none."""
    conditions = pytest.importorskip("mamba_portrait.networks.actalker.conditions")
    monkeypatch.setattr(conditions, "selected", lambda soft: torch.arange(soft.shape[1], device=soft.device))


@pytest.mark.usefixtures("everywhere")
def test_actalkers_unet(device, actalker):
    config, mask = actalker.config, torch.ones(1, 1, 64, 64)  # masks stay on the CPU
    frames, width = config.window, config.unet["block_out_channels"][0]
    v = actalker.unet(
        device.rand(2, frames, 8, 8, 8),
        0.7,
        identity=device.rand(2 * frames, 1, config.context),
        audio=device.rand(2 * frames, config.audio_tokens, config.context),
        motion=device.rand(2 * frames, 1, config.context),
        face_feature=device.rand(2, frames, width, 8, 8),
        audio_mask=mask,
        motion_mask=mask,
        added_time_ids=device.rand(2, 3),
    )
    device.check(v, module=actalker.unet)


def test_actalkers_encoders_and_vae(device, actalker):
    config = actalker.config
    identity = actalker.identity_projector(actalker.arcface(device.rand(2, 3, 112, 112)))
    states = actalker.whisper(
        device.rand(1, config.whisper["num_mel_bins"], 2 * config.whisper["max_source_positions"])
    )
    layers = config.whisper["encoder_layers"] + 1
    audio = actalker.audio_projector(device.rand(2, config.audio_window, layers, config.whisper["d_model"]))
    rotation, _ = actalker.head_pose(device.rand(2, 3, 224, 224))
    motion = actalker.motion_projector(actalker.expression(device.rand(2, 3, 224, 224)), rotation)
    absent = actalker.audio_projector.unconditional(), actalker.motion_projector.unconditional()
    face = actalker.face_mask_encoder(device.rand(1, 3, 64, 64))
    latent = actalker.vae.encode(device.rand(1, 3, 64, 64)).latent_dist.mode()
    pictures = actalker.vae.decode(latent.repeat(3, 1, 1, 1), num_frames=3).sample
    device.check(identity, states.last_hidden_state, audio, motion, absent, face, pictures, module=actalker)


@pytest.mark.usefixtures("everywhere")
def test_actalkers_sampler(device, actalker):
    class Scheduler:  # diffusers' own reads its levels back, and fake ones have no values
        def set_timesteps(self, steps, device):
            self.timesteps, self.sigmas = torch.rand(steps, device=device), torch.rand(steps + 1, device=device)

        def scale_model_input(self, latents, time):
            return latents / time

        def step(self, velocity, time, latents):
            result = latents - time * velocity
            return SimpleNamespace(prev_sample=result, pred_original_sample=result)

    config, frames, mask = actalker.config, 5, torch.ones(1, 1, 64, 64)
    conditions = DrivingConditions(
        identity=device.rand(1, 1, config.context),
        audio=device.rand(frames, config.audio_tokens, config.context),
        no_audio=device.rand(1, config.audio_tokens, config.context),
        motion=device.rand(frames, 1, config.context),
        no_motion=device.rand(1, 1, config.context),
        image_latent=device.rand(4, 8, 8),
        face_feature=device.rand(1, config.unet["block_out_channels"][0], 8, 8),
        audio_mask=mask,
        motion_mask=mask,
        time_ids=device.rand(3),
    )
    rows = guidance_rows(1.0, 1.0, GuidanceScales())
    latents = sample_latents(actalker.unet, Scheduler(), conditions, device.rand(4, 8, 8), rows, steps=1, window=3)
    device.check(latents)


@pytest.mark.usefixtures("everywhere")
def test_the_loss_of_actalker(device, actalker):
    from mamba_portrait.learning.training.actalker.data import Window
    from mamba_portrait.learning.training.actalker.task import ACTalkerTask, Noise
    from mamba_portrait.pipelines.actalker.masks import Masks

    shapes = (3, 4, 8, 8), (4, 8, 8), (1, 16), (3, 10, 3, 16), (3, 16), (3, 3)
    window = Window(*(device.rand(*shape) for shape in shapes), Masks(*torch.rand(3, 64, 64)))
    noise = Noise((1.0, 1.0), 0.7, device.rand(3, 4, 8, 8), True, True, False)
    task = ACTalkerTask(actalker)
    device.check(task.losses([(window, noise)])["loss"], module=actalker)
