"""Frames in, landmarks out: MediaPipe's face mesh as a process of its own, since it needs NumPy 1.

Run by the Python that has MediaPipe (`make judge`), never imported by the package. It reads from standard input, as
often as there is something: three little-endian uint32 (frames, height, width) and the frames, RGB bytes; and writes a
uint32 (landmarks a face) and float32 values (frames, landmarks, 3): x and y in pixels from the upper left corner, z in
the same scale. Frames without a face are NaN. It ends with its input.
"""

import os
import struct
import sys

import numpy as np

LANDMARKS = 478


def serve(look, source, target):
    """Answer requests by `look`: picture (H,W,3) uint8 -> landmarks (478,3) in parts of the width, or None."""
    while True:
        head = source.read(12)
        if len(head) < 12:
            return
        count, height, width = struct.unpack("<III", head)
        data = source.read(count * height * width * 3)
        frames = np.frombuffer(data, np.uint8).reshape(count, height, width, 3)
        answer = np.full((count, LANDMARKS, 3), np.nan, np.float32)
        for i, frame in enumerate(frames):
            points = look(frame)
            if points is not None:
                answer[i] = points * np.float32([width, height, width])
        target.write(struct.pack("<I", LANDMARKS) + answer.tobytes())
        target.flush()


def media_pipe():
    """MediaPipe's face mesh of still pictures."""
    import mediapipe

    mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True, max_num_faces=1)

    def look(frame):
        found = mesh.process(np.ascontiguousarray(frame)).multi_face_landmarks
        return None if not found else np.array([[p.x, p.y, p.z] for p in found[0].landmark], np.float32)

    return look


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints is no answer
    serve(media_pipe(), sys.stdin.buffer, answers)
