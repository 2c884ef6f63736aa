/* Vector table: 16 system exceptions and the 97 interrupts of the STM32F412 (RM0402, vector table). */
#include "fault.h"
#include "registers.h"
#include "startup.h"
#include "stm32f412.h"

extern uint32_t __stack_top[];

typedef void (*vector)(void);
#define INTERRUPT(n) [16u + (n)]

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
__attribute__((section(".vectors"), used)) const vector k_vectors[16 + 97] = {
    [0 ... 112] = fault_entry,
    [0] = (vector)(void *)__stack_top,
    [1] = reset_entry,
    INTERRUPT(IRQ_RTC_WKUP) = rtc_irq,
    INTERRUPT(IRQ_DMA1_STREAM1) = uart_dma_irq,
    INTERRUPT(IRQ_USART3) = uart_irq,
};
#pragma GCC diagnostic pop
