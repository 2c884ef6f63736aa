/* The program, once the port has brought its chip up. */
#ifndef LAN_APP_H
#define LAN_APP_H

int main(void); /* does not return */

#endif
