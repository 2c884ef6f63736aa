/* Time and sleep by CLOCK_MONOTONIC. */
#include <errno.h>
#include <time.h>

#include "desktop.h"
#include "port.h"

#define NS_PER_TICK (1000000000u / LAN_TICK_HZ)

static uint64_t s_start_ns, s_asleep;

static uint64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void desktop_clock_start(void) { s_start_ns = now_ns(); }

uint64_t port_now(void) { return (now_ns() - s_start_ns) / NS_PER_TICK; }

void desktop_slept_since(uint64_t tick) { s_asleep += port_now() - tick; }

uint64_t port_asleep(void) { return s_asleep; }

void port_sleep_until(uint64_t tick) {
    const uint64_t since = port_now();
    if (since < tick) {
        const uint64_t ns = s_start_ns + tick * NS_PER_TICK;
        const struct timespec until = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
        }
        desktop_slept_since(since);
    }
}
