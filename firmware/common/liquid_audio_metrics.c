/* Recording is a bucket search outside, and a handful of additions inside a critical section; the sequence makes the
 * section visible to a reader that no lock can stop, a debug probe. */
#include "liquid_audio_metrics.h"

/* A port of your own may bring other locks: -DLNN_METRICS_PORT='"my_port.h"', which defines
 *   LNN_METRICS_LOCK_STATE     a type that keeps what LOCK found
 *   LNN_METRICS_LOCK(state)    nobody else records from here ...
 *   LNN_METRICS_UNLOCK(state)  ... to here
 *   LNN_METRICS_BARRIER()      stores before it are seen by a reader before those after it */
#ifdef LNN_METRICS_PORT
#include LNN_METRICS_PORT
#elif defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
/* Interrupts off by PRIMASK, and back to what they were: a section may lie inside another one. An NMI or a HardFault
 * handler must not record. The architecture promises no order of stores to normal memory without a DMB (ARMv7-M A3.7.3);
 * a Cortex-M4 keeps it anyway (Arm AN321), so that it costs little there. */
#define LNN_METRICS_LOCK_STATE uint32_t
#define LNN_METRICS_LOCK(state) __asm volatile("mrs %0, primask\n cpsid i" : "=r"(state)::"memory")
#define LNN_METRICS_UNLOCK(state) __asm volatile("msr primask, %0" ::"r"(state) : "memory")
#define LNN_METRICS_BARRIER() __asm volatile("dmb" ::: "memory")
#else
/* Threads: a spin lock of C11's atomics. Not for signal handlers. */
#include <stdatomic.h>
static atomic_flag s_busy = ATOMIC_FLAG_INIT;
#define LNN_METRICS_LOCK_STATE int
#define LNN_METRICS_LOCK(state)                                                         \
    do {                                                                                \
        (state) = 0;                                                                    \
        while (atomic_flag_test_and_set_explicit(&s_busy, memory_order_acquire)) {      \
        }                                                                               \
    } while (0)
#define LNN_METRICS_UNLOCK(state) ((void)(state), atomic_flag_clear_explicit(&s_busy, memory_order_release))
#define LNN_METRICS_BARRIER() atomic_thread_fence(memory_order_seq_cst)
#endif

_Static_assert(sizeof(lnn_metrics) == LNN_METRICS_BYTES && offsetof(lnn_metrics, crc) == LNN_METRICS_BYTES - 4u &&
                   offsetof(lnn_metrics, uptime_ticks) == 32u && offsetof(lnn_metrics, latency_buckets) == 140u &&
                   offsetof(lnn_metrics, memory_used) == 268u && offsetof(lnn_metrics, drift_edges) == 328u,
               "the layout that readers know");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "readers know a little-endian layout");

lnn_metrics lan_metrics;

/* Microseconds. Finer around the budgets of always-on audio: 5, 12 and 15 ms are edges, so the share of frames that keeps
 * one of them is exact; 32 ms is a frame's period. */
static const uint32_t k_latency_us[LNN_LATENCY_BUCKETS - 1u] = {
    100, 250, 500, 1000, 2000, 3000, 4000, 5000, 7500, 10000, 12000, 15000, 20000, 32000, 64000,
};

#define SEQUENCE (*(volatile uint32_t *)&lan_metrics.sequence)

/* From begin() to end() nobody else writes, so what is read of the sequence once holds until the end. */
typedef struct {
    LNN_METRICS_LOCK_STATE lock;
    uint32_t sequence;
} section;

static inline section begin(void) {
    section open;
    LNN_METRICS_LOCK(open.lock);
    open.sequence = SEQUENCE + 1u;
    SEQUENCE = open.sequence;
    LNN_METRICS_BARRIER();
    return open;
}

static inline void end(section open) {
    LNN_METRICS_BARRIER();
    SEQUENCE = open.sequence + 1u;
    LNN_METRICS_UNLOCK(open.lock);
}

/* A value that can't be what it says it is. Apart, so that the usual way through a function is short. */
__attribute__((noinline)) static void refuse(void) {
    const section open = begin();
    lan_metrics.refused++;
    end(open);
}

int lnn_metrics_init(uint32_t cycle_hz, uint32_t tick_hz) {
    const int fine_enough = cycle_hz >= LNN_CYCLE_HZ_MIN;
    unsigned char *const bytes = (unsigned char *)&lan_metrics;
    const section open = begin();
    /* all but the sequence, which a reader may be comparing right now */
    for (size_t k = offsetof(lnn_metrics, present); k < sizeof lan_metrics; k++) {
        bytes[k] = 0;
    }
    lan_metrics.magic = LNN_METRICS_MAGIC;
    lan_metrics.layout = LNN_METRICS_LAYOUT;
    lan_metrics.size = LNN_METRICS_BYTES;
    lan_metrics.tick_hz = tick_hz;
    lan_metrics.cycle_hz = fine_enough ? cycle_hz : 0u;
    for (uint32_t k = 0; k < LNN_LATENCY_BUCKETS - 1u; k++) {
        lan_metrics.latency_edges[k] = (uint32_t)((uint64_t)k_latency_us[k] * lan_metrics.cycle_hz / 1000000u);
    }
    end(open);
    return fine_enough && tick_hz != 0u;
}

/* A counter lies as far behind its edge as the first counter behind the first edge: one pointer serves the search, four steps
 * for fifteen edges, and the count. */
#define EDGE_TO_BUCKET \
    ((offsetof(lnn_metrics, latency_buckets) - offsetof(lnn_metrics, latency_edges)) / sizeof(uint32_t))

void lnn_record_latency(uint32_t cycles) {
    /* by way of the whole block, which is what the pointer may walk in */
    uint32_t *edge = (uint32_t *)(void *)((unsigned char *)&lan_metrics + offsetof(lnn_metrics, latency_edges));
    const uint32_t middle = edge[7];
    if (middle == 0u) { /* lnn_metrics_init() has set no edges */
        refuse();
        return;
    }
    if (cycles > middle) {
        edge += 8;
    }
    if (cycles > edge[3]) {
        edge += 4;
    }
    if (cycles > edge[1]) {
        edge += 2;
    }
    if (cycles > edge[0]) {
        edge += 1;
    }
    const section open = begin();
    ++edge[EDGE_TO_BUCKET];
    lan_metrics.latency_last = cycles;
    if (cycles > lan_metrics.latency_max) {
        lan_metrics.latency_max = cycles;
    }
    lan_metrics.present |= LNN_LATENCY;
    lan_metrics.latency_sum += cycles;
    end(open);
}

void lnn_record_confidence(uint32_t thousandths) {
    if (thousandths > 1000u) {
        refuse();
        return;
    }
    const uint32_t bucket = thousandths == 0u ? 0u : (thousandths - 1u) / 100u;
    const section open = begin();
    lan_metrics.confidence_sum += thousandths;
    lan_metrics.confidence_buckets[bucket]++;
    lan_metrics.confidence_last = thousandths;
    lan_metrics.present |= LNN_CONFIDENCE;
    end(open);
}

void lnn_record_power(uint32_t microwatts) {
    const section open = begin();
    lan_metrics.power_sum += microwatts;
    lan_metrics.power_count++;
    lan_metrics.power_last = microwatts;
    if (microwatts > lan_metrics.power_max) {
        lan_metrics.power_max = microwatts;
    }
    lan_metrics.present |= LNN_POWER;
    end(open);
}

void lnn_record_energy(uint32_t nanojoules) {
    const section open = begin();
    lan_metrics.energy_sum += nanojoules;
    lan_metrics.energy_count++;
    lan_metrics.energy_last = nanojoules;
    lan_metrics.present |= LNN_ENERGY;
    end(open);
}

void lnn_record_accuracy(int correct) {
    const section open = begin();
    lan_metrics.labelled++;
    lan_metrics.correct += correct != 0;
    lan_metrics.present |= LNN_ACCURACY;
    end(open);
}

void lnn_record_false_positive(int reported_a_word) {
    const section open = begin();
    lan_metrics.negatives++;
    lan_metrics.false_positives += reported_a_word != 0;
    lan_metrics.present |= LNN_FALSE_POSITIVE;
    end(open);
}

/* `by` more of a counter. */
static inline void count(uint32_t *counter, uint32_t by, uint32_t bit) {
    const section open = begin();
    *counter += by;
    lan_metrics.present |= bit;
    end(open);
}

void lnn_record_frame(void) { count(&lan_metrics.frames, 1u, LNN_FRAMES); }
void lnn_record_dropped(uint32_t frames) { count(&lan_metrics.dropped, frames, LNN_DROPPED); }
void lnn_record_error(uint32_t errors) { count(&lan_metrics.errors, errors, LNN_ERRORS); }

void lnn_set_drift_reference(const int32_t edges[LNN_DRIFT_BUCKETS - 1u], const uint32_t share[LNN_DRIFT_BUCKETS]) {
    const section open = begin();
    for (uint32_t k = 0; k < LNN_DRIFT_BUCKETS; k++) {
        if (k < LNN_DRIFT_BUCKETS - 1u) {
            lan_metrics.drift_edges[k] = edges[k];
        }
        lan_metrics.drift_share[k] = share[k];
        lan_metrics.drift_buckets[k] = 0u;
    }
    lan_metrics.present |= LNN_DRIFT;
    end(open);
}

void lnn_record_feature(int32_t value) {
    if ((lan_metrics.present & LNN_DRIFT) == 0u) { /* nothing to compare it with */
        refuse();
        return;
    }
    /* nine edges: the upper or the lower half of them, then one by one */
    const int32_t *edge = lan_metrics.drift_edges;
    if (value >= edge[4]) {
        edge += 5;
    }
    for (const int32_t *const end = edge + 4; edge != end && value >= *edge;) {
        edge++;
    }
    const uint32_t bucket = (uint32_t)(edge - lan_metrics.drift_edges);
    const section open = begin();
    lan_metrics.drift_buckets[bucket]++;
    end(open);
}

/* A gauge. */
static inline void set(uint32_t *gauge, uint32_t value, uint32_t bit) {
    const section open = begin();
    *gauge = value;
    lan_metrics.present |= bit;
    end(open);
}

void lnn_set_memory_used(uint32_t bytes) { set(&lan_metrics.memory_used, bytes, LNN_MEMORY_USED); }
void lnn_set_memory_available(uint32_t bytes) { set(&lan_metrics.memory_available, bytes, LNN_MEMORY_AVAILABLE); }
void lnn_set_battery_life(uint32_t hours) { set(&lan_metrics.battery_life, hours, LNN_BATTERY_LIFE); }
void lnn_set_battery_voltage(uint32_t millivolts) { set(&lan_metrics.battery_voltage, millivolts, LNN_BATTERY_VOLTAGE); }

void lnn_set_cpu(uint32_t thousandths) {
    if (thousandths > 1000u) {
        refuse();
        return;
    }
    set(&lan_metrics.cpu, thousandths, LNN_CPU);
}

void lnn_set_flash(uint32_t used_bytes, uint32_t size_bytes) {
    if (used_bytes > size_bytes) {
        refuse();
        return;
    }
    const section open = begin();
    lan_metrics.flash_used = used_bytes;
    lan_metrics.flash_size = size_bytes;
    lan_metrics.present |= LNN_FLASH;
    end(open);
}

void lnn_set_temperature(int32_t millidegrees) {
    if (millidegrees < -273150) { /* below absolute zero */
        refuse();
        return;
    }
    const section open = begin();
    lan_metrics.temperature = millidegrees;
    lan_metrics.present |= LNN_TEMPERATURE;
    end(open);
}

void lnn_set_uptime(uint64_t ticks) {
    if (lan_metrics.tick_hz == 0u) {
        refuse();
        return;
    }
    const section open = begin();
    lan_metrics.uptime_ticks = ticks;
    lan_metrics.present |= LNN_UPTIME;
    end(open);
}

void lnn_set_absent(uint32_t bits) {
    const section open = begin();
    lan_metrics.present &= ~bits;
    end(open);
}

/* Four bits at a time: 64 bytes of table. */
uint32_t lnn_crc32(uint32_t crc, const void *data, size_t length) {
    static const uint32_t k_table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
        0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
    };
    const unsigned char *byte = data;
    crc = ~crc;
    for (; length != 0u; length--) {
        crc ^= *byte++;
        crc = (crc >> 4) ^ k_table[crc & 15u];
        crc = (crc >> 4) ^ k_table[crc & 15u];
    }
    return ~crc;
}

void lnn_metrics_snapshot(lnn_metrics *copy) {
    unsigned char *to = (unsigned char *)copy;
    const unsigned char *from = (const unsigned char *)&lan_metrics;
    LNN_METRICS_LOCK_STATE state;
    LNN_METRICS_LOCK(state);
    for (size_t k = 0; k < sizeof *copy; k += sizeof(uint32_t)) { /* by words: interrupts wait meanwhile */
        __builtin_memcpy(to + k, from + k, sizeof(uint32_t));
    }
    LNN_METRICS_UNLOCK(state);
    copy->crc = lnn_crc32(0u, copy, offsetof(lnn_metrics, crc));
}
