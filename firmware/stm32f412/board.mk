# Port of the STM32F412 (NUCLEO-F412ZG wiring).
ARCH := cortex_m4
LDSCRIPT := stm32f412/stm32f412.ld
PORT_SOURCES := clock.c lse.c port.c rtc.c uart.c vectors.c
CPU := -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16
