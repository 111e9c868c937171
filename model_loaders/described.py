"""Networks from what a file says: its config and its tensors, which are untrusted. What they may be is checked before a
network of that size is made, and each error is a sentence that names the file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..messages import shown

LARGEST = 1e5  # of a weight; those of our networks are below 200, and numbers far beyond make every result infinite
SPARE = 10_000_000  # numbers that a network may have beside twice its state's: what it computes and does not store
LANGUAGE = re.compile(r"[\w.-]{0,64}")
AGAIN = "it is damaged or of another program, fetch it again"


def read_json(text: str, what: str) -> Any:
    """JSON text -> its value. ValueError, which begins with `what`, for anything else."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} is not JSON: {AGAIN}.") from error


def check_language(text: str, file: str, name: str = "motion_language") -> str:
    """The id of a motion space (or, by another `name`, of a motion encoder) in a file's metadata, or "". ValueError for
    what is no such id."""
    if not isinstance(text, str) or not LANGUAGE.fullmatch(text):
        raise ValueError(f"{file} has {shown(text)} as its {name}, which is no id of a motion space: {AGAIN}.")
    return text


class _TooLarge(MemoryError):
    """A network of this config has far more numbers than its file."""


class _Room(TorchFunctionMode):
    """Raises _TooLarge where a network in the making asks for more than `numbers` elements in all."""

    MAKERS = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn)

    def __init__(self, numbers: int):
        super().__init__()
        self.left = numbers

    def __torch_function__(self, function, types, arguments=(), options=None):
        options = options or {}
        if function in self.MAKERS:
            sizes = {name: options[name] for name in ("size",) if name in options}
            self.left -= torch.empty(*arguments, **sizes, device="meta").numel()
            if self.left < 0:
                raise _TooLarge
        return function(*arguments, **options)


def network_of(file: str, make: Callable[[], nn.Module], state: Mapping[str, Any]) -> nn.Module:
    """A network that has these tensors, on the CPU.

    make: makes it from the config, which it may find impossible (ValueError). One that would be much larger than the
    state is made without memory, to tell what differs; all others at once, since making one without memory imports
    PyTorch's tracer, most of a second. Raises ValueError where config and tensors do not fit one another."""
    held = sum(value.numel() for value in state.values() if isinstance(value, Tensor))
    try:
        with _Room(SPARE + 2 * held):
            module = described(file, make)
    except _TooLarge:
        with torch.device("meta"):
            check_state(file, described(file, make), state)
        module = make()
    else:
        check_state(file, module, state)
    module.load_state_dict(state)
    return module


def described(file: str, make: Callable[[], nn.Module]) -> nn.Module:
    """What `make` makes; ValueError where the file's config describes nothing that can be made."""
    try:
        return make()
    except ValueError as error:
        if _raised_for_fields(error):
            raise ValueError(f"{file} cannot be loaded: {str(error).rstrip('.')}.") from error
        raise ValueError(f"{file} cannot be loaded: its config describes no network that can be made.") from error
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # whatever sizes that do not go together make PyTorch or diffusers raise
        raise ValueError(f"{file} cannot be loaded: its config describes no network that can be made.") from error


def _raised_for_fields(error: ValueError) -> bool:
    """Whether one of our configs raised it, rather than a library that was given odd sizes."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is None or trace.tb_frame.f_globals.get("__name__", "").startswith(__package__.rpartition(".")[0])


def check_state(file: str, module: nn.Module, state: Mapping[str, Any]) -> None:
    """ValueError unless a state has exactly the tensors of a module, with its shapes and kinds of numbers, all of them
    finite and of a size that weights have."""
    wanted = module.state_dict()
    wrong = [name for name, like in wanted.items() if name not in state or not _alike(state[name], like)]
    wrong += [name for name in state if name not in wanted]
    if wrong:
        raise ValueError(
            f"{file} does not fit the network its config describes ({len(wrong)} tensors differ, the first is "
            f"{shown(wrong[0])}): it was made by another version of Mamba Portrait."
        )
    for name, value in state.items():
        check_numbers(file, name, value)


def check_numbers(file: str, name: str, value: Tensor) -> None:
    """ValueError for a tensor with numbers that no weight has."""
    if not value.is_floating_point() or not value.numel():
        return
    value = value.float() if value.element_size() == 1 else value  # PyTorch does no arithmetic in 8 bits
    low, high = (float(end) for end in torch.aminmax(value))
    if not -LARGEST <= low <= high <= LARGEST or (name.endswith("running_var") and low < 0):
        raise ValueError(f"{file} has numbers in its tensor {shown(name)} that no weight has, such as NaN: {AGAIN}.")


def _alike(value: Any, like: Tensor) -> bool:
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.shape != like.shape:
        return False
    return not value.is_complex() and value.is_floating_point() == like.is_floating_point()
