/* This firmware's use of the metrics library: what is recorded, and when. */
#ifndef LAN_METRICS_GLUE_H
#define LAN_METRICS_GLUE_H

#include <stdint.h>

/* Once, before anything else is recorded. */
void lan_metrics_start(void);
/* After every audio frame, outside the inference marker. cycles: lan_cycles() across lan_pipeline_frame(); ran: what it
 * returned. A frame that the gate kept shut is no inference: it counts as a frame, and has no latency. */
void lan_metrics_frame(uint32_t cycles, int ran);
/* Bring the gauges up to date; before a read-out. */
void lan_metrics_refresh(void);

#endif
