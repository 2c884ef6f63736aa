/* Greet, then sleep until bytes arrive and feed them to the console, for ever. */
#include "app.h"

#include "console.h"
#include "port.h"

_Noreturn void lan_app(void) {
    lan_console_start();
    for (;;) {
        const int c = port_getc();
        if (port_take_rx_lost() != 0u) {
            lan_console_lost();
        }
        if (c < 0) {
            port_wait_input();
        } else {
            lan_console_byte((char)c);
        }
    }
}
