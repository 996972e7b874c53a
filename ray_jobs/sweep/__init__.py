"""Search a family's settings on Ray Tune."""
