/* This firmware's own commands: identity, listening, pace, stack, status, metrics, deliberate faults. */
#include "lnn.h"

#include "build_id.h"
#include "config.h"
#include "hear.h"
#include "metrics_console.h"
#include "model.h"
#include "out.h"
#include "pipeline.h"
#include "port.h"
#include "run.h"

static void field(const char *name, uint32_t value) {
    out(name);
    out_u32(value);
}

static void id(const lan_args *args) {
    (void)args;
    out("m-lnn-id-[git=");
    for (uint32_t i = 0; i < sizeof lan_build_id.git; i++) {
        out_hex8(lan_build_id.git[i]);
    }
    out(",image=");
    for (uint32_t i = 0; i < sizeof lan_build_id.image; i++) {
        out_hex8(lan_build_id.image[i]);
    }
    out(",version=");
    for (uint32_t i = 0; i < sizeof lan_build_id.text && lan_build_id.text[i] != '\0'; i++) {
        const char c = lan_build_id.text[i];
        out_bytes(&c, 1u);
    }
    out_line("]");
}

static void listen(const lan_args *args) {
    uint32_t ms;
    if (args->count != 3 || !lan_parse_u32(args->word[2], 1u, LAN_LISTEN_MAX_MS, &ms)) {
        lan_error_number("lnn listen time in ms", 1u, LAN_LISTEN_MAX_MS);
        return;
    }
    lan_listen(ms);
}

static void pace(const lan_args *args) {
    uint32_t ms = lan_get_pace();
    if (args->count > 3 || (args->count == 3 && !lan_parse_u32(args->word[2], 0u, LAN_PACE_MAX_MS, &ms))) {
        lan_error_number("lnn pace in ms", 0u, LAN_PACE_MAX_MS);
        return;
    }
    lan_set_pace(ms);
    field("m-lnn-pace-[", ms);
    out_line("]");
}

static void stack(const lan_args *args) {
    (void)args;
    field("m-lnn-stack-[used=", port_stack_used());
    field(",size=", port_stack_size());
    out_line("]");
}

static uint32_t milliseconds(uint64_t ticks) { return (uint32_t)(ticks * 1000u / LAN_TICK_HZ); }

static void status(const lan_args *args) {
    (void)args;
    const lan_counts counts = lan_get_counts();
    field("m-lnn-status-[frames=", counts.frames);
    field(",inferences=", counts.inferences);
    field(",overruns=", counts.overruns);
    field(",uptime_ms=", milliseconds(port_now()));
    field(",ran=", counts.ran);
    field(",asleep_ms=", milliseconds(port_asleep()));
    int32_t millidegrees;
    if (port_temperature(&millidegrees)) {
        field(millidegrees < 0 ? ",temperature_mc=-" : ",temperature_mc=",
              millidegrees < 0 ? 0u - (uint32_t)millidegrees : (uint32_t)millidegrees);
    }
    out_line("]");
}

static void logits(const lan_args *args) {
    (void)args;
    const lan_result *result = lan_pipeline_result();
    out("m-lnn-logits-[");
    for (uint32_t i = 0; i < LAN_CLASSES; i++) {
        union {
            float f;
            uint32_t u;
        } bits = {.f = result->logits[i]};
        out_hex32(bits.u);
        out(i + 1u < LAN_CLASSES ? "," : "]");
    }
    out_line("");
}

static void labels(const lan_args *args) {
    (void)args;
    out("m-lnn-labels-[");
    for (uint32_t i = 0; i < LAN_CLASSES; i++) {
        out(lan_labels[i]);
        out(i + 1u < LAN_CLASSES ? "," : "]");
    }
    out_line("");
}

static void metrics(const lan_args *args) {
    (void)args;
    lan_metrics_print();
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winfinite-recursion"
/* The stack overflows, on purpose. */
__attribute__((noinline)) static uint32_t descend(volatile uint32_t depth) {
    volatile uint32_t ballast[8];
    ballast[depth & 7u] = depth;
    return descend(depth + 1u) + ballast[depth & 7u];
}
#pragma GCC diagnostic pop

static void fault(const lan_args *args) {
    char text[192];
    if (args->count == 2) {
        const size_t length = port_last_fault(text, sizeof text);
        out("m-lnn-fault-[");
        if (length == 0u) {
            out("none");
        }
        out_bytes(text, length);
        out_line("]");
    } else if (args->count == 3 && lan_same(args->word[2], "hard")) {
        out_line("m-lnn-fault-hard");
        port_fault_hard();
    } else if (args->count == 3 && lan_same(args->word[2], "stack")) {
        out_line("m-lnn-fault-stack");
        (void)descend(0u);
    } else {
        lan_error("lnn fault takes hard or stack");
    }
}

static const struct {
    const char *word;
    void (*run)(const lan_args *args);
} k_commands[] = {
    {"id", id},         {"listen", listen}, {"pace", pace},     {"stack", stack},     {"status", status},
    {"logits", logits}, {"labels", labels}, {"hear", lan_hear}, {"metrics", metrics}, {"fault", fault},
};

void lan_lnn(const lan_args *args) {
    if (args->count < 2) {
        lan_error("Command 'lnn' requires a subcommand");
        return;
    }
    for (uint32_t i = 0; i < sizeof k_commands / sizeof k_commands[0]; i++) {
        if (lan_same(args->word[1], k_commands[i].word)) {
            k_commands[i].run(args);
            return;
        }
    }
    out("e-[Unknown command: lnn ");
    out(args->word[1]);
    out_line("]");
}
