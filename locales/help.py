"""What a help page says beyond the schema, by node id (Markdown)."""

NOTES = {
    "MambaPortraitLoadRenderer": """
Own checkpoints go into `models/mamba_portrait`. A file says in its metadata what it holds: only renderers are offered
here. Source, appearance and motion belong to the renderer that made them: use one Load Renderer for the whole graph.
""",
    "MambaPortraitLoadMotionModel": """
Own checkpoints go into `models/mamba_portrait`. A motion model speaks the language of the renderer it was trained with,
and its file says which: a renderer of another language refuses its motion. Files without the entry are not checked.
""",
    "MambaPortraitCrop": """
The crop keeps the photo's own pixels, up to 1024 a side. Where the square leaves the photo, the photo is mirrored.

- *No face was found*: choose `box` and give the box, or `whole` if the picture is a portrait already.
- The wrong face: choose `left`, `right`, `center`, or `number`.
- `face_mask` is an ellipse on the face, as large as the photo, for inpainting or colour work of your own.
""",
    "MambaPortraitEncodeSource": """
Done once per portrait and cached by ComfyUI: changing voice, seed or motion does not repeat it.
""",
    "MambaPortraitGlobalAudio": """
Also the place to borrow a style: wire the global audio of another speaker to `style_audio` of Sample Motion.
""",
    "MambaPortraitLocalAudio": """
Any sample rate will do; the sound is brought to 16 kHz mono here. The last frame is padded with silence, nothing is
dropped: there are `floor(seconds * 25 + 0.5)` frames.
""",
    "MambaPortraitSampleMotion": """
- More movement of the lips: raise `audio_guidance` to 3, or use Edit Motion.
- Another performance: change the seed.
- Long audio: nothing to do; memory for motion is 3 kB a frame.
""",
    "MambaPortraitEncodeDriving": """
The motion is taken relative to the first frame. Begin the driving video with a calm, frontal face, and the portrait's
own expression stays its rest. Of a video whose face wanders far, cut out the face first.
""",
    "MambaPortraitDecodeMotion": """
161 frames at 512 x 512 take about 500 MB as images. Assemble Video needs none of that.
""",
    "MambaPortraitPasteBack": """
Outside the crop every pixel is the photo's own, exactly.
""",
    "MambaPortraitAssembleVideo": """
H.264 and AAC in MP4. Sides are made even where the codec needs it. The file's metadata says that it was generated.
Cancel takes effect at the next batch, and no half-written file stays.
""",
    "MambaPortraitSaveMotion": """
The file holds 768 numbers a frame, the reference, the frame rate and the motion language, as safetensors. A renderer
of another language refuses it.
""",
    "MambaPortraitLoadMotion": """
Workflows may come from anyone, so only files in ComfyUI's `input`, `output` and `temp` folders and their subfolders are
read; links are followed first. Put a file that lies elsewhere into `input` and give its name.
`talk_00001_.safetensors [output]` names a file in another of the three. Without ComfyUI the folders are `--input-dir`
and `--output-dir` of `python -m mamba_portrait run`.
""",
    "MambaPortraitEditMotion": """
- Calm the head: `pose` 0.3. Take the blinks out: `eyes` 0. Speak louder with the face: `mouth` 1.3.
- What a renderer can read of a motion is scaled; the rest stays as it was.
""",
    "MambaPortraitMixMotion": """
Both motions are taken relative to their own references, so that a driving video and a voice can be mixed.
""",
    "MambaPortraitJointControl": """
For one control of both worlds: wire it to ACTalker Sample, or to Joint Motion. A gate at 0 takes its source out
entirely.
""",
    "MambaPortraitJointMotion": """
- A driving video with new words: its head, brows and eyes, the voice's mouth.
- Both gates open: mouth from the voice, the rest from the video. With `audio` at 0.7 the video keeps 0.3 of the mouth.
- The mouth is told from the rest by the renderer's read-out: lips, jaw, tongue and smile. What it cannot read counts as
the rest.
""",
    "MambaPortraitLoadACTalker": """
Put the published files into `models/actalker` (any subfolders); nothing is downloaded. Needs
`pip install diffusers transformers`. Which files, from where, under which licence:

- always: `unet-136000.pth`, `pose_guider-136000.pth`, `id_proj_model-136000.pth`; for a voice also
  `audio_linear-136000.pth`, for a driving video `vasa_linear-136000.pth`. They were in the authors' OneDrive folder,
  which they report as gone (May 2026); no other place is known. No licence is stated.
- always: `vae/` of `stable-video-diffusion-img2vid-xt-1-1` in diffusers form, from Hugging Face, after accepting its
  terms; `scheduler/` and `unet/config.json` are read where they lie beside it. Or the single file
  `svd_xt_1_1.safetensors`, of which the VAE alone is read. Stability AI Community License.
- always: `backbone.pth` (ArcFace r50); came with the authors' files. No licence stated; such models are mostly for
  non-commercial research.
- for a voice: `whisper-tiny/model.safetensors`, Hugging Face `openai/whisper-tiny`. Apache-2.0.
- for a driving video: `expression.pth` and `headpose.pth`, Hugging Face `tencent/HunyuanPortrait`, for academic,
  research and education only; or the authors' own `MX31c_32k.ckpt`.

So the whole can be loaded only by those who kept the files. Each is read without running code and checked by names and
shapes; a message says which file is wrong. Files for voice or video may be absent if you do not use them.
`python -m mamba_portrait convert-actalker FOLDER -o models/mamba_portrait/actalker.safetensors` makes one file of them.
""",
    "MambaPortraitACTalkerMasks": """
- One source alone needs no control: it rules the face mask.
- The face box of this pack reaches from the brows to the chin; give a box of your own to match another detector.
""",
    "MambaPortraitACTalkerEncodeIdentity": """
Done once per photo and cached. The whole photo is generated anew: crop it first if the face is small.
""",
    "MambaPortraitACTalkerEncodeDriving": """
The published model frames the features by private landmarks. Here the box of five landmarks takes their place where the
finder gives them (`own`, `yunet`), as HunyuanPortrait does; else the face box.
""",
    "MambaPortraitACTalkerSample": """
At 576 x 576 a UNet call in fp16 takes 3.6 GB for the weights and about 12 GB for its work with `rows_at_once` 4, 5 GB
with 1 (counted, not measured). A shut gate leaves out its guidance row: three calls' work instead of four.

A mask that is wired rules whatever the gates say. With a single source leave the masks of Control Gates unwired: it
then rules the face, as published.
""",
    "MambaPortraitACTalkerDecode": """
The latents are plain SVD latents, unscaled: other nodes for such latents fit as well.
""",
}
