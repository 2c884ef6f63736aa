/* Written by model/generate.py: do not edit. Parameters of the network. */
#ifndef LAN_MODEL_H
#define LAN_MODEL_H

#include "config.h"

_Static_assert(LAN_INPUTS == 48u && LAN_HIDDEN == 32u && LAN_BACKBONE == 64u && LAN_CLASSES == 12u,
               "run model/generate.py");

#define LAN_MODEL_NAME "lan-cfc32-digits"
/* seconds that the time gate counts as 1 */
#define LAN_TIME_UNIT_S 0.032f
/* the class of what never opened the gate */
#define LAN_SILENCE 10u
/* Training histogram of one number per frame that ran, the mean of the first LAN_MELS values of
 * lan_pipeline_features(): share k is that below edge k and not below the edge before, the last
 * share the rest. */
#define LAN_DRIFT_BINS 10u

/* weights in blocks of four outputs, [block][input][4]; heads in the order f, g, h */
extern const float lan_backbone_weight[5120];
extern const float lan_backbone_bias[64];
extern const float lan_head_weight[6144];
extern const float lan_head_bias[96];
extern const float lan_readout_weight[384];
extern const float lan_readout_bias[12];
extern const float lan_norm_mean[24];
extern const float lan_norm_scale[24];
extern const float lan_drift_edges[9];
extern const float lan_drift_share[10];

extern const char *const lan_labels[LAN_CLASSES];

#endif
