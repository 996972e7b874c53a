"""One thin module per step, each runnable: python -m ray_jobs.<step> --config FILE."""
