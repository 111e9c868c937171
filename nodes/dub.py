"""A film dubbed with a new voice."""

import uuid

import torch

from ..host import VideoFromFile, io, load_device, progress_bar, temp_directory, use_bf16
from ..media.mixed_sound import MixedSound
from ..pipelines import rendering, writing
from ..pipelines.dub_plan import DubbingSettings
from ..pipelines.dubbing import dub
from ..pipelines.face_reading import read_face
from ..pipelines.forecast import of_dubbing
from ..pipelines.settings import RenderingSettings
from .assemble import encoding_inputs
from .track import TrackedFilm
from .values.cancelling import cancellable, one_by_one
from .values.previewing import previewed
from .values.sockets import FaceTrack, Motion, Renderer, schema
from .values.sound import sound_of
from .values.temporary_film import TemporaryFilm
from .values.widgets import advanced, setting


def sound_of_film(tracked: TrackedFilm, audio, other_sound, film_volume: float, begin: float) -> dict:
    """The sound of the dubbed film as arguments of `assemble`: the voice from `begin` on, and what is kept."""
    parts = []
    if audio is not None:
        waveform, rate = sound_of(audio)
        late = waveform.new_zeros(len(waveform), round(begin * rate))
        parts.append(((torch.cat([late, waveform], 1), rate), 1.0))
    if other_sound is not None:
        parts.append((sound_of(other_sound), 1.0))
    if film_volume and tracked.film.audio is not None:
        parts.append((sound_of(tracked.film.audio), film_volume))
    return {"sound": MixedSound(parts)} if parts else {}


class DubVideo(io.ComfyNode):
    """A new voice for a filmed face."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "DubVideo",
            "Dub Video (Lip Sync)",
            "Render",
            ["dub", "dubbing", "lip sync", "lipsync", "video to video", "translate video", "revoice", "talk"],
            description="Gives a filmed face another voice: the mouth moves as the voice says, and all the rest is the "
            "film's own picture, pixel by pixel. Frames are read and written one by one. Frames without the face, or "
            "with it turned away, stay as filmed, and the report names them.",
            inputs=[
                Renderer.Input("renderer", tooltip="From Load Renderer."),
                FaceTrack.Input("face_track", tooltip="From Track Face: the film, and the face in it."),
                Motion.Input("motion", tooltip="From Sample Motion: the motion of the new voice."),
                io.Audio.Input("audio", optional=True, tooltip="The new voice, for the film's sound."),
                io.Audio.Input(
                    "other_sound",
                    optional=True,
                    tooltip="Music and noises of the film without its voices, if you have them apart: kept at full "
                    "volume.",
                ),
                setting(
                    DubbingSettings,
                    "gain",
                    display_name="mouth motion",
                    tooltip="Factor on the motion of the mouth: 0 keeps it closed, 1 is the voice's, above 1 "
                    "exaggerates.",
                ),
                setting(
                    DubbingSettings,
                    "articulation",
                    display_name="mouth strength",
                    tooltip="How strongly the inside of the mouth and its surroundings are generated; 1 is as trained.",
                ),
                advanced(
                    setting(
                        DubbingSettings,
                        "begin",
                        display_name="voice begins at (seconds)",
                        tooltip="Second of the film at which the voice begins. Before it, and after its end, the lips "
                        "are closed.",
                    )
                ),
                io.Float.Input(
                    "film_volume",
                    display_name="film's own sound",
                    default=0.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="Volume of the film's own sound under the voice: 0 replaces it, 1 keeps it as it is.",
                ),
                *encoding_inputs(),
            ],
            outputs=[
                io.Video.Output(display_name="video", tooltip="The dubbed film; Save Video writes it to disk."),
                io.String.Output(
                    display_name="report", tooltip="What was dubbed, and which parts were left as filmed."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        renderer,
        face_track,
        motion,
        gain,
        articulation,
        begin,
        film_volume,
        quality,
        visible_mark,
        audio=None,
        other_sound=None,
    ) -> io.NodeOutput:
        settings = DubbingSettings(gain=gain, articulation=articulation, begin=begin)
        quality = RenderingSettings(quality=quality).quality
        film, track, bf16 = face_track.film, face_track.track, use_bf16(load_device())
        sound = sound_of_film(face_track, audio, other_sound, film_volume, begin)
        path = temp_directory() / f"mamba_portrait_{uuid.uuid4().hex}.mp4"
        side = max((track.crop(shot.first + int(shot.seen.float().argmax())).size for shot in track.shots), default=256)
        with cancellable(renderer.on_device(rendering.working_memory(2, side, side))) as module:
            face = read_face(module, film.again(), track, bf16=bf16, progress=progress_bar(track.frames))
            forecast = of_dubbing(module, track, bf16)
            frames = previewed(dub(module, film.again, track, face, motion, settings, bf16=bf16), forecast)
            writing.assemble(path, one_by_one(frames), track.fps, **sound, mark=visible_mark, quality=quality)
        return io.NodeOutput(VideoFromFile(TemporaryFilm(path)), str(face.report))
