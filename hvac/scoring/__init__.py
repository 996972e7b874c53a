"""Predict with a bundle: everything needed for one class of equipment, its newest windows and
forecasts.
"""
