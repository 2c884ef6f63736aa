/* Written by model/generate.py: do not edit. Tables of the audio front end. */
#ifndef LAN_FRONTEND_TABLES_H
#define LAN_FRONTEND_TABLES_H

#include "config.h"

_Static_assert(LAN_FRAME == 256u && LAN_MELS == 24u && LAN_SAMPLE_RATE == 8000u, "run model/generate.py");

/* first half of a periodic Hann window, centre included, times 1/32768 */
extern const float lan_window[129];
/* cos, sin of -2 pi k / LAN_FRAME for three quarters of a turn */
extern const float lan_twiddle[384];
/* band b sums lan_mel_count[b] bins from lan_mel_first[b]; weights of all bands in a row */
extern const unsigned char lan_mel_first[24];
extern const unsigned char lan_mel_count[24];
extern const float lan_mel_weight[228];

#endif
