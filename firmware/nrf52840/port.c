/* Start-up order, quiet mode and sleep of the nRF52840. */
#include "port.h"

#include "nrf52840.h"
#include "registers.h"
#include "startup.h"

void port_start(void) {
    NVMC_ICACHECNF = 1u;
    POWER_DCDCEN = 1u; /* the DK has the inductor; without DC/DC the core draws nearly twice the current */
    P0_OUTCLR = (1u << PIN_INFERENCE) | (1u << PIN_PHASE);
    P0_PIN_CNF(PIN_INFERENCE) = PIN_CNF_OUTPUT;
    P0_PIN_CNF(PIN_PHASE) = PIN_CNF_OUTPUT;
    clock_start_high();
    clock_start_low();
    rtc_start(); /* not sooner: RTC registers that are read before their clock runs may lie (anomaly 20) */
    clock_settle_low();
    uart_start();
}

void port_quiet_enter(void) {
    uart_stop();
    clock_stop_high();
}

void port_quiet_leave(void) {
    clock_start_high();
    uart_start();
}

void sleep_masked(void) {
    /* nRF52840 anomaly 87: exception flags in FPSCR keep the FPU interrupt pending, and that keeps waking the CPU */
    uint32_t fpscr;
    __asm volatile("vmrs %0, fpscr" : "=r"(fpscr));
    if ((fpscr & 0x9Fu) != 0u) {
        fpscr &= ~0x9Fu;
        __asm volatile("vmsr fpscr, %0\n vmrs %0, fpscr" : "+r"(fpscr));
    }
    NVIC_ICPR(IRQ_FPU / 32u) = 1u << (IRQ_FPU % 32u);
    cpu_sleep();
}
