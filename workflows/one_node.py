"""The talking portrait as one node that opens up into the stages: a subgraph of ComfyUI's page, in a template and as a
blueprint for the node library.

Its nodes have the ids that they have in the graph that shows every stage, and the file for scripts is the same.
"""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass, field
from typing import Any

from .examples import assembled, audio_features, cropped, encoded, read_me, sampled, saved
from .forms import COLUMN_WIDTH, PACK, Group, Node, Out, Workflow, parts, ui_form

NAME = "Talking Portrait"
ID = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PACK}/{NAME}"))
ENTRY, EXIT = "-10", "-20"  # the page's ids of the boxes where wires come in and go out
BOX = 160
DESCRIPTION = "A photo and a voice in, a video of that face talking out. Open it to see and change every stage."
WORDS = ["talk", "talking head", "talking photo", "lip sync", "lipsync", "avatar", "animate", "face", "portrait"]
PROMOTED = {
    "photo": ("MambaPortraitCrop", "image"),
    "voice": ("MambaPortraitLocalAudio", "audio"),
    "seed": ("MambaPortraitSampleMotion", "seed"),
    "size": ("MambaPortraitAssembleVideo", "size"),
}
"""The node's inputs, in order, and those inside that they are."""


@dataclass
class Sockets:
    """What a box of the page takes and gives, in place of a node's schema."""

    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)


def entered(name: str, value: Any = None) -> Out:
    """An input of the node, inside of it."""
    return Out(ENTRY, list(PROMOTED).index(name), value)


INSIDE = Workflow(
    NAME,
    NAME,
    [
        [Group("", "help", [[Node(ENTRY, "entry")]])],
        [
            Group("1 · Portrait", "input", [cropped("3", entered("photo")), *encoded(4)]),
            Group(
                "2 · Voice",
                "voice",
                [[Node("7", "MambaPortraitLoadMotionModel")], audio_features(7, entered("voice"))],
            ),
        ],
        [Group("3 · Motion", "motion", [[sampled("10", 6, "5", entered("seed", 7))]])],
        [
            Group(
                "4 · Video",
                "render",
                [[assembled("11", Out("10"), audio=entered("voice"), size=entered("size", "photo"))]],
            )
        ],
        [Group("", "help", [[Node(EXIT, "exit", {"video": Out("11")})]])],
    ],
    room={ENTRY: 795, "4": 210, "7": 0, "8": 210, "10": 540, "11": 250},
)

PHOTO = Node("2", "MambaPortraitExamplePortrait", {"name": "Grace Hopper"}, "Photo")
VOICE = Node("6", "MambaPortraitExampleVoice", {}, "Voice")
TALKING = Node("13", ID, {"photo": Out("2"), "voice": Out("6"), "seed": 7}, NAME)
APP = [("2", "name"), ("6", "name"), ("13", "seed"), ("13", "size")]
"""Photo, voice, seed and size, as the page's app mode shows them."""
LABELS = {2: "photo", 6: "voice"}
"""What app mode calls the widgets of the example nodes."""

OUTSIDE = Workflow(
    "one_node",
    "01 Talking portrait from a photo and a voice",
    [
        [
            [
                Group("Photo and voice", "input", [[PHOTO, VOICE]]),
                Group("It speaks", "motion", [[TALKING]]),
                Group("Saved", "render", [[saved("12", "13", "video/talking_portrait")]]),
            ],
            read_me(
                "A photograph speaks",
                "A photo and a voice in, a talking portrait out. Press **Run**: picture, voice and weights come with "
                "the pack. The icon in the title of *Talking Portrait* opens it; the next template shows the same "
                "stages side by side.",
            ),
        ]
    ],
)


def with_boxes(schemas: dict) -> dict:
    """The nodes' schemas, with those of the node itself and of the boxes inside of it."""
    inputs = []
    for name, (node, input_id) in PROMOTED.items():
        socket = copy.copy(next(i for i in schemas[node].inputs if i.id == input_id))
        socket.id, socket.control_after_generate = name, None
        inputs.append(socket)
    (video,) = schemas["MambaPortraitAssembleVideo"].outputs
    taken = copy.copy(next(i for i in schemas["SaveVideo"].inputs if i.id == "video"))
    boxes = {"entry": Sockets(outputs=inputs), "exit": Sockets(inputs=[taken]), ID: Sockets(inputs, [video])}
    return schemas | boxes


def subgraph(schemas: dict) -> dict:
    """What is inside, as the page's files define it."""
    everything, links, frames = parts(INSIDE, with_boxes(schemas))
    boxes = {str(node["id"]): node for node in everything if node["id"] < 0}
    nodes = [node for node in everything if node["id"] > 0]
    slots = {ENTRY: boxes[ENTRY]["outputs"], EXIT: boxes[EXIT]["inputs"]}
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    return {
        "id": ID,
        "version": 1,
        "state": {
            "lastGroupId": len(frames),
            "lastNodeId": max(node["id"] for node in nodes),
            "lastLinkId": len(links),
            "lastRerouteId": 0,
        },
        "revision": 0,
        "config": {},
        "name": NAME,
        "inputNode": _box(boxes[ENTRY], len(slots[ENTRY]), COLUMN_WIDTH - BOX),
        "outputNode": _box(boxes[EXIT], len(slots[EXIT]), 0),
        "inputs": [_slot(name, slot["type"], slot["links"]) for name, slot in zip(PROMOTED, slots[ENTRY], strict=True)],
        "outputs": [_slot(slot["name"], slot["type"], [slot["link"]]) for slot in slots[EXIT]],
        "widgets": [],
        "nodes": nodes,
        "groups": frames,
        "links": [dict(zip(names, link, strict=True)) for link in links],
        "extra": {},
        "category": "Mamba Portrait",
        "description": DESCRIPTION,
    }


def _box(node: dict, slots: int, shift: int) -> dict:
    """Number and place of a box whose first slot lies where a node's would."""
    x, y = node["pos"]
    return {"id": node["id"], "bounding": [x + shift, y - 6, BOX, 20 * (slots + 1) + 20]}


def _slot(name: str, kind: str, links: list[int]) -> dict:
    return {"id": str(uuid.uuid5(uuid.UUID(ID), name)), "name": name, "type": kind, "linkIds": links}


def page_form(schemas: dict) -> dict:
    """The template: the node, an example photo and voice, and app mode with the same four inputs."""
    form = ui_form(OUTSIDE, with_boxes(schemas))
    for node in form["nodes"]:
        if node["id"] in LABELS:
            node["inputs"][0]["label"] = LABELS[node["id"]]
    form["definitions"] = {"subgraphs": [subgraph(schemas)]}
    form["extra"] |= {"linearMode": False, "linearData": {"inputs": [list(i) for i in APP], "outputs": ["12"]}}
    return form


def blueprint(schemas: dict) -> dict:
    """The node alone, as pages list it in the node library and in the search."""
    form = ui_form(
        Workflow(NAME, NAME, [[Group("", "help", [[Node(TALKING.key, ID, {"seed": 7})]])]]), with_boxes(schemas)
    )
    del form["id"]  # a graph made of it gets its own
    form["definitions"] = {"subgraphs": [subgraph(schemas)]}
    form["extra"] |= {"BlueprintDescription": DESCRIPTION, "BlueprintSearchAliases": WORDS}
    return form
