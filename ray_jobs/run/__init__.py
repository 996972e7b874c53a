"""What every job shares: configuration, command line, workspace, Ray session, progress, lock."""
