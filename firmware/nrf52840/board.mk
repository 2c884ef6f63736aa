# Port of the nRF52840 (DK wiring).
ARCH := cortex_m4
LDSCRIPT := nrf52840/nrf52840.ld
PORT_SOURCES := clock.c port.c rtc.c uart.c vectors.c
CPU := -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16
