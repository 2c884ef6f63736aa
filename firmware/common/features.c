/* PCM -> normalised log-mel. The tables come from model/generate.py. */
#include "features.h"

#include "fft.h"
#include "fmath.h"
#include "frontend_tables.h"
#include "model.h"

/* Added before the logarithm: silence is -20 and not minus infinity. Full scale is about +13. */
#define FLOOR (1.0f / 1048576.0f)

static float s_work[LAN_FRAME];
static float s_power[LAN_FRAME + 2u];

void lan_features(const int16_t *early, const int16_t *late, float out[LAN_MELS]) {
    for (uint32_t i = 0; i < LAN_FRAME / 2u; i++) {
        /* the periodic Hann window is symmetric about n = LAN_FRAME/2: half a table serves both sides */
        const float w = lan_window[i];
        s_work[i] = (float)early[i] * w;
        s_work[LAN_FRAME / 2u + i] = (float)late[i] * lan_window[LAN_FRAME / 2u - i];
    }
    lan_power_spectrum(s_work, s_power);
    const float *weight = lan_mel_weight;
    for (uint32_t band = 0; band < LAN_MELS; band++) {
        const float *bin = s_power + lan_mel_first[band];
        float sum = FLOOR;
        for (uint32_t n = lan_mel_count[band]; n != 0u; n--) {
            sum += *bin++ * *weight++;
        }
        out[band] = (lan_log2f(sum) - lan_norm_mean[band]) * lan_norm_scale[band];
    }
}
