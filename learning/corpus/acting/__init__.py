"""How a drawn person moves: expressions of stills, and head motion and gestures of clips, as motion parameters."""
