"""The procedural corpus of talking portraits: drawn people, synthetic speech, and motion with exact labels."""
