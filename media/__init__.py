"""Pictures, sound, video, faces and motion files."""
