/* The host as a port for the tests: time passes only while the firmware sleeps, and every edge and sleep is noted. */
#ifndef LAN_PORT_CONFIG_H
#define LAN_PORT_CONFIG_H

#include <stdint.h>

#define LAN_TICK_HZ 32768u
#define LAN_CYCLE_HZ 64000000u
#define LAN_PORT_NAME "lan-host"

void host_note(char what);
uint32_t host_cycles(void);

static inline uint32_t lan_cycles(void) { return host_cycles(); }

static inline void lan_marker_inference_high(void) { host_note('I'); }
static inline void lan_marker_inference_low(void) { host_note('i'); }
static inline void lan_marker_phase_high(void) { host_note('P'); }
static inline void lan_marker_phase_low(void) { host_note('p'); }

#endif
