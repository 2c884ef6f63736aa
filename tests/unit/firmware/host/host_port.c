/* Everything of port.h on the host, and the doors through which the tests look at the firmware's parts.
 *
 * host_trace notes, in order: I/i and P/p edges of inference and phase, S a sleep until a tick, Q/q console off and
 * on, W a line written, R the network at work (wrapped by the linker). */
#include <setjmp.h>
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
int16_t host_heard[64 * LAN_FRAME]; /* audio of the first frames since the last command */
int host_shut;              /* the gate keeps the network asleep */
uint32_t host_frames;
uint64_t host_asleep;             /* ticks */
int host_has_thermometer;
int32_t host_temperature;         /* thousandths of a degree */
uint32_t host_memory_used, host_memory_available, host_flash_used, host_flash_size; /* bytes; 0: the port can't tell */
char host_last_fault[256];        /* what is kept of it, "" = there was none */

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

/* 64 MHz / 32768 Hz = 15625 / 8 */
uint32_t host_cycles(void) { return (uint32_t)(host_now * 15625u / 8u); }

uint64_t port_asleep(void) { return host_asleep; }

int port_temperature(int32_t *millidegrees) {
    if (host_has_thermometer) {
        *millidegrees = host_temperature;
    }
    return host_has_thermometer;
}

static int told(uint32_t known, uint32_t *bytes) {
    if (known != 0u) {
        *bytes = known;
    }
    return known != 0u;
}

int port_memory_used(uint32_t *bytes) { return told(host_memory_used, bytes); }
int port_memory_available(uint32_t *bytes) { return told(host_memory_available, bytes); }
int port_flash(uint32_t *used, uint32_t *size) { return told(host_flash_used, used) && told(host_flash_size, size); }

void port_sleep_until(uint64_t tick) {
    host_note('S');
    if (tick > host_now) {
        host_asleep += tick - host_now;
        host_now = tick;
    }
}

/* For common/app.c, whose main() (lan_app here) never returns: what it receives, and where it leaves when that is used
 * up. */
static const char *s_typed = "";
static jmp_buf s_leave;
int lan_app(void);

void host_app(const char *typed) {
    s_typed = typed;
    if (setjmp(s_leave) == 0) {
        (void)lan_app();
    }
}

int port_getc(void) { return *s_typed == '\0' ? -1 : *s_typed++; }
void port_wait_input(void) { longjmp(s_leave, 1); }
uint32_t host_rx_lost;
uint32_t port_take_rx_lost(void) {
    const uint32_t lost = host_rx_lost;
    host_rx_lost = 0;
    return lost;
}

void port_write(const char *data, size_t length) {
    host_note('W');
    if (s_written + length < sizeof host_output) {
        memcpy(host_output + s_written, data, length);
        s_written += length;
    }
}

/* Raw bytes that the host sends once the receiver is armed. */
uint8_t host_raw[1 << 16];
size_t host_raw_size;
static uint8_t *s_read_to;
static size_t s_read_length;

void port_read_start(uint8_t *to, size_t length) {
    s_read_to = to;
    s_read_length = length;
}

size_t port_read_finish(uint32_t idle_ms) {
    const size_t got = host_raw_size < s_read_length ? host_raw_size : s_read_length;
    memcpy(s_read_to, host_raw, got);
    memmove(host_raw, host_raw + got, host_raw_size - got);
    host_raw_size -= got;
    if (got < s_read_length) {
        host_now += idle_ms * LAN_TICK_HZ / 1000u;
    }
    return got;
}

void port_quiet_enter(void) { host_note('Q'); }
void port_quiet_leave(void) { host_note('q'); }
uint32_t port_stack_size(void) { return 3840u; }
uint32_t port_stack_used(void) { return 512u; }
void port_fault_hard(void) { abort(); }
size_t port_last_fault(char *text, size_t size) {
    const size_t length = strlen(host_last_fault);
    memcpy(text, host_last_fault, length < size ? length : size);
    return length < size ? length : size;
}

/* The gate opens for every frame or for none, so that the order of events does not hang on what is heard. */
int __real_lan_pipeline_take(const int16_t pcm[LAN_FRAME], float elapsed_s);
int __wrap_lan_pipeline_take(const int16_t pcm[LAN_FRAME], float elapsed_s);
int __wrap_lan_pipeline_take(const int16_t pcm[LAN_FRAME], float elapsed_s) {
    if (host_frames < sizeof host_heard / sizeof host_heard[0] / LAN_FRAME) {
        memcpy(host_heard + host_frames * LAN_FRAME, pcm, LAN_FRAME * sizeof pcm[0]);
    }
    if (host_frames < sizeof host_elapsed_s / sizeof host_elapsed_s[0]) {
        host_elapsed_s[host_frames] = elapsed_s;
    }
    host_frames++;
    (void)__real_lan_pipeline_take(pcm, elapsed_s);
    return !host_shut;
}

void __real_lan_pipeline_infer(const int16_t pcm[LAN_FRAME]);
void __wrap_lan_pipeline_infer(const int16_t pcm[LAN_FRAME]);
void __wrap_lan_pipeline_infer(const int16_t pcm[LAN_FRAME]) {
    host_note('R');
    host_now += host_busy_ticks;
    __real_lan_pipeline_infer(pcm);
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
