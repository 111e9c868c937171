"""ACTalker's diffusion: a portrait under the control of voice, driving video, or both."""

from ...host import intermediate_device, io, progress_bar
from ...pipelines.actalker.preview import preview_picture
from ...sampling.actalker import GuidanceScales
from ...vocabulary import ACTALKER_FPS
from ..values.sockets import ACTalker, ACTalkerIdentity, ACTalkerMotion, ACTalkerVoice, Control, same_network, schema
from ..values.widgets import advanced

# Peak activations of one UNet call in fp16, for each frame, latent position and guidance row, and the same for one more
# row, for what does not grow with the rows: counted by `learning/evaluation/actalker/cost.py`, 11.7 GB at 576 x 576
# with four rows.
BYTES_A_LATENT = 18_500
PUBLISHED = GuidanceScales()


def _scale(name: str, default: float, what: str) -> io.Float.Input:
    return io.Float.Input(
        name,
        default=default,
        min=0.0,
        max=20.0,
        step=0.1,
        tooltip=f"Guidance scale of {what}; {default:g} as published, 1 without guidance.",
    )


def _windows() -> list:
    return [
        io.Int.Input(
            "shift",
            display_name="window shift",
            default=7,
            min=0,
            max=100,
            tooltip="Frames by which the windows move at every step, so that seams do not stay in place; 7 as "
            "published.",
        ),
        io.Int.Input(
            "overlap",
            display_name="shared frames",
            default=0,
            min=0,
            max=24,
            tooltip="Frames that neighbouring windows share. 0 as published; more is smoother and slower.",
        ),
        io.Int.Input(
            "rows_at_once",
            default=4,
            min=1,
            max=4,
            tooltip="Guidance rows evaluated in one call. Fewer take less memory and the same time on a busy GPU; the "
            "result is the same but for rounding.",
        ),
    ]


class ACTalkerSample(io.ComfyNode):
    """Guided denoising in circular windows that shift at every step."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ACTalkerSample",
            "ACTalker Sample",
            "ACTalker",
            ["ksampler", "diffusion", "talking head", "joint control"],
            description="Generates the latents of 12.5 frames a second, driven by a voice, a video, or both at once. "
            "The result is as long as the shorter of the two. Cancel takes effect at the next window of a step.",
            inputs=[
                ACTalker.Input("actalker", tooltip="From Load ACTalker."),
                ACTalkerIdentity.Input("identity", tooltip="From ACTalker Encode Identity."),
                ACTalkerVoice.Input("voice", optional=True, tooltip="From ACTalker Encode Voice."),
                ACTalkerMotion.Input("driving", optional=True, tooltip="From ACTalker Encode Driving Video."),
                Control.Input(
                    "control",
                    optional=True,
                    tooltip="From Control Gates. Without it both gates are 1. Without masks a single source controls "
                    "the face, both together the whole picture.",
                ),
                io.Int.Input(
                    "seed",
                    default=72589,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Seed of the noise; 72589 is that of the published script.",
                ),
                io.Int.Input("steps", default=25, min=1, max=200, tooltip="Denoising steps; 25 as published."),
                _scale("identity_guidance", PUBLISHED.identity, "the identity"),
                _scale("audio_guidance", PUBLISHED.audio, "the voice"),
                _scale("motion_guidance", PUBLISHED.motion, "the driving video"),
                *(advanced(widget) for widget in _windows()),
            ],
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="A latent a frame, for ACTalker Decode."),
                io.Float.Output(display_name="fps", tooltip="Frames a second: 12.5."),
            ],
        )

    @classmethod
    def execute(
        cls,
        actalker,
        identity,
        seed,
        steps,
        identity_guidance,
        audio_guidance,
        motion_guidance,
        shift,
        overlap,
        rows_at_once,
        voice=None,
        driving=None,
        control=None,
    ) -> io.NodeOutput:
        from ...pipelines.actalker.stages import sample

        portrait, voice, driving = (
            None if value is None else same_network(value, actalker.name, what, "Load ACTalker")
            for value, what in ((identity, "identity"), (voice, "voice"), (driving, "driving video"))
        )
        window = actalker.config.window
        if overlap >= window:
            raise ValueError(f"The overlap of {overlap} frames must be less than the window of {window}.")
        positions = portrait.identity.latent[0].numel()
        need = (rows_at_once + 1) * window * positions * BYTES_A_LATENT * actalker.widening
        report = _ProgressAndPreview(portrait.colors)
        latents = sample(
            actalker.on_device("unet", memory_required=need),
            portrait.identity,
            voice,
            driving,
            masks=portrait.masks,
            control=control,
            scales=GuidanceScales(identity_guidance, audio_guidance, motion_guidance),
            steps=steps,
            overlap=overlap,
            shift_step=shift,
            seed=seed,
            rows_at_once=rows_at_once,
            progress=report.progress,
            preview=report.preview,
        )
        return io.NodeOutput({"samples": latents.to(intermediate_device())}, float(ACTALKER_FPS))


class _ProgressAndPreview:
    """Progress of every window and a preview of every step, on one bar; both raise once the user cancels."""

    def __init__(self, colors):
        self.bar, self.colors, self.at = progress_bar(), colors, (0, 1)

    def progress(self, done: int, total: int) -> None:
        self.at = (done, total)
        self.bar(done, total)

    def preview(self, latents) -> None:
        self.bar(*self.at, preview_picture(latents, self.colors))
