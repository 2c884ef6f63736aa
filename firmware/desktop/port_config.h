/* The desktop, a process of Linux: what common/port.h asks of a port. Time is CLOCK_MONOTONIC, markers go to a ring of
 * time stamps (markers.h) in place of pins. */
#ifndef LAN_PORT_CONFIG_H
#define LAN_PORT_CONFIG_H

#include <stdint.h>
#include <time.h>

#include "markers.h"

#define LAN_TICK_HZ 1000000u
#define LAN_PORT_NAME "lan-desktop"
#define LAN_CYCLE_HZ 1000000000u

/* Nanoseconds, not cycles of the processor: those change their length with its clock. Wraps after 4.3 s. */
static inline uint32_t lan_cycles(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_sec * LAN_CYCLE_HZ + (uint32_t)now.tv_nsec;
}

static inline void lan_marker_inference_high(void) { markers_rise(MARKERS_INFERENCE); }
static inline void lan_marker_inference_low(void) { markers_fall(MARKERS_INFERENCE); }
static inline void lan_marker_phase_high(void) { markers_rise(MARKERS_PHASE); }
static inline void lan_marker_phase_low(void) { markers_fall(MARKERS_PHASE); }

#endif
