"""Pictures, sound, video, faces and motion files: everything that touches media, and nothing that knows a network's
inside."""
