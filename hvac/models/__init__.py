"""Families of models, calibration, thresholds, forecast, bundle."""
