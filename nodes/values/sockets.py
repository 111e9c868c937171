"""The socket types: one for each kind of value, so that the page refuses wrong connections."""

from dataclasses import dataclass, fields
from typing import Any

from ...host import io

Renderer = io.Custom("MAMBA_RENDERER")
MotionModel = io.Custom("MAMBA_MOTION_MODEL")
Source = io.Custom("MAMBA_SOURCE")
Appearance = io.Custom("MAMBA_APPEARANCE")
GlobalAudio = io.Custom("MAMBA_AUDIO_GLOBAL")
LocalAudio = io.Custom("MAMBA_AUDIO_LOCAL")
Motion = io.Custom("MAMBA_MOTION")
Field = io.Custom("MAMBA_FIELD")
Flow = io.Custom("MAMBA_FLOW")
Crop = io.Custom("MAMBA_CROP")
Control = io.Custom("MAMBA_CONTROL")
FaceTrack = io.Custom("MAMBA_FACE_TRACK")
FaceBox = io.Custom("MAMBA_FACE_BOX")
ACTalker = io.Custom("MAMBA_ACTALKER")
ACTalkerIdentity = io.Custom("MAMBA_ACTALKER_IDENTITY")
ACTalkerVoice = io.Custom("MAMBA_ACTALKER_VOICE")
ACTalkerMotion = io.Custom("MAMBA_ACTALKER_MOTION")

ROOT = "Mamba Portrait"


@dataclass(frozen=True)
class Encoded:
    """A value and the name of the network that made it: values of different networks must not be mixed."""

    value: Any
    made_by: str


def same_network(encoded: Encoded, network_name: str, what: str, loader: str = "Load Renderer") -> Any:
    """The value, if the named network made it; else a ValueError that says what to rewire."""
    if encoded.made_by != network_name:
        raise ValueError(
            f"The {what} was made with '{encoded.made_by}', but this node has '{network_name}': "
            f"wire one and the same {loader} to both nodes."
        )
    return encoded.value


def schema(node_id: str, display_name: str, group: str, search_aliases: list[str], **rest) -> io.Schema:
    """A node's schema with the id's prefix and category of all our nodes; `search_aliases` only where the host has
    them. ACTalker's nodes are experimental: they were never run on the published weights."""
    if "search_aliases" in {f.name for f in fields(io.Schema)}:
        rest["search_aliases"] = search_aliases
    category = f"{ROOT}/{group}" if group else ROOT
    rest["is_experimental"] = group == "ACTalker"
    return io.Schema(node_id=f"MambaPortrait{node_id}", display_name=display_name, category=category, **rest)
