"""Films with transparency: WEBM (VP9, Opus), which browsers, OBS and editors read."""

import av

from .video import VideoWriter


class AlphaVideoWriter(VideoWriter):
    """As VideoWriter, for frames (B,H,W,4) with alpha (not premultiplied), 1 opaque. crf: VP9's, a little above x264's
    for the same picture. preset is not used."""

    containers, channels, sound_codec, sound_rate = {".webm": "webm"}, 4, "libopus", 48_000  # Opus knows few rates
    tags = {"alpha_mode": "1"}
    CRF = 8  # that VP9's is above x264's

    def _video_stream(self) -> av.VideoStream:
        quality = min(63, int(self._options["crf"]) + self.CRF)
        options = {"crf": str(quality), "b": "0", "deadline": "realtime", "cpu-used": "6", "auto-alt-ref": "0"}
        stream = self._container.add_stream("libvpx-vp9", rate=self.fps, options=options)
        stream.pix_fmt = "yuva420p"
        stream.metadata.update(self.tags)
        return stream
