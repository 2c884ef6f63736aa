/* Between the modules of this port. */
#ifndef LAN_NRF52840_H
#define LAN_NRF52840_H

#include <stdint.h>

/* clock.c */
void clock_start_low(void);  /* LFCLK: runs from the RC oscillator while the crystal starts */
void clock_settle_low(void); /* asleep (by the RTC) until the crystal has taken over; if it does not, RC for good */
void clock_start_high(void); /* HFXO: the UART needs better than the internal oscillator's tolerance */
void clock_stop_high(void);

/* rtc.c */
void rtc_start(void);
void rtc_irq(void);
void rtc_sleep(uint64_t tick); /* at most until `tick`; any interrupt ends it sooner */

/* uart.c */
void uart_start(void); /* pins, baud rate, transmitter and receiver on */
void uart_stop(void);  /* waits until both have come to rest; peripheral off */
void uart_irq(void);

#endif
