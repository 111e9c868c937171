"""OpenCV's Haar cascade: in OpenCV 4 with its files; OpenCV 5 carries neither."""

import os

import cv2
import numpy as np

from .face import Face, square, within

SEARCH_SIDE = 640  # longer side of the picture that is searched


def _file() -> str:
    folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
    return os.path.join(folder, "haarcascade_frontalface_default.xml")


def missing() -> str:
    if not hasattr(cv2, "CascadeClassifier"):
        return "it needs OpenCV 4: OpenCV 5 has no CascadeClassifier"
    return "" if os.path.isfile(_file()) else "OpenCV was installed without its cascade files"


def find(image: np.ndarray) -> list[Face]:
    """(H,W,3) uint8 RGB -> faces; the cascade has no score, so its neighbour count n gives n / (n + 5)."""
    height, width = image.shape[:2]
    gray, scale = within(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), SEARCH_SIDE)
    classifier = cv2.CascadeClassifier(_file())
    for step, neighbours, least in ((1.1, 5, 60), (1.05, 3, 36)):  # the second, more sensitive, if nothing was found
        boxes, counts = classifier.detectMultiScale2(gray, step, neighbours, minSize=(least, least))
        if len(boxes):
            break
    faces = []
    for (x, y, w, h), count in zip(np.asarray(boxes, float).reshape(-1, 4) / scale, np.ravel(counts), strict=True):
        box = square(x + w / 2, y + h / 2, h)  # the cascade's box agrees with ours within a few per cent
        faces.append(Face(box, float(count / (count + 5)), None, "cascade", (height, width)))
    return faces
