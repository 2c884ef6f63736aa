"""pytest-lan-hil: hardware-in-the-loop tests for embedded ML.

This module stays empty of imports, because pytest loads the plugin in every session: an unrelated
run must not pay for numpy, pyOCD or pydantic.
"""

__version__ = "0.1.0"
