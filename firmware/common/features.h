/* Log-mel features of one audio frame. */
#ifndef LAN_FEATURES_H
#define LAN_FEATURES_H

#include <stdint.h>

#include "config.h"

/* Hann window, power spectrum, LAN_MELS triangular mel bands, log2, then the model's mean and scale per band.
 * pcm: int16, full scale +-1.0. Keeps nothing between calls. */
void lan_features(const int16_t pcm[LAN_FRAME], float out[LAN_MELS]);

#endif
