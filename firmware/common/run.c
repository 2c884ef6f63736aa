/* The measured part. `phase` is high while nothing but audio, gate, network and sleep happens; `inference` is high for
 * one frame's features and network, and stays low when the gate keeps the network asleep. Audio time is counted in
 * samples, so the network sees the true time between frames whatever the pace, and results do not depend on the clock. */
#include "run.h"

#include "buffer.h"
#include "config.h"
#include "hear.h"
#include "liquid_audio_metrics.h"
#include "metrics_glue.h"
#include "out.h"
#include "pipeline.h"
#include "port.h"
#include "source.h"

#define FOREVER_MS UINT32_MAX /* no limit */

static int16_t s_pcm[LAN_FRAME];
static uint32_t s_pace_ms = LAN_HOP_MS;
static lan_counts s_counts;

/* A schedule of equally spaced starts, exact over any length: the remainder of period * tick rate is carried. */
typedef struct {
    uint64_t due;
    uint32_t whole, rest, carry;
} schedule;

static schedule schedule_from(uint64_t start, uint32_t period_ms) {
    const uint32_t rest = period_ms % 1000u * LAN_TICK_HZ;
    schedule s = {start, period_ms / 1000u * LAN_TICK_HZ + rest / 1000u, rest % 1000u, 0};
    return s;
}

static void schedule_next(schedule *s) {
    s->due += s->whole;
    s->carry += s->rest;
    if (s->carry >= 1000u) {
        s->carry -= 1000u;
        s->due++;
    }
}

static void infer_marked(const int16_t pcm[LAN_FRAME]) {
    const uint32_t from = lan_cycles();
    lan_marker_inference_high();
    lan_pipeline_infer(pcm);
    lan_marker_inference_low();
    const uint32_t cycles = lan_cycles() - from;
    s_counts.inferences++;
    s_counts.ran++;
    lan_metrics_frame(cycles, 1);
}

int lan_run_frame(const int16_t pcm[LAN_FRAME], float elapsed_s) {
    s_counts.frames++;
    if (!lan_pipeline_take(pcm, elapsed_s)) {
        lan_metrics_frame(0u, 0);
        return 0;
    }
    infer_marked(pcm);
    return 1;
}

/* As `infer` wants it: the gate is asked, which takes its time, and not obeyed. */
static int run_any_frame(const int16_t pcm[LAN_FRAME], float elapsed_s) {
    s_counts.frames++;
    (void)lan_pipeline_take(pcm, elapsed_s);
    infer_marked(pcm);
    return 1;
}

/* Frames at `pace_ms` (0: back to back, one hop of audio each) until `count` are done or `until_ms` have passed since
 * the start, whichever comes first; *index: the first sample of audio, then the one behind the last. Returns when the last
 * period is over. Result: frames done. */
static uint32_t run_frames(int (*run)(const int16_t pcm[LAN_FRAME], float elapsed_s), uint32_t *index, uint32_t count,
                           uint32_t pace_ms, uint32_t until_ms) {
    const int16_t *loaded;
    uint32_t loaded_count;
    (void)lan_buffer_audio(&loaded, &loaded_count);
    const uint32_t step = (pace_ms == 0u ? LAN_HOP_MS : pace_ms) * LAN_SAMPLES_PER_MS;
    uint32_t done = 0, elapsed = step;

    lan_pipeline_reset();
    lan_marker_phase_high();
    schedule next = schedule_from(port_now(), pace_ms);
    const uint64_t until = until_ms == FOREVER_MS ? UINT64_MAX
                                                  : next.due + (uint64_t)(until_ms / 1000u) * LAN_TICK_HZ +
                                                        until_ms % 1000u * LAN_TICK_HZ / 1000u;
    while (done < count && next.due < until) {
        lan_source_frame(loaded, loaded_count, *index, s_pcm);
        (void)run(s_pcm, (float)elapsed * (1.0f / (float)LAN_SAMPLE_RATE));
        done++;
        elapsed = step;
        *index += step;
        schedule_next(&next);
        if (pace_ms == 0u) {
            continue;
        }
        while (port_now() > next.due && next.due < until) { /* too slow: these starts are lost, and so is their audio */
            s_counts.overruns++;
            lnn_record_dropped(1u);
            elapsed += step;
            *index += step;
            schedule_next(&next);
        }
        port_sleep_until(next.due < until ? next.due : until);
    }
    lan_marker_phase_low();
    return done;
}

void lan_print_results(void) {
    const lan_result *result = lan_pipeline_result();
    out("m-results-[");
    for (uint32_t i = 0; i < LAN_CLASSES; i++) {
        const uint32_t thousandths = (uint32_t)(result->probabilities[i] * 1000.0f); /* cut, as the reference does */
        out(thousandths >= 1000u ? "1." : "0.");
        out_bytes(&"0123456789"[thousandths / 100u % 10u], 1u);
        out_bytes(&"0123456789"[thousandths / 10u % 10u], 1u);
        out_bytes(&"0123456789"[thousandths % 10u], 1u);
        out(i + 1u < LAN_CLASSES ? "," : "]");
    }
    out_line("");
}

/* Refuse to work on a buffer that `db` has not filled yet, or with half a sample; says so and returns 1 if it is so. */
static int refuse_unfit(const int16_t **loaded, uint32_t *count) {
    const lan_buffer_state state = lan_buffer_audio(loaded, count);
    if (state == LAN_BUFFER_EMPTY || *count != 0u) {
        return 0;
    }
    out("e-[Input db has ");
    out_u32(lan_buffer_loaded());
    out(" bytes, expected ");
    out_u32(state == LAN_BUFFER_PARTIAL ? lan_buffer_expected() : (uint32_t)sizeof **loaded);
    out_line("]");
    return 1;
}

void lan_infer(const lan_args *args) {
    uint32_t count = 1u, warmups = 10u; /* the reference's defaults */
    const int16_t *loaded;
    uint32_t loaded_count;

    if (args->count > 1 && !lan_parse_u32(args->word[1], 1u, LAN_COUNT_MAX, &count)) {
        lan_error("Inference iterations must be >0");
        return;
    }
    if (args->count > 2 && !lan_parse_u32(args->word[2], 0u, LAN_COUNT_MAX, &warmups)) {
        lan_error("Inference warmup must be >=0");
        return;
    }
    if (refuse_unfit(&loaded, &loaded_count)) {
        return;
    }

    lan_hear_forget();
    out("m-warmup-start-");
    out_u32(warmups);
    out_line("");
    lan_pipeline_reset();
    for (uint32_t k = 0; k < warmups; k++) {
        lan_source_frame(loaded, loaded_count, k * LAN_HOP, s_pcm);
        (void)lan_pipeline_take(s_pcm, (float)LAN_HOP / (float)LAN_SAMPLE_RATE);
        lan_pipeline_infer(s_pcm);
        s_counts.frames++;
        s_counts.ran++;
    }
    out_line("m-warmup-done");
    out("m-infer-start-");
    out_u32(count);
    out_line("");
    lan_print_timestamp();

    port_quiet_enter();
    uint32_t index = 0;
    (void)run_frames(run_any_frame, &index, count, s_pace_ms, FOREVER_MS);
    port_quiet_leave();

    lan_print_timestamp();
    out_line("m-infer-done");
    lan_print_results();
}

/* The built-in signal goes on where the last call left it, so that listening in pieces hears all of it; what was loaded
 * starts anew. */
void lan_listen(uint32_t duration_ms) {
    static uint32_t s_heard_to;
    const int16_t *loaded;
    uint32_t loaded_count;

    if (refuse_unfit(&loaded, &loaded_count)) {
        return;
    }
    lan_hear_forget();
    out_line("m-lnn-listen-start");
    uint32_t index = loaded_count == 0u ? s_heard_to : 0u;
    port_quiet_enter();
    const uint32_t frames = run_frames(lan_run_frame, &index, UINT32_MAX, LAN_HOP_MS, duration_ms);
    port_quiet_leave();
    s_heard_to = loaded_count == 0u ? index : s_heard_to;
    out("m-lnn-listen-done-[frames=");
    out_u32(frames);
    out_line("]");
}

void lan_set_pace(uint32_t ms) { s_pace_ms = ms; }

uint32_t lan_get_pace(void) { return s_pace_ms; }

lan_counts lan_get_counts(void) { return s_counts; }
