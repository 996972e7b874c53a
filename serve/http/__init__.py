"""Answer HTTP: routes, pages, who may come in, errors as sentences."""
