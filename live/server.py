"""The page and its streams over plain HTTP, on this machine alone unless told otherwise.

GET  /            the page
POST /sound       16-bit mono samples at 16 kHz that follow those of the last request
GET  /stream      messages of sound and pictures: a letter (A or P), frame and length (uint32, little-endian), the data
GET  /video.mjpg  pictures alone, for other programs
GET  /status      how it goes, as JSON
"""

from __future__ import annotations

import json
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty
from urllib.parse import urlsplit

import numpy as np

from .session import PICTURE, Message, Session

PAGE = Path(__file__).with_name("page.html")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
MOST_BYTES = 1 << 20  # of a request: 32 seconds of sound
PATIENCE = 5.0  # seconds without a message after which a viewer gets an empty one, so that a closed page is seen
BOUNDARY = "frame"
EMPTY = Message(b"N", 0, b"")


def packed(message: Message) -> bytes:
    """A message as it goes over the wire."""
    return message.kind + struct.pack("<II", message.frame, len(message.data)) + message.data


class Server(ThreadingHTTPServer):
    """Serves one session. host: LOOPBACK names only answer requests that name this machine, so that no page of
    another site can reach it by a name of its own."""

    daemon_threads = True

    def __init__(self, session: Session, host: str = "127.0.0.1", port: int = 0):
        super().__init__((host, port), Handler)
        self.session, self.local = session, host in LOOPBACK

    @property
    def address(self) -> str:
        return f"http://{self.server_address[0]}:{self.server_address[1]}/"

    def handle_error(self, request, client_address) -> None:
        """A page that closed is no error."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *arguments) -> None:
        """Nothing is logged: a request comes every 100 ms."""

    def _refused(self) -> bool:
        """Whether a request comes from another site; it has been answered then."""
        host = urlsplit(f"//{self.headers.get('Host', '')}")
        origin = self.headers.get("Origin")
        foreign = origin is not None and urlsplit(origin).netloc != host.netloc
        if foreign or (self.server.local and host.hostname not in LOOPBACK):
            self._answer(403, "text/plain", b"This page answers to its own address alone.")
            return True
        return False

    def _answer(self, code: int, kind: str, data: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        if code >= 400:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if self._refused():
            return
        place = urlsplit(self.path).path
        if place == "/":
            self._answer(200, "text/html; charset=utf-8", PAGE.read_bytes())
        elif place == "/status":
            self._answer(200, "application/json", json.dumps(self.server.session.status()).encode())
        elif place == "/stream":
            self._stream("application/octet-stream", lambda message: packed(message))
        elif place == "/video.mjpg":
            self._stream(f"multipart/x-mixed-replace; boundary={BOUNDARY}", _part)
        else:
            self._answer(404, "text/plain", b"There is nothing here; the page is at /.")

    def do_POST(self) -> None:
        if self._refused():
            return
        length = self.headers.get("Content-Length", "")
        if urlsplit(self.path).path != "/sound" or not length.isdecimal() or int(length) > MOST_BYTES:
            if length.isdecimal():  # a connection closed with bytes unread is reset, and the answer lost
                self.rfile.read(min(int(length), 4 * MOST_BYTES))
            self._answer(400, "text/plain", b"Send at most 1 MB of 16-bit samples at 16 kHz to /sound.")
            return
        data = self.rfile.read(int(length))
        try:
            self.server.session.hear(np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32) / 32768)
        except ValueError as error:
            self._answer(429, "text/plain", str(error).encode())
            return
        self._answer(200, "application/json", b"{}")

    def _stream(self, kind: str, form) -> None:
        """Messages until the viewer goes or the session ends."""
        session, viewer = self.server.session, self.server.session.viewer()
        self.close_connection = True
        try:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Cache-Control", "no-store")
            self.send_header("Connection", "close")
            self.end_headers()
            while True:
                try:
                    message = viewer.get(PATIENCE)
                except Empty:
                    message = EMPTY
                if message is None:
                    return
                self.wfile.write(form(message))
                self.wfile.flush()
        except OSError:  # the page was closed
            return
        finally:
            session.leave(viewer)


def _part(message: Message) -> bytes:
    """A picture as a part of multipart; nothing for other messages."""
    if message.kind != PICTURE:
        return b""
    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(message.data)}\r\n\r\n"
    return head.encode() + message.data + b"\r\n"
