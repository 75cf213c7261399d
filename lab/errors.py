"""The one exception for everything that can be expected to go wrong."""


class LabError(Exception):
    """Printed as one line by `./run`, without a traceback, with exit code 1."""
