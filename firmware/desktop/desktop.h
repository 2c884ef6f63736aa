/* Between the parts of this port. */
#ifndef LAN_DESKTOP_H
#define LAN_DESKTOP_H

#include <stddef.h>
#include <stdint.h>

/* common/app.c's main(), under the name that build.mk gives it: this process has a main() of its own. */
int lan_app(void);

/* Stack of the firmware's thread: lowest byte, size, and the guard below it, all in bytes. It is filled with the paint. */
#define DESKTOP_STACK_PAINT 0xa5u
typedef struct {
    unsigned char *bottom;
    size_t size, guard;
} desktop_stack;
extern desktop_stack desktop_firmware_stack;

/* Time starts to count. */
void desktop_clock_start(void);
/* The core slept from this tick until now. */
void desktop_slept_since(uint64_t tick);
/* From now on the calling thread reports what kills it. */
void desktop_watch_faults(void);

#endif
