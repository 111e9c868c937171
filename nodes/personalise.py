"""A person's own changes of the two networks: learnt from a film, listed for the loaders."""

import contextlib
from fractions import Fraction

from safetensors import SafetensorError, safe_open

from ..host import ManagedModel, input_file, io, listed_files, model_file, model_files, progress_bar, save_path, ui
from ..model_loaders.person import KIND, load_person, save_person, with_person
from .values.pictures import batch_of, plain
from .values.sockets import MotionModel, Renderer, schema
from .values.sound import sound_of
from .values.video_input import open_video
from .values.widgets import advanced

NONE = "none"
STEPS = 1000  # of the progress bar


def person_files() -> dict:
    """Names to choose from -> the files: those in the model folders, then those in the input and output folders, the
    newest first."""
    found = {}
    for names, file_of in ((model_files(), model_file), (listed_files(".safetensors"), input_file)):
        for name in names:
            with contextlib.suppress(SafetensorError, OSError), safe_open(str(file_of(name)), framework="pt") as file:
                if (file.metadata() or {}).get("kind") == KIND:
                    found.setdefault(name, file_of(name))
    return found


def person_input():
    """The widget of the loaders."""
    return io.Combo.Input(
        "person",
        options=[NONE, *person_files()],
        default=NONE,
        optional=True,
        tooltip="A person's file from Personalise, in models/mamba_portrait/persons or the output folder; choose the "
        "same one in both loaders. none: the network as it is.",
    )


def as_person(managed: ManagedModel, person: str, kind: str) -> ManagedModel:
    """A freshly loaded network with the person of that name. ValueError where the person belongs to another one."""
    if person == NONE:
        return managed
    file = person_files().get(person) or model_file(person)
    return ManagedModel(with_person(managed.module, load_person(file), kind), f"{managed.name}, {person}")


class Personalise(io.ComfyNode):
    """Learn a person from a film."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "Personalise",
            "Personalise",
            "Loaders",
            ["personalize", "train", "fine-tune", "finetune", "lora", "own voice", "own face", "person", "identity"],
            description="Learns a person from a minute of film in which they speak, within minutes: how their lips "
            "move with their voice, and how their face moves. Writes a small file beside the networks, which stay as "
            "they are; Load Renderer and Load Motion Model take it as person.",
            inputs=[
                Renderer.Input("renderer", tooltip="From Load Renderer, with person none."),
                MotionModel.Input("motion_model", tooltip="From Load Motion Model, with person none."),
                io.Video.Input(
                    "video",
                    optional=True,
                    tooltip="A film of one person who speaks to the camera: a minute is good, 8 seconds are needed.",
                ),
                io.Image.Input("images", optional=True, tooltip="The film as an image batch, in place of a video."),
                io.Audio.Input("audio", optional=True, tooltip="The voice of the image batch, or another for a video."),
                io.Float.Input(
                    "minutes",
                    default=4.0,
                    min=0.01,
                    max=600.0,
                    step=0.5,
                    tooltip="How long to learn the face. It ends earlier where it becomes no better on seconds of the "
                    "film that are kept from learning. Reading the film and learning the lips take a little more.",
                ),
                advanced(
                    io.Float.Input(
                        "fps",
                        display_name="images a second",
                        default=25.0,
                        min=1.0,
                        max=240.0,
                        step=0.01,
                        tooltip="Frames a second of the image batch.",
                    )
                ),
                io.Int.Input("seed", default=0, min=0, max=(1 << 31) - 1, tooltip="Of what is random in the learning."),
                io.String.Input(
                    "filename_prefix",
                    default="persons/person",
                    tooltip="Name in the output folder, or in a subfolder of it; a number and .safetensors are added.",
                ),
            ],
            outputs=[
                Renderer.Output(display_name="renderer", tooltip="The renderer with the person."),
                MotionModel.Output(display_name="motion_model", tooltip="The motion model with the person."),
                io.String.Output(display_name="path", tooltip="The file that was written; the loaders list it."),
                io.String.Output(display_name="report", tooltip="What was learnt, measured on seconds kept from it."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        renderer,
        motion_model,
        minutes,
        fps,
        seed,
        filename_prefix,
        video=None,
        images=None,
        audio=None,
    ) -> io.NodeOutput:
        from ..learning.training.personal.train import WORKING, PersonSettings, copy_of, personalise

        path = save_path(filename_prefix, "safetensors")
        film, bar = _film(video, images, audio, fps), progress_bar(STEPS)
        networks = {"renderer": renderer, "motion_model": motion_model}
        on_device = [network.on_device(WORKING) for network in networks.values()]
        settings = PersonSettings(minutes=minutes, seed=seed)
        person, report = personalise(
            *on_device, [film], settings, lambda done, picture: bar(round(STEPS * done), STEPS, picture)
        )
        save_person(path, person)
        person = load_person(path)  # as the loaders will have it, in half precision
        own = [
            ManagedModel(with_person(copy_of(network), person, kind), f"{networks[kind].name}, {path.name}")
            for kind, network in zip(networks, on_device, strict=True)
        ]
        return io.NodeOutput(*own, str(path.absolute()), str(report), ui=ui.PreviewText(str(report)))


def _film(video, images, audio, fps: float):
    """The film that came in. ValueError for none and for two."""
    from ..learning.training.personal.film import film_of_frames

    if (video is None) == (images is None):
        raise ValueError("Wire a video or an image batch with its audio: one of them is needed.")
    sound = None if audio is None else sound_of(audio)
    if video is not None:
        stream = open_video(video)
        sound = sound_of(stream.audio) if sound is None and stream.audio is not None else sound
        return film_of_frames("The video", stream.again, stream.fps, sound)
    batch = batch_of(images, "images")
    return film_of_frames(
        "The image batch",
        lambda: (plain(frame, "images") for frame in batch),
        Fraction(fps).limit_denominator(1001),
        sound,
    )
