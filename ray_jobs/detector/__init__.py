"""Steps of the 1D-CNN detector's own workflow."""
