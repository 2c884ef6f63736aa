"""What measures: one module per instrument behind two small protocols.

Importing this room loads no vendor package and no numpy; opening an instrument does.
"""

from pytest_lan_hil.instruments.base import CAPABILITIES, EdgeSource, PowerAnalyzer
from pytest_lan_hil.instruments.registry import AnalyzerUri, open_analyzer, open_edges, parse_analyzer_uri

__all__ = [
    "CAPABILITIES",
    "AnalyzerUri",
    "EdgeSource",
    "PowerAnalyzer",
    "open_analyzer",
    "open_edges",
    "parse_analyzer_uri",
]
