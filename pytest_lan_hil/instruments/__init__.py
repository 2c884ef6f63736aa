"""What measures: one module per instrument behind two small protocols.

Importing this room loads no vendor package and no numpy; opening an instrument does.
"""

from pytest_lan_hil.instruments.base import CAPABILITIES, PowerAnalyzer
from pytest_lan_hil.instruments.registry import AnalyzerUri, open_analyzer, parse_analyzer_uri

__all__ = ["CAPABILITIES", "AnalyzerUri", "PowerAnalyzer", "open_analyzer", "parse_analyzer_uri"]
