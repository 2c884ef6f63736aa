/* Vector table: 16 system exceptions and the 48 interrupts of the nRF52840 (Product Specification, instantiation
 * table: the interrupt number is the peripheral id). */
#include "fault.h"
#include "nrf52840.h"
#include "registers.h"
#include "startup.h"

extern uint32_t __stack_top[];

typedef void (*vector)(void);
#define INTERRUPT(n) [16u + (n)]

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
__attribute__((section(".vectors"), used)) const vector k_vectors[16 + 48] = {
    [0 ... 63] = fault_entry,
    [0] = (vector)(void *)__stack_top,
    [1] = reset_entry,
    INTERRUPT(IRQ_UARTE0) = uart_irq,
    INTERRUPT(IRQ_RTC1) = rtc_irq,
};
#pragma GCC diagnostic pop
