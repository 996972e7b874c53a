"""Check what is asked and shape what is answered, as types; no HTTP."""
