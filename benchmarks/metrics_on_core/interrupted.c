/* The main program records latencies; an interrupt, which comes at every possible place, records 1000-cycle ones, and
 * confidences. Runs for ever: a reader looks at the block in between. */
#include "bare.h"

volatile uint32_t done;                    /* interrupts so far */
volatile uint32_t recorded;                /* latencies that the main program has recorded */

void tick(void) {
    lnn_record_latency(1000u);
    lnn_record_confidence(500u);
    done = done + 1u;
}

void start(void) {
    prepare();
    (void)lnn_metrics_init(64000000u, 32768u);
    SYST_RVR = 412u; /* no multiple of the loop below, so that it comes at every place */
    SYST_CVR = 0u;
    SYST_CSR = 7u; /* core clock, interrupt, on */
    for (;;) {
        lnn_record_latency(1000u);
        recorded = recorded + 1u;
    }
}
