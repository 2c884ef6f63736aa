/* Line assembly, words, dispatch, and the commands every MLPerf Tiny DUT has. Strings follow the reference
 * (github.com/mlcommons/tiny, benchmark/api); the code is our own. */
#include "console.h"

#include "buffer.h"
#include "liquid_audio_metrics.h"
#include "lnn.h"
#include "metrics_glue.h"
#include "model.h"
#include "out.h"
#include "port.h"
#include "run.h"

static char s_line[LAN_LINE_MAX + 1u];
static uint32_t s_length;
static enum { LINE_GOOD, LINE_LONG, LINE_LOST } s_line_state;

int lan_same(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

int lan_parse_u32(const char *text, uint32_t low, uint32_t high, uint32_t *value) {
    uint32_t v = 0;
    if (*text == '\0') {
        return 0;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return 0;
        }
        const uint32_t digit = (uint32_t)(*text - '0');
        if (v > (UINT32_MAX - digit) / 10u) {
            return 0;
        }
        v = v * 10u + digit;
    }
    if (v < low || v > high) {
        return 0;
    }
    *value = v;
    return 1;
}

int lan_hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

void lan_error(const char *message) {
    out("e-[");
    out(message);
    out_line("]");
}

void lan_error_number(const char *what, uint32_t low, uint32_t high) {
    out("e-[");
    out(what);
    out(" must be a number from ");
    out_u32(low);
    out(" to ");
    out_u32(high);
    out_line("]");
}

void lan_print_timestamp(void) {
    out("m-lap-us-");
    const uint64_t now = port_now();
    out_u32((uint32_t)(now / LAN_TICK_HZ * 1000000u + now % LAN_TICK_HZ * 1000000u / LAN_TICK_HZ));
    out_line("");
}

static void name(const lan_args *args) {
    (void)args;
    out_line("m-name-dut-[" LAN_PORT_NAME "]");
}

static void profile(const lan_args *args) {
    (void)args;
    /* hosts look for this exact text to know the dialect */
    out_line("m-profile-[ULPMark for tinyML Firmware V0.0.1]");
    out_line("m-model-[" LAN_MODEL_NAME "]");
}

static void timestamp(const lan_args *args) {
    (void)args;
    lan_print_timestamp();
}

static void help(const lan_args *args) {
    (void)args;
    out_line("ULPMark for tinyML Firmware V0.0.1");
    out_line("");
    out_line("help         : Print this information");
    out_line("name         : Print the name of the device");
    out_line("profile      : Print the firmware profile and the model");
    out_line("timestamp    : Print the time since start in microseconds");
    out_line("db SUBCMD    : Manipulate a generic byte buffer");
    out_line("  load N     : Allocate N bytes and set load counter");
    out_line("  db HH[HH]* : Load 8-bit hex byte(s) until N bytes");
    out_line("  print [N] [offset=0]");
    out_line("             : Print N bytes at offset as hex");
    out_line("infer N [W=10]: Execute N inferences after W warmup loops");
    out_line("results      : Return the result fp32 vector");
    out_line("lnn SUBCMD   : This firmware's own commands");
    out_line("  id | status | stack | logits | labels | metrics");
    out_line("  listen MS  : Listen for MS milliseconds with the console off");
    out_line("  hear start : Forget all that was heard");
    out_line("  hear N CRC : Take N bytes of audio, sent raw when ready");
    out_line("  hear end   : Print the word that was heard");
    out_line("  pace [MS]  : Time between inference starts, 0 = back to back");
    out_line("  fault [hard|stack] : Print the last fault, or provoke one");
}

static void results(const lan_args *args) {
    (void)args;
    lan_print_results();
}

static const struct {
    const char *word;
    void (*run)(const lan_args *args);
} k_commands[] = {
    {"name", name},   {"profile", profile},    {"timestamp", timestamp}, {"help", help},
    {"db", lan_buffer}, {"infer", lan_infer}, {"results", results},     {"lnn", lan_lnn},
};

/* Cut the line into words at blanks, in place. Words past the table's end are dropped. */
static void split(char *line, lan_args *args) {
    args->count = 0;
    while (args->count < (int)(sizeof args->word / sizeof args->word[0])) {
        while (*line == ' ') {
            line++;
        }
        if (*line == '\0') {
            return;
        }
        args->word[args->count++] = line;
        while (*line != ' ' && *line != '\0') {
            line++;
        }
        if (*line != '\0') {
            *line++ = '\0';
        }
    }
}

static void execute(char *line) {
    lan_args args;
    split(line, &args);
    if (args.count == 0) {
        lan_error("Empty command");
        return;
    }
    for (uint32_t i = 0; i < sizeof k_commands / sizeof k_commands[0]; i++) {
        if (lan_same(args.word[0], k_commands[i].word)) {
            k_commands[i].run(&args);
            return;
        }
    }
    out("e-[Unknown command: ");
    out(args.word[0]);
    out_line("]");
}

void lan_console_byte(char c) {
    if (c == '%') {
        s_line[s_length] = '\0';
        switch (s_line_state) {
        case LINE_GOOD:
            execute(s_line);
            break;
        case LINE_LONG:
            out("e-[Command longer than ");
            out_u32(LAN_LINE_MAX);
            out_line(" characters]");
            break;
        case LINE_LOST:
            lan_error("Bytes lost on reception");
            break;
        }
        s_length = 0;
        s_line_state = LINE_GOOD;
        out_line("m-ready");
        return;
    }
    if (c == '\r' || c == '\n') {
        return; /* terminals send them; the protocol has no use for them */
    }
    if (s_length == LAN_LINE_MAX) {
        s_line_state = s_line_state == LINE_GOOD ? LINE_LONG : s_line_state;
        return;
    }
    s_line[s_length++] = (c < ' ' || c > '~') ? '?' : c;
}

void lan_console_lost(void) {
    s_line_state = LINE_LOST;
    lnn_record_error(1u);
}

void lan_console_start(void) {
    s_length = 0;
    s_line_state = LINE_GOOD;
    lan_metrics_start();
    out_line("m-timestamp-mode-performance");
    lan_print_timestamp();
    out_line("m-init-done");
    out_line("m-ready");
}
