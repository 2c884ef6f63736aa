/* What a listening device knows about itself, in fixed memory (LNN_METRICS_BYTES = 448 bytes of RAM).
 *
 * Two files and no dependency: copy liquid_audio_metrics.h and .c into a firmware of your own
 * (docs/reference/c-metrics.md: every function, the layout, the cost). C11; integers only; no malloc, no printf.
 *
 * Every function may be called from interrupts and from the main program at once, see LNN_METRICS_LOCK below. Counters and
 * histogram buckets are 32 bits wide and wrap (the difference of two readings is right modulo 2^32); sums are 64 bits
 * wide. What nobody has recorded is absent (its bit in `present` is 0), never zero.
 *
 * Readers: a frame made by lnn_metrics_snapshot(), or the RAM at symbol `lan_metrics`, read by a debug probe while the
 * core runs. `sequence` is odd while the block is being written: a reader takes it before and after, and reads again if it
 * was odd or has changed. */
#ifndef LIQUID_AUDIO_METRICS_H
#define LIQUID_AUDIO_METRICS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LNN_METRICS_MAGIC 0x4D4E4E4Cu /* the bytes "LNNM" */
#define LNN_METRICS_LAYOUT 2u
#define LNN_METRICS_BYTES 448u
#define LNN_LATENCY_BUCKETS 16u    /* 15 edges, and what is above the last one */
#define LNN_CONFIDENCE_BUCKETS 10u /* tenths */
#define LNN_DRIFT_BUCKETS 10u      /* 9 edges, and what is above the last one */
/* A latency budget of some milliseconds needs a counter of microseconds at least: a 1 kHz tick is refused. */
#define LNN_CYCLE_HZ_MIN 1000000u

/* Bits of `present`. */
#define LNN_LATENCY (1u << 0)
#define LNN_CONFIDENCE (1u << 1)
#define LNN_POWER (1u << 2)
#define LNN_ENERGY (1u << 3)
#define LNN_MEMORY_USED (1u << 4)
#define LNN_FLASH (1u << 5)
#define LNN_TEMPERATURE (1u << 6)
#define LNN_BATTERY_LIFE (1u << 7)
#define LNN_BATTERY_VOLTAGE (1u << 8)
#define LNN_CPU (1u << 9)
#define LNN_ACCURACY (1u << 10)
#define LNN_FALSE_POSITIVE (1u << 11)
#define LNN_DRIFT (1u << 12)
#define LNN_UPTIME (1u << 13)
#define LNN_FRAMES (1u << 14)
#define LNN_DROPPED (1u << 15)
#define LNN_ERRORS (1u << 16)
#define LNN_MEMORY_AVAILABLE (1u << 17)

/* Little-endian, as it lies in RAM and in the frame. The number in front is the offset in bytes. */
typedef struct {
    /*   0 */ uint32_t magic;
    /*   4 */ uint32_t layout;
    /*   8 */ uint32_t size;     /* LNN_METRICS_BYTES */
    /*  12 */ uint32_t sequence; /* odd: being written */
    /*  16 */ uint32_t present;
    /*  20 */ uint32_t cycle_hz; /* unit of the latencies */
    /*  24 */ uint32_t tick_hz;  /* unit of the uptime */
    /*  28 */ uint32_t refused;  /* counter: values out of range, which were not recorded */
    /*  32 */ uint64_t uptime_ticks;
    /*  40 */ uint64_t latency_sum;    /* cycles */
    /*  48 */ uint64_t confidence_sum; /* thousandths */
    /*  56 */ uint64_t power_sum;      /* uW, over power_count records */
    /*  64 */ uint64_t energy_sum;     /* nJ, over energy_count records */
    /*  72 */ uint32_t latency_last;   /* cycles */
    /*  76 */ uint32_t latency_max;
    /*  80 */ uint32_t latency_edges[LNN_LATENCY_BUCKETS - 1u]; /* cycles; bucket k counts up to and with edge k */
    /* 140 */ uint32_t latency_buckets[LNN_LATENCY_BUCKETS];
    /* 204 */ uint32_t confidence_last;                            /* thousandths */
    /* 208 */ uint32_t confidence_buckets[LNN_CONFIDENCE_BUCKETS]; /* bucket k counts up to and with (k + 1) * 100 */
    /* 248 */ uint32_t power_last;                                 /* uW */
    /* 252 */ uint32_t power_max;
    /* 256 */ uint32_t power_count;
    /* 260 */ uint32_t energy_last; /* nJ */
    /* 264 */ uint32_t energy_count;
    /* 268 */ uint32_t memory_used; /* bytes */
    /* 272 */ uint32_t memory_available;
    /* 276 */ uint32_t flash_used; /* bytes */
    /* 280 */ uint32_t flash_size;
    /* 284 */ int32_t temperature;      /* thousandths of a degree Celsius */
    /* 288 */ uint32_t battery_life;    /* hours */
    /* 292 */ uint32_t battery_voltage; /* mV */
    /* 296 */ uint32_t cpu;             /* thousandths of the time */
    /* 300 */ uint32_t labelled;        /* counter: results whose right answer was known */
    /* 304 */ uint32_t correct;         /* counter: of these, right ones */
    /* 308 */ uint32_t negatives;       /* counter: windows known to hold no word */
    /* 312 */ uint32_t false_positives; /* counter: of these, windows in which one was reported */
    /* 316 */ uint32_t frames;          /* counter: audio frames taken, with or without an inference */
    /* 320 */ uint32_t dropped;         /* counter: audio frames lost */
    /* 324 */ uint32_t errors;          /* counter */
    /* 328 */ int32_t drift_edges[LNN_DRIFT_BUCKETS - 1u]; /* in the unit of the feature, rising */
    /* 364 */ uint32_t drift_share[LNN_DRIFT_BUCKETS];     /* of the training, millionths */
    /* 404 */ uint32_t drift_buckets[LNN_DRIFT_BUCKETS];   /* bucket k counts below edge k, the last one the rest */
    /* 444 */ uint32_t crc; /* of the bytes before it, in a snapshot; 0 in lan_metrics */
} lnn_metrics;

/* The one instance. For readers; written by the functions below only. */
extern lnn_metrics lan_metrics;

/* Forget everything and start. cycle_hz: rate of the counter whose differences lnn_record_latency() is given (DWT->CYCCNT:
 * the core clock); tick_hz: rate of lnn_set_uptime()'s clock. Returns 1; or 0 if cycle_hz is below LNN_CYCLE_HZ_MIN or
 * tick_hz is 0: then latencies, or uptimes, are refused and stay absent. */
int lnn_metrics_init(uint32_t cycle_hz, uint32_t tick_hz);

/* One inference: how long it took, how sure it was (0 to 1000), the mean power in it, the energy it took. */
void lnn_record_latency(uint32_t cycles);
void lnn_record_confidence(uint32_t thousandths);
void lnn_record_power(uint32_t microwatts);
void lnn_record_energy(uint32_t nanojoules);

/* One result whose right answer is known; one window that is known to hold no word. 0 or 1. */
void lnn_record_accuracy(int correct);
void lnn_record_false_positive(int reported_a_word);

/* Audio frames. Throughput is the rate of the first counter. lnn_record_dropped(0) and lnn_record_error(0) say that this
 * firmware counts them and none has happened. */
void lnn_record_frame(void);
void lnn_record_dropped(uint32_t frames);
void lnn_record_error(uint32_t errors);

/* Drift: the training's histogram of one feature (edges rising, in a fixed-point unit of your choice; shares in millionths,
 * together 1000000), then that feature of every frame that ran, in the same unit. The reader computes the score. */
void lnn_set_drift_reference(const int32_t edges[LNN_DRIFT_BUCKETS - 1u], const uint32_t share[LNN_DRIFT_BUCKETS]);
void lnn_record_feature(int32_t value);

/* Gauges: what is so now. */
void lnn_set_memory_used(uint32_t bytes);
void lnn_set_memory_available(uint32_t bytes);
void lnn_set_flash(uint32_t used_bytes, uint32_t size_bytes);
void lnn_set_temperature(int32_t millidegrees);
void lnn_set_battery_life(uint32_t hours);
void lnn_set_battery_voltage(uint32_t millivolts);
void lnn_set_cpu(uint32_t thousandths);
void lnn_set_uptime(uint64_t ticks);
/* A source has gone (a sensor that no longer answers): these bits of `present` become 0 until they are recorded again. */
void lnn_set_absent(uint32_t bits);

/* The block as it is at one moment, its CRC-32 filled in: the bytes of *copy are a frame that any line can carry. */
void lnn_metrics_snapshot(lnn_metrics *copy);
/* CRC-32 as zlib has it; crc: 0, or the result for the bytes before. */
uint32_t lnn_crc32(uint32_t crc, const void *data, size_t length);

#ifdef __cplusplus
}
#endif

#endif
