"""What the monitors read of a workspace, by Ray tasks, and what each of them found."""
