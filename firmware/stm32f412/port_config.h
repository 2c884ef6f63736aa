/* STM32F412: what common/port.h asks of a port. The RTC counts the 32.768 kHz crystal; the DWT counts cycles of the
 * core, and stands while it sleeps. */
#ifndef LAN_PORT_CONFIG_H
#define LAN_PORT_CONFIG_H

#include "registers.h"

#define LAN_TICK_HZ 32768u
#define LAN_CYCLE_HZ 64000000u /* the core's clock; clock.c says why this one */
#define LAN_PORT_NAME "lan-stm32f412"

static inline uint32_t lan_cycles(void) { return DWT_CYCCNT; }

/* "memory": the compiler must not move work across an edge */
#define LAN_EDGE(bits)                           \
    do {                                         \
        __asm volatile("" ::: "memory");         \
        GPIO_BSRR(PORT_F) = (bits);              \
        __asm volatile("" ::: "memory");         \
    } while (0)

static inline void lan_marker_inference_high(void) { LAN_EDGE(1u << PIN_INFERENCE); }
static inline void lan_marker_inference_low(void) { LAN_EDGE(1u << (PIN_INFERENCE + 16u)); }
static inline void lan_marker_phase_high(void) { LAN_EDGE(1u << PIN_PHASE); }
static inline void lan_marker_phase_low(void) { LAN_EDGE(1u << (PIN_PHASE + 16u)); }

#endif
