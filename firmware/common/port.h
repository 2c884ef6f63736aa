/* What a port must offer. Everything in common/ reaches the chip (or the desktop) through this header only,
 * plus port_config.h, which the port's folder supplies:
 *   LAN_TICK_HZ                       ticks per second of port_now(), at most 1 MHz
 *   LAN_PORT_NAME                     string printed by `name%`
 *   LAN_CYCLE_HZ, lan_cycles()        static inline: a free-running 32-bit counter and its rate; it wraps, and counts at
 *                                     least while the core is awake
 *   lan_marker_inference_high/_low()  static inline, one store each, no branch
 *   lan_marker_phase_high/_low()      likewise */
#ifndef LAN_PORT_H
#define LAN_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "port_config.h"

/* Ticks since start-up; never goes back. */
uint64_t port_now(void);
/* Return at or after `tick`, asleep in between in the deepest mode that keeps RAM and time. */
void port_sleep_until(uint64_t tick);

/* Next received byte, or -1. */
int port_getc(void);
/* Bytes lost on reception (nobody read them in time, or the line garbled them) right before the byte that port_getc()
 * returns next; 0 as long as sound bytes from before the loss wait. Each loss is reported once. */
uint32_t port_take_rx_lost(void);
/* Sleep until something may have been received. */
void port_wait_input(void);
/* Send; returns when the last bit has left. `data` must be in RAM (DMA). */
void port_write(const char *data, size_t length);

/* Receive `length` raw bytes straight into `to` (in RAM), past the console's own buffer: armed at once, so that the host
 * may be told to send; then wait, asleep, for the last of them, or until none came for `idle_ms`. Result: bytes received. */
void port_read_start(uint8_t *to, size_t length);
size_t port_read_finish(uint32_t idle_ms);

/* Console off (receiver and transmitter), fast clock released / console on again. */
void port_quiet_enter(void);
void port_quiet_leave(void);

/* Ticks of port_now() that the core has slept since start-up. */
uint64_t port_asleep(void);
/* The chip's own temperature in thousandths of a degree Celsius; 0 = it has no sensor, and *millidegrees is untouched. */
int port_temperature(int32_t *millidegrees);

/* RAM, in bytes: used at most since start-up, static variables and stack; never used. 0 = the port cannot tell, and *bytes is
 * untouched. */
int port_memory_used(uint32_t *bytes);
int port_memory_available(uint32_t *bytes);
/* Flash, in bytes: what the image fills, and how much there is; 0 = there is none. */
int port_flash(uint32_t *used, uint32_t *size);

/* Stack: bytes reserved, and bytes ever used (the high-water mark of the painted stack). */
uint32_t port_stack_size(void);
uint32_t port_stack_used(void);

/* An instruction that cannot be run, on purpose, for the harness's own tests. */
_Noreturn void port_fault_hard(void);

/* The last fault since power came on, if the RAM still holds it (a reset keeps it): one line of text without line end,
 * written to `text`; returns its length, 0 if there was none. */
size_t port_last_fault(char *text, size_t size);

#endif
