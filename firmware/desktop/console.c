/* Console on standard input and output, for the harness a pseudo terminal. Hanging up ends the process. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "desktop.h"
#include "port.h"

static uint8_t s_input[4096];
static size_t s_next, s_end;
static uint8_t *s_to; /* where port_read_start() wants bytes */
static size_t s_wanted;

/* Wait for input, at most `ms` (-1: for ever); 1 if there is some (or its end). */
static int wait_ms(int ms) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    const uint64_t since = port_now();
    const int found = poll(&input, 1, ms);
    desktop_slept_since(since);
    return found > 0;
}

static size_t read_some(uint8_t *to, size_t most) {
    for (;;) {
        const ssize_t n = read(STDIN_FILENO, to, most);
        if (n > 0) {
            return (size_t)n;
        }
        if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            exit(0);
        }
    }
}

int port_getc(void) {
    if (s_next == s_end) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&input, 1, 0) <= 0) {
            return -1;
        }
        s_end = read_some(s_input, sizeof s_input);
        s_next = 0;
    }
    return s_input[s_next++];
}

uint32_t port_take_rx_lost(void) { return 0; } /* a pipe waits: it loses nothing */

void port_wait_input(void) {
    if (s_next == s_end) {
        (void)wait_ms(-1);
    }
}

void port_write(const char *data, size_t length) {
    while (length != 0u) {
        const ssize_t n = write(STDOUT_FILENO, data, length);
        if (n > 0) {
            data += n;
            length -= (size_t)n;
        } else if (errno != EINTR) {
            exit(0);
        }
    }
}

void port_read_start(uint8_t *to, size_t length) {
    s_to = to;
    s_wanted = length;
}

size_t port_read_finish(uint32_t idle_ms) {
    size_t got = s_end - s_next < s_wanted ? s_end - s_next : s_wanted; /* what came together with a command */
    (void)memcpy(s_to, s_input + s_next, got);
    s_next += got;
    while (got < s_wanted && wait_ms((int)idle_ms)) {
        got += read_some(s_to + got, s_wanted - got);
    }
    return got;
}

void port_quiet_enter(void) {} /* nothing to switch off: a console that nobody talks to costs nothing */
void port_quiet_leave(void) {}

/* A computer has many sensors, and none of them is this process's. */
int port_temperature(int32_t *millidegrees) {
    (void)millidegrees;
    return 0;
}
