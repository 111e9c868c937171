"""Node schema types of the headless host: the part of ComfyUI's V3 `io` that our nodes use, with the same names.

Constructors have exactly the arguments of ComfyUI's, so that a node that works here works there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any


class Input:
    """A socket into a node."""

    io_type = "*"

    def __init__(self, id, display_name=None, optional=False, tooltip=None, lazy=None, extra_dict=None):
        self.id, self.display_name, self.optional = id, display_name, optional
        self.tooltip, self.lazy, self.extra_dict = tooltip, lazy, extra_dict or {}

    def get_io_type(self) -> str:
        return self.io_type


class _Widget(Input):
    """An input with a widget; `default` is used where neither link nor value is given."""

    def __init__(self, id, display_name, optional, tooltip, lazy, default, socketless, force_input):
        super().__init__(id, display_name, optional, tooltip, lazy)
        self.default, self.socketless, self.force_input = default, socketless, force_input
        self.advanced = None  # newer hosts fold such a widget away


class _BooleanInput(_Widget):
    def __init__(
        self,
        id,
        display_name=None,
        optional=False,
        tooltip=None,
        lazy=None,
        default=None,
        label_on=None,
        label_off=None,
        socketless=None,
        force_input=None,
    ):
        super().__init__(id, display_name, optional, tooltip, lazy, default, socketless, force_input)
        self.label_on, self.label_off = label_on, label_off


class _IntInput(_Widget):
    def __init__(
        self,
        id,
        display_name=None,
        optional=False,
        tooltip=None,
        lazy=None,
        default=None,
        min=None,
        max=None,
        step=None,
        control_after_generate=None,
        display_mode=None,
        socketless=None,
        force_input=None,
    ):
        super().__init__(id, display_name, optional, tooltip, lazy, default, socketless, force_input)
        self.min, self.max, self.step, self.display_mode = min, max, step, display_mode
        self.control_after_generate = control_after_generate


class _FloatInput(_Widget):
    def __init__(
        self,
        id,
        display_name=None,
        optional=False,
        tooltip=None,
        lazy=None,
        default=None,
        min=None,
        max=None,
        step=None,
        round=None,
        display_mode=None,
        socketless=None,
        force_input=None,
    ):
        super().__init__(id, display_name, optional, tooltip, lazy, default, socketless, force_input)
        self.min, self.max, self.step, self.round, self.display_mode = min, max, step, round, display_mode


class _StringInput(_Widget):
    def __init__(
        self,
        id,
        display_name=None,
        optional=False,
        tooltip=None,
        lazy=None,
        multiline=False,
        placeholder=None,
        default=None,
        dynamic_prompts=None,
        socketless=None,
        force_input=None,
    ):
        super().__init__(id, display_name, optional, tooltip, lazy, default, socketless, force_input)
        self.multiline, self.placeholder, self.dynamic_prompts = multiline, placeholder, dynamic_prompts


class _ComboInput(_Widget):
    def __init__(
        self,
        id,
        options=None,
        display_name=None,
        optional=False,
        tooltip=None,
        lazy=None,
        default=None,
        control_after_generate=None,
        upload=None,
        image_folder=None,
        remote=None,
        socketless=None,
    ):
        super().__init__(id, display_name, optional, tooltip, lazy, default, socketless, None)
        self.options, self.upload, self.image_folder, self.remote = list(options or ()), upload, image_folder, remote
        self.control_after_generate = control_after_generate


class Output:
    """A socket out of a node."""

    io_type = "*"

    def __init__(self, id=None, display_name=None, tooltip=None, is_output_list=False):
        self.id, self.display_name, self.tooltip, self.is_output_list = id, display_name, tooltip, is_output_list

    def get_io_type(self) -> str:
        return self.io_type


def Custom(io_type: str, input_class: type[Input] = Input) -> type:  # noqa: N802 - the name is ComfyUI's
    """A socket type: `Custom("MAMBA_MOTION").Input("motion")`."""
    members = {"io_type": io_type}
    return type(
        io_type,
        (),
        {
            "io_type": io_type,
            "Input": type("Input", (input_class,), members),
            "Output": type("Output", (Output,), members),
        },
    )


Boolean = Custom("BOOLEAN", _BooleanInput)
Int = Custom("INT", _IntInput)
Float = Custom("FLOAT", _FloatInput)
String = Custom("STRING", _StringInput)
Combo = Custom("COMBO", _ComboInput)
Image = Custom("IMAGE")
Mask = Custom("MASK")
Audio = Custom("AUDIO")
Video = Custom("VIDEO")
Latent = Custom("LATENT")
AnyType = Custom("*")


@dataclass
class Schema:
    """A node's id, names and sockets."""

    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    hidden: list[Any] = field(default_factory=list)
    description: str = ""
    search_aliases: list[str] = field(default_factory=list)
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    not_idempotent: bool = False


class NodeOutput:
    """A node's return value: its outputs in order, and what the page shows."""

    def __init__(self, *args: Any, ui: Any = None, expand: dict | None = None, block_execution: str | None = None):
        self.args, self.ui, self.expand, self.block_execution = args, ui, expand, block_execution

    @property
    def result(self) -> tuple | None:
        return self.args or None

    def __getitem__(self, index: int) -> Any:
        return self.args[index]


class ComfyNode(ABC):
    """Base of every node: two classmethods; fingerprint_inputs and validate_inputs are optional."""

    @classmethod
    @abstractmethod
    def define_schema(cls) -> Schema:
        """The node's schema."""

    @classmethod
    @abstractmethod
    def execute(cls, **kwargs) -> NodeOutput:
        """The node's work."""

    @classmethod
    def GET_SCHEMA(cls) -> Schema:  # noqa: N802 - the name is ComfyUI's
        """The schema, checked: ids must be unique over inputs and outputs, as in ComfyUI."""
        schema = cls.define_schema()
        for index, output in enumerate(schema.outputs):
            output.id = output.id or f"_{index}_{output.io_type}_"
        ids = [socket.id for socket in (*schema.inputs, *schema.outputs)]
        if len(ids) != len(set(ids)):
            raise ValueError(f"{schema.node_id}: input and output ids must be unique, got {ids}")
        return schema


class ComfyExtension(ABC):
    """A pack's list of nodes for the host."""

    async def on_load(self) -> None:  # noqa: B027 - optional for a pack, as in ComfyUI
        """Called once, before the nodes are listed."""

    @abstractmethod
    async def get_node_list(self) -> list[type[ComfyNode]]:
        """All node classes of the pack."""
