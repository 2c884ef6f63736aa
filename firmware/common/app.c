/* Greet, then sleep until bytes arrive and feed them to the console, for ever. */
#include "app.h"

#include "console.h"
#include "port.h"

int main(void) {
    lan_console_start();
    for (;;) {
        if (port_take_rx_lost() != 0u) { /* asked first: the loss lies before the byte that comes next */
            lan_console_lost();
        }
        const int c = port_getc();
        if (c < 0) {
            port_wait_input();
        } else {
            lan_console_byte((char)c);
        }
    }
}
