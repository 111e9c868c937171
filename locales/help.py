"""What a help page says beyond the schema, by node id (Markdown)."""

NOTES = {
    "MambaPortraitLoadRenderer": """
Own checkpoints go into `models/mamba_portrait`. A file says in its metadata what it holds: only renderers are offered
here. Source, appearance and motion belong to the renderer that made them: use one Load Renderer for the whole graph.
""",
    "MambaPortraitLoadMotionModel": """
Own checkpoints go into `models/mamba_portrait`. A motion model speaks the language of the renderer it was trained with.
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
The file holds 768 numbers a frame, the reference, the frame rate and the renderer's name, as safetensors.
""",
    "MambaPortraitEditMotion": """
- Calm the head: `pose` 0.3. Take the blinks out: `eyes` 0. Speak louder with the face: `mouth` 1.3.
- What a renderer can read of a motion is scaled; the rest stays as it was.
""",
    "MambaPortraitMixMotion": """
Both motions are taken relative to their own references, so that a driving video and a voice can be mixed.
""",
}
