/* Between what the ports share and a port. */
#ifndef LAN_STARTUP_H
#define LAN_STARTUP_H

/* First instruction after reset; the port's vector table names it. */
void reset_entry(void);

/* Port: clocks, tick, pins, console. RAM and FPU are ready. */
void port_start(void);

/* Port: sleep with interrupts masked, counted by port_asleep(); returns with them still masked, an interrupt pending. */
void sleep_masked(void);

#endif
