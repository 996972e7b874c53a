"""Fit models: networks on Ray Train, everything else as Ray tasks."""
