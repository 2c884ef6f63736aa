/* nRF52840: what common/port.h asks of a port. RTC1 counts the 32.768 kHz crystal; the DWT counts cycles of the core,
 * and stands while it sleeps. */
#ifndef LAN_PORT_CONFIG_H
#define LAN_PORT_CONFIG_H

#include "registers.h"

#define LAN_TICK_HZ 32768u
#define LAN_CYCLE_HZ 64000000u
#define LAN_PORT_NAME "lan-nrf52840"

static inline uint32_t lan_cycles(void) { return DWT_CYCCNT; }

/* "memory": the compiler must not move work across an edge */
#define LAN_EDGE(reg, pin)                        \
    do {                                          \
        __asm volatile("" ::: "memory");          \
        (reg) = 1u << (pin);                      \
        __asm volatile("" ::: "memory");          \
    } while (0)

static inline void lan_marker_inference_high(void) { LAN_EDGE(P0_OUTSET, PIN_INFERENCE); }
static inline void lan_marker_inference_low(void) { LAN_EDGE(P0_OUTCLR, PIN_INFERENCE); }
static inline void lan_marker_phase_high(void) { LAN_EDGE(P0_OUTSET, PIN_PHASE); }
static inline void lan_marker_phase_low(void) { LAN_EDGE(P0_OUTCLR, PIN_PHASE); }

#endif
