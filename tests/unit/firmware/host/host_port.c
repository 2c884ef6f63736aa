/* Everything of port.h on the host, and the doors through which the tests look at the firmware's parts.
 *
 * host_trace notes, in order: I/i and P/p edges of inference and phase, S a sleep until a tick, Q/q console off and
 * on, W a line written, R the network at work (wrapped by the linker). */
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "fft.h"
#include "fmath.h"
#include "pipeline.h"
#include "port.h"

char host_output[1 << 20];
char host_trace[1 << 20];
static size_t s_written, s_noted;
uint64_t host_now;          /* ticks */
uint64_t host_busy_ticks;   /* that one inference takes */
float host_elapsed_s[4096]; /* what each frame was told */
uint32_t host_frames;

void host_note(char what) {
    if (s_noted + 1u < sizeof host_trace) {
        host_trace[s_noted++] = what;
    }
}

void host_forget(void) {
    memset(host_output, 0, sizeof host_output);
    memset(host_trace, 0, sizeof host_trace);
    s_written = s_noted = 0;
    host_frames = 0;
}

void host_send(const char *text) {
    for (; *text != '\0'; text++) {
        lan_console_byte(*text);
    }
}

uint64_t port_now(void) { return host_now; }

void port_sleep_until(uint64_t tick) {
    host_note('S');
    if (tick > host_now) {
        host_now = tick;
    }
}

int port_getc(void) { return -1; }
uint32_t port_take_rx_lost(void) { return 0; }
void port_wait_input(void) {}

void port_write(const char *data, size_t length) {
    host_note('W');
    if (s_written + length < sizeof host_output) {
        memcpy(host_output + s_written, data, length);
        s_written += length;
    }
}

void port_quiet_enter(void) { host_note('Q'); }
void port_quiet_leave(void) { host_note('q'); }
uint32_t port_stack_size(void) { return 3840u; }
uint32_t port_stack_used(void) { return 512u; }
void port_fault_hard(void) { abort(); }
void port_fault_stack(void) { abort(); }
size_t port_last_fault(char *text, size_t size) {
    (void)text;
    (void)size;
    return 0;
}

void __real_lan_pipeline_frame(const int16_t pcm[LAN_FRAME], float elapsed_s);
void __wrap_lan_pipeline_frame(const int16_t pcm[LAN_FRAME], float elapsed_s);
void __wrap_lan_pipeline_frame(const int16_t pcm[LAN_FRAME], float elapsed_s) {
    host_note('R');
    if (host_frames < sizeof host_elapsed_s / sizeof host_elapsed_s[0]) {
        host_elapsed_s[host_frames] = elapsed_s;
    }
    host_frames++;
    host_now += host_busy_ticks;
    __real_lan_pipeline_frame(pcm, elapsed_s);
}

#define MAP(name)                                                  \
    void host_##name(const float *in, float *out, size_t n) {      \
        for (size_t i = 0; i < n; i++) {                           \
            out[i] = lan_##name(in[i]);                            \
        }                                                          \
    }
MAP(log2f)
MAP(exp2f)
MAP(tanhf)
MAP(sigmoidf)
