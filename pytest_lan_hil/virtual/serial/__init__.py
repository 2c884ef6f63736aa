"""Virtual serial ports for pyserial: `serial.serial_for_url("virtual://nrf52840/uart0")`.

pyserial looks for a module `protocol_<scheme>` in its `protocol_handler_packages`; whoever opens ports adds
this package there (the entry-point group `pytest_lan_hil.serial_protocols` names it).
"""
