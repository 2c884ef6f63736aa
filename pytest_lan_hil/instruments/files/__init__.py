"""Recorded captures: one module per format, told apart by content.

    .jls                      Joulescope's own format (by `pyjls`)
    .csv                      Joulescope (`joulescope_csv`) and nRF Connect Power Profiler (`ppk2_csv`)
    trace*-energy.bin         MLPerf Tiny's energy runner (`mlperf`), with its time stamps (`stamps`)
    .npz                      our own (`npz`)

Importing this package loads numpy, but no vendor package.
"""

from pytest_lan_hil.instruments.files.npz import write_npz
from pytest_lan_hil.instruments.files.reading import Trace, read_capture, read_trace

__all__ = ["Trace", "read_capture", "read_trace", "write_npz"]
