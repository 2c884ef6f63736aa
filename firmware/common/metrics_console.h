/* `lnn metrics`: the metrics library's frame on the console. */
#ifndef LAN_METRICS_CONSOLE_H
#define LAN_METRICS_CONSOLE_H

/* m-lnn-metrics-[hex of the frame], gauges brought up to date first. */
void lan_metrics_print(void);

#endif
