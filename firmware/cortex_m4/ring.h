/* Bytes on their way from a receiver's interrupt handlers to the main program (port_getc() and its kin are here), and the
 * gap where some were lost. */
#ifndef LAN_RING_H
#define LAN_RING_H

#include <stddef.h>
#include <stdint.h>

/* From the handlers, which do not interrupt each other, or with interrupts masked: a byte has come; a byte was garbled or
 * never seen. After a loss nothing is kept until it is reported, so that there is one gap, and its place is known. */
void ring_put(uint8_t byte);
void ring_lose(void);

/* With interrupts masked: what waits, at most `most` bytes of it, to `to`. Result: how many. */
size_t ring_take(uint8_t *to, size_t most);

#endif
