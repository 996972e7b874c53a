"""Evaluate fitted models and write what a report is made of."""
