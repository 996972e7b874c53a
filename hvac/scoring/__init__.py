"""Predict with a bundle: what one class needs, its newest windows and forecasts."""
