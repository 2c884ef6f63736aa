#include "metrics_console.h"

#include "liquid_audio_metrics.h"
#include "metrics_glue.h"
#include "out.h"

void lan_metrics_print(void) {
    static lnn_metrics frame; /* too large for the stack */
    lan_metrics_refresh();
    lnn_metrics_snapshot(&frame);
    const unsigned char *const bytes = (const unsigned char *)&frame;
    out("m-lnn-metrics-[");
    for (uint32_t k = 0; k < sizeof frame; k++) {
        out_hex8(bytes[k]);
    }
    out_line("]");
}
