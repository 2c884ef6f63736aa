/* Clocks (Product Specification, chapter CLOCK). The 64 MHz clock runs by itself whenever something needs it, from the
 * internal oscillator; what is started and stopped here is the crystal that makes it exact. */
#include "nrf52840.h"
#include "registers.h"

/* The crystal needs 0.25 s typically; about a second of polling means it is not there. */
#define LFXO_POLLS 8000000u

void clock_start_low(void) {
    CLOCK_EVENTS_LFCLKSTARTED = 0u;
    CLOCK_LFCLKSRC = LFCLKSRC_XTAL;
    CLOCK_TASKS_LFCLKSTART = 1u;
    for (uint32_t n = LFXO_POLLS; n != 0u; n--) {
        if (CLOCK_EVENTS_LFCLKSTARTED != 0u) {
            return;
        }
    }
    CLOCK_TASKS_LFCLKSTOP = 1u;
    CLOCK_LFCLKSRC = LFCLKSRC_RC;
    CLOCK_TASKS_LFCLKSTART = 1u;
    while (CLOCK_EVENTS_LFCLKSTARTED == 0u) { /* the RC oscillator is on the chip: it starts */
    }
}

void clock_start_high(void) {
    CLOCK_EVENTS_HFCLKSTARTED = 0u;
    CLOCK_TASKS_HFCLKSTART = 1u;
    while (CLOCK_EVENTS_HFCLKSTARTED == 0u) {
    }
}

void clock_stop_high(void) { CLOCK_TASKS_HFCLKSTOP = 1u; }
