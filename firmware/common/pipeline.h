/* One audio frame -> gate -> features -> network -> answer. This, and nothing else, is what the inference marker line
 * encloses. */
#ifndef LAN_PIPELINE_H
#define LAN_PIPELINE_H

#include <stdint.h>

#include "config.h"

typedef struct {
    float logits[LAN_CLASSES];
    float probabilities[LAN_CLASSES];
} lan_result;

/* Forget the past: noise floor, state and answer. The next frame starts from the network's rest state. */
void lan_pipeline_reset(void);

/* The next LAN_FRAME samples; elapsed_s: audio time since the previous call, in seconds. Returns 1 if the network
 * ran, 0 if the gate left it asleep: the time of such frames is kept, and the state evolves over it when the network
 * runs again. */
int lan_pipeline_frame(const int16_t pcm[LAN_FRAME], float elapsed_s);

/* The two halves of lan_pipeline_frame(), for callers that want to know before they begin or to run in any case:
 * lan_pipeline_take() shows every frame to the gate, and returns 1 if lan_pipeline_infer() should follow on it. */
int lan_pipeline_take(const int16_t pcm[LAN_FRAME], float elapsed_s);
void lan_pipeline_infer(const int16_t pcm[LAN_FRAME]);

/* The answer for the word heard last since the reset: the mean of the logits over its frames that ran, which stands
 * until a later word (behind a pause of LAN_PAUSE_MS) has run for LAN_WORD_FRAMES. "silence" if the network never ran
 * since the reset; all zeros before the first reset. */
const lan_result *lan_pipeline_result(void);

/* What the network saw on the last frame that ran: LAN_INPUTS values, the first LAN_MELS those of the frame itself. */
const float *lan_pipeline_features(void);

#endif
