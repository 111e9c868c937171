"""People of photographs: the corpus's rig fitted to a face, with the photo as its texture, and exact labels."""
