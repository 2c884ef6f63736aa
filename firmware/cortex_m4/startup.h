/* Between the shared start-up and a port. */
#ifndef LAN_STARTUP_H
#define LAN_STARTUP_H

/* First instruction after reset; the port's vector table names it. */
void reset_entry(void);

/* Port: clocks, tick, pins, console. RAM and FPU are ready. */
void port_start(void);

#endif
