/* Glue of gate, features and network; owns the network's state, its clock, and the answer. */
#include "pipeline.h"

#include "cfc.h"
#include "features.h"
#include "gate.h"
#include "model.h"

#define HALF (LAN_FRAME / 2u)
#define PAUSE_S ((float)LAN_PAUSE_MS * 0.001f)
/* Score of "silence" when nothing was loud enough to be looked at: a probability of 0.996. */
#define CLOSED_LOGIT 8.0f

static lan_cfc_state s_state;
static lan_result s_result;
static float s_features[LAN_INPUTS];

/* The later halves of the last two frames taken: [s_newest] of this one, the other of the one before. */
static int16_t s_half[2][HALF];
static uint32_t s_newest;

static struct {
    float gap_s;   /* since the last frame that ran */
    float frame_s; /* since the frame before, whether it ran or not */
    uint32_t at_rest; /* nothing has run since the reset */
} s_clock = {.at_rest = 1u};

static struct {
    float sum[LAN_CLASSES];
    uint32_t frames;
    uint32_t is_first; /* since the reset */
    float loudest;     /* mean of the features of its loudest frame so far */
} s_word;

static void show(const float logits[LAN_CLASSES]) {
    for (uint32_t i = 0; i < LAN_CLASSES; i++) {
        s_result.logits[i] = logits[i];
    }
    lan_softmax(s_result.logits, s_result.probabilities);
}

void lan_pipeline_reset(void) {
    float closed[LAN_CLASSES] = {0};
    closed[LAN_SILENCE] = CLOSED_LOGIT;
    show(closed);
    lan_gate_reset();
    for (uint32_t i = 0; i < HALF; i++) {
        s_half[0][i] = s_half[1][i] = 0;
    }
    s_clock.gap_s = 0.0f;
    s_clock.at_rest = 1u;
    s_word.is_first = 0u;
}

static void begin_word(void) {
    lan_cfc_reset(&s_state);
    for (uint32_t i = 0; i < LAN_CLASSES; i++) {
        s_word.sum[i] = 0.0f;
    }
    s_word.frames = 0u;
    s_word.is_first = s_clock.at_rest;
}

int lan_pipeline_take(const int16_t pcm[LAN_FRAME], float elapsed_s) {
    s_newest ^= 1u;
    for (uint32_t i = 0; i < HALF; i++) {
        s_half[s_newest][i] = pcm[HALF + i];
    }
    s_clock.frame_s = elapsed_s;
    s_clock.gap_s += elapsed_s;
    return lan_gate_step(lan_gate_energy(pcm));
}

/* Features of the frame and of the window half a frame earlier, both relative to the loudest frame of the word so
 * far: how far away a speaker stands says nothing about the word. */
static void look(const int16_t pcm[LAN_FRAME]) {
    lan_features(pcm, pcm + HALF, s_features);
    lan_features(s_half[s_newest ^ 1u], pcm, s_features + LAN_MELS);
    float sum = 0.0f;
    for (uint32_t i = 0; i < LAN_INPUTS; i++) {
        sum += s_features[i];
    }
    const float loudness = sum * (1.0f / (float)LAN_INPUTS);
    if (s_word.frames == 0u || loudness > s_word.loudest) {
        s_word.loudest = loudness;
    }
    const float shift = 1.0f - s_word.loudest;
    for (uint32_t i = 0; i < LAN_INPUTS; i++) {
        s_features[i] += shift;
    }
}

void lan_pipeline_infer(const int16_t pcm[LAN_FRAME]) {
    float logits[LAN_CLASSES];
    float span_s = s_clock.gap_s;
    if (s_clock.at_rest != 0u || span_s > PAUSE_S) {
        begin_word();
        span_s = s_clock.frame_s; /* at rest, time changes nothing */
    }
    s_clock.gap_s = 0.0f;
    s_clock.at_rest = 0u;

    look(pcm);
    lan_cfc_step(&s_state, s_features, span_s, logits);
    s_word.frames++;
    const float share = 1.0f / (float)s_word.frames;
    for (uint32_t i = 0; i < LAN_CLASSES; i++) {
        s_word.sum[i] += logits[i];
        logits[i] = s_word.sum[i] * share;
    }
    if (s_word.is_first != 0u || s_word.frames >= LAN_WORD_FRAMES) {
        show(logits);
    }
}

int lan_pipeline_frame(const int16_t pcm[LAN_FRAME], float elapsed_s) {
    if (!lan_pipeline_take(pcm, elapsed_s)) {
        return 0;
    }
    lan_pipeline_infer(pcm);
    return 1;
}

const lan_result *lan_pipeline_result(void) { return &s_result; }

const float *lan_pipeline_features(void) { return s_features; }
