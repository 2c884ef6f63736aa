/* Cycles of each function of the metrics library, its call included: cost_<function>[0] of the first call (nothing of it
 * in the instruction cache), [1] and [2] the least and the most of those that follow, with values that differ. */
#include "bare.h"

#define CALLS 40u

volatile uint32_t done;
static lnn_metrics s_copy;

/* between two readings of the counter with nothing in between */
static uint32_t s_empty;

#define TIMED(result, ...)                          \
    do {                                            \
        const uint32_t from = DWT_CYCCNT;           \
        __asm volatile("" ::: "memory");            \
        __VA_ARGS__;                                \
        __asm volatile("" ::: "memory");            \
        const uint32_t to = DWT_CYCCNT;             \
        __asm volatile("" ::: "memory");            \
        (result) = to - from;                       \
    } while (0)

#define COST(function, ...)                                                      \
    volatile uint32_t cost_##function[3];                                        \
    static void time_##function(void) {                                          \
        cost_##function[1] = UINT32_MAX;                                         \
        for (uint32_t k = 0; k < CALLS; k++) {                                   \
            uint32_t cycles;                                                     \
            TIMED(cycles, function(__VA_ARGS__));                                \
            cycles -= s_empty;                                                   \
            if (k == 0u) {                                                       \
                cost_##function[0] = cycles;                                     \
                continue;                                                        \
            }                                                                    \
            cost_##function[1] = cycles < cost_##function[1] ? cycles : cost_##function[1]; \
            cost_##function[2] = cycles > cost_##function[2] ? cycles : cost_##function[2]; \
        }                                                                        \
    }

COST(lnn_record_latency, (k * 110000u))
COST(lnn_record_confidence, (k * 25u))
COST(lnn_record_power, (k * 100u))
COST(lnn_record_energy, (k * 100000u))
COST(lnn_record_accuracy, ((int)(k & 1u)))
COST(lnn_record_false_positive, ((int)(k & 1u)))
COST(lnn_record_frame)
COST(lnn_record_dropped, (k))
COST(lnn_record_error, (k))
COST(lnn_record_feature, ((int32_t)k * 100 - 2000))
COST(lnn_set_memory_used, (k))
COST(lnn_set_memory_available, (k))
COST(lnn_set_flash, k, k)
COST(lnn_set_temperature, ((int32_t)k))
COST(lnn_set_battery_life, (k))
COST(lnn_set_battery_voltage, (k))
COST(lnn_set_cpu, (k))
COST(lnn_set_uptime, (k))
COST(lnn_set_absent, (k << 20))
COST(lnn_metrics_snapshot, (&s_copy))
COST(lnn_crc32, 0u, &s_copy, offsetof(lnn_metrics, crc))

static const int32_t k_edges[LNN_DRIFT_BUCKETS - 1u] = {-1600, -1200, -800, -400, 0, 400, 800, 1200, 1600};
static const uint32_t k_share[LNN_DRIFT_BUCKETS] = {100000u, 100000u, 100000u, 100000u, 100000u,
                                                    100000u, 100000u, 100000u, 100000u, 100000u};

void tick(void) {}

void start(void) {
    prepare();
    for (int k = 0; k < 4; k++) {
        TIMED(s_empty, );
    }
    (void)lnn_metrics_init(64000000u, 32768u);
    lnn_set_drift_reference(k_edges, k_share);
    time_lnn_record_latency();
    time_lnn_record_confidence();
    time_lnn_record_power();
    time_lnn_record_energy();
    time_lnn_record_accuracy();
    time_lnn_record_false_positive();
    time_lnn_record_frame();
    time_lnn_record_dropped();
    time_lnn_record_error();
    time_lnn_record_feature();
    time_lnn_set_memory_used();
    time_lnn_set_memory_available();
    time_lnn_set_flash();
    time_lnn_set_temperature();
    time_lnn_set_battery_life();
    time_lnn_set_battery_voltage();
    time_lnn_set_cpu();
    time_lnn_set_uptime();
    time_lnn_set_absent();
    time_lnn_metrics_snapshot();
    time_lnn_crc32();
    done = 1u;
    for (;;) {
    }
}
