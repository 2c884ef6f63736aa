/* Between the modules of this port. */
#ifndef LAN_STM32F412_H
#define LAN_STM32F412_H

#include <stdint.h>

/* clock.c */
void clock_start(void);    /* flash, regulator and PLL set up, core on the PLL */
void clock_resume(void);   /* after Stop mode: from the internal oscillator back to the PLL */
uint32_t clock_pclk1(void); /* Hz, as the clocks are now */

/* lse.c: the RTC's clock from the crystal, or from the internal RC oscillator if it does not start.
 * Result: its rate in Hz, nominal. */
uint32_t clock_start_low(void);

/* rtc.c */
void rtc_start(uint32_t clock_hz);
void rtc_irq(void);
void rtc_sleep(uint64_t tick); /* at most until `tick`; any interrupt ends it sooner */

/* uart.c */
void uart_start(void); /* pins, baud rate, transmitter and receiver on */
void uart_stop(void);  /* peripheral off, clocks off, line high */
void uart_irq(void);
void uart_dma_irq(void);

#endif
