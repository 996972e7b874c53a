"""One file for each schema version of the store; its `down_revision` is the version before."""
