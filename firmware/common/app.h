/* The program, once the port has brought its chip up. */
#ifndef LAN_APP_H
#define LAN_APP_H

_Noreturn void lan_app(void);

#endif
