"""Training the joint control of a voice and a driving video."""
