"""Devices in the field and the monitoring stack: `lan-hil monitor`.

`inventory` says which devices there are, `reader` follows one of them over its serial port, `exporter` offers
all of them to Prometheus, `serving` over HTTP. `query` and `prune` ask the servers, `stack` starts them.
"""
