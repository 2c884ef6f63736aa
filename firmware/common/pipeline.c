/* Glue of features and network; owns the network state. */
#include "pipeline.h"

#include "cfc.h"
#include "features.h"

static lan_cfc_state s_state;
static lan_result s_result;
static float s_features[LAN_MELS];

void lan_pipeline_reset(void) { lan_cfc_reset(&s_state); }

void lan_pipeline_frame(const int16_t pcm[LAN_FRAME], float elapsed_s) {
    lan_features(pcm, s_features);
    lan_cfc_step(&s_state, s_features, elapsed_s, s_result.logits);
    lan_softmax(s_result.logits, s_result.probabilities);
}

const lan_result *lan_pipeline_result(void) { return &s_result; }
