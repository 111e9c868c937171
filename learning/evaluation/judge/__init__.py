"""Finished films judged against the truth: measures, protocols of the papers, comparison of methods, a user study."""
