#include "metrics_glue.h"

#include "config.h"
#include "liquid_audio_metrics.h"
#include "model.h"
#include "pipeline.h"
#include "port.h"

/* Where the share of time awake is counted from. */
static uint64_t s_since, s_slept;

_Static_assert(LAN_DRIFT_BINS == LNN_DRIFT_BUCKETS, "one histogram, two names");

/* Features in millionths: the edges of the training lie closer together than thousandths. */
static int32_t fixed(float feature) {
    const float most = 2000.0f;
    const float bounded = feature > most ? most : feature < -most ? -most : feature;
    return (int32_t)(bounded * 1e6f);
}

static void set_drift_reference(void) {
    int32_t edges[LNN_DRIFT_BUCKETS - 1u];
    uint32_t share[LNN_DRIFT_BUCKETS];
    for (uint32_t k = 0; k < LNN_DRIFT_BUCKETS; k++) {
        if (k < LNN_DRIFT_BUCKETS - 1u) {
            edges[k] = fixed(lan_drift_edges[k]);
        }
        share[k] = (uint32_t)(lan_drift_share[k] * 1e6f + 0.5f);
    }
    lnn_set_drift_reference(edges, share);
}

void lan_metrics_start(void) {
    (void)lnn_metrics_init(LAN_CYCLE_HZ, LAN_TICK_HZ);
    lnn_record_dropped(0u); /* run.c and hear.c count them: none so far */
    lnn_record_error(0u);   /* console.c and hear.c: receptions that went wrong */
    set_drift_reference();
    s_since = port_now();
    s_slept = port_asleep();
}

/* The greatest probability, in thousandths. */
static uint32_t confidence(void) {
    const lan_result *result = lan_pipeline_result();
    float most = 0.0f;
    for (uint32_t k = 0; k < LAN_CLASSES; k++) {
        most = result->probabilities[k] > most ? result->probabilities[k] : most;
    }
    return (uint32_t)(most * 1000.0f + 0.5f);
}

/* Mean of the features of the frame that ran last; the training's histogram is of the same number. */
static float mean_feature(void) {
    const float *const features = lan_pipeline_features();
    float sum = 0.0f;
    for (uint32_t k = 0; k < LAN_MELS; k++) {
        sum += features[k];
    }
    return sum * (1.0f / (float)LAN_MELS);
}

/* Share of the time awake since the last call that saw time pass. A sleep that still lasts (the caller is a handler) is
 * not counted by the port yet, so the share can't fall below 0. */
static void measure_cpu(uint64_t now) {
    const uint64_t asleep = port_asleep();
    const uint64_t passed = now - s_since;
    const uint64_t slept = asleep - s_slept;
    if (passed == 0u) {
        return;
    }
    lnn_set_cpu((uint32_t)((passed - (slept < passed ? slept : passed)) * 1000u / passed));
    s_since = now;
    s_slept = asleep;
}

void lan_metrics_frame(uint32_t cycles, int ran) {
    lnn_record_frame();
    lnn_set_uptime(port_now());
    if (ran) {
        lnn_record_latency(cycles);
        lnn_record_confidence(confidence());
        lnn_record_feature(fixed(mean_feature()));
    }
}

void lan_metrics_refresh(void) {
    const uint64_t now = port_now();
    int32_t millidegrees;
    uint32_t used, available;
    lnn_set_uptime(now);
    measure_cpu(now);
    if (port_temperature(&millidegrees)) {
        lnn_set_temperature(millidegrees);
    }
    if (port_memory_used(&used)) {
        lnn_set_memory_used(used);
    }
    if (port_memory_available(&available)) {
        lnn_set_memory_available(available);
    }
    if (port_flash(&used, &available)) {
        lnn_set_flash(used, available);
    }
}
