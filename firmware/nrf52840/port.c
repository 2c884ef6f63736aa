/* Start-up order, quiet mode, sleep and temperature of the nRF52840. */
#include "port.h"

#include "nrf52840.h"
#include "registers.h"
#include "startup.h"

static uint64_t s_asleep;

void port_start(void) {
    NVMC_ICACHECNF = 1u;
    POWER_DCDCEN = 1u; /* the DK has the inductor; without DC/DC the core draws nearly twice the current */
    /* Anomaly 246, all revisions (Nordic's MDK, nrf52_erratas.h): a collision of CPU and DMA in a block of RAM may leave
     * 350 uA flowing in System ON idle; this costs up to 40 uA while the 16 MHz clock is used */
    ANOMALY_246 = 2u;
    P0_OUTCLR = (1u << PIN_INFERENCE) | (1u << PIN_PHASE);
    P0_PIN_CNF(PIN_INFERENCE) = PIN_CNF_OUTPUT;
    P0_PIN_CNF(PIN_PHASE) = PIN_CNF_OUTPUT;
    clock_start_low();
    rtc_start(); /* not sooner: RTC registers that are read before their clock runs may lie (anomaly 20) */
    clock_start_high(); /* not sooner: time asleep is counted by the RTC */
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
    const uint64_t from = port_now();
    cpu_sleep();
    s_asleep += port_now() - from;
}

uint64_t port_asleep(void) {
    const uint32_t primask = irq_mask();
    const uint64_t asleep = s_asleep;
    irq_restore(primask);
    return asleep;
}

/* Chapter TEMP: 36 us for one conversion, steps of 0.25 degrees. */
int port_temperature(int32_t *millidegrees) {
    TEMP_EVENTS_DATARDY = 0u;
    TEMP_TASKS_START = 1u;
    while (TEMP_EVENTS_DATARDY == 0u) {
    }
    *millidegrees = (int32_t)TEMP_TEMP * 250;
    TEMP_TASKS_STOP = 1u;
    return 1;
}
