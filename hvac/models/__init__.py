"""Fit and restore model families: one file per family, behind one interface."""
