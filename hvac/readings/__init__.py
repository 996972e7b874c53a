"""From files of any notation to checked tables: formats, the one gate, rejects, the registers."""
