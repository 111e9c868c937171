"""What a drawn person says: texts, speech engines, phones with times, and recordings as microphones spoil them."""
