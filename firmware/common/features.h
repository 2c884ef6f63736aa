/* Log-mel features of one audio frame. */
#ifndef LAN_FEATURES_H
#define LAN_FEATURES_H

#include <stdint.h>

#include "config.h"

/* `early` and `late` are the two halves of the frame, LAN_FRAME / 2 samples each, which may lie apart.
 * Hann window, power spectrum, LAN_MELS triangular mel bands, log2, then the model's mean and scale per band.
 * int16 at full scale is +-1.0. Keeps nothing between calls. */
void lan_features(const int16_t *early, const int16_t *late, float out[LAN_MELS]);

#endif
