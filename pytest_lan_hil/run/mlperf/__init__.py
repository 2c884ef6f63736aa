"""The official MLPerf Tiny procedures, played against anything that speaks the MLPerf Tiny DUT API."""
