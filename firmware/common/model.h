/* Written by model/generate.py, seed 20260701: do not edit. Parameters of the network. */
#ifndef LAN_MODEL_H
#define LAN_MODEL_H

#include "config.h"

_Static_assert(LAN_MELS == 24u && LAN_HIDDEN == 32u && LAN_BACKBONE == 64u && LAN_CLASSES == 12u,
               "run model/generate.py");

#define LAN_MODEL_NAME "lan-cfc32-random"
/* seconds that the time gate counts as 1 */
#define LAN_TIME_UNIT_S 0.032f

/* weights in blocks of four outputs, [block][input][4]; heads in the order f, g, h */
extern const float lan_backbone_weight[3584];
extern const float lan_backbone_bias[64];
extern const float lan_head_weight[6144];
extern const float lan_head_bias[96];
extern const float lan_readout_weight[384];
extern const float lan_readout_bias[12];
extern const float lan_norm_mean[24];
extern const float lan_norm_scale[24];

#endif
