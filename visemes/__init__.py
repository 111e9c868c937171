"""Speech sounds and what the mouth does for them."""
