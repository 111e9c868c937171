"""How a drawn person moves: speech, expressions and gestures as curves of the motion parameters."""
