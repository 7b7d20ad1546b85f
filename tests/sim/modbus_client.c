/* modbus_client.c - asks a Modbus TCP server through libmodbus, to check the simulator.
 *
 * modbus_client ADDRESS:PORT UNIT FUNCTION ADDRESS COUNT prints the values, one a line; or
 * "error TEXT" and exit 1. FUNCTION 6 writes COUNT to ADDRESS: the simulator must refuse. */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
ask(modbus_t *client, int function, int address, int count, uint16_t *values)
{
	uint8_t bits[2000];
	int n;

	if (function == 6)
		return modbus_write_register(client, address, count);
	if (function == 3)
		return modbus_read_registers(client, address, count, values);
	if (function == 4)
		return modbus_read_input_registers(client, address, count, values);
	n = function == 1 ? modbus_read_bits(client, address, count, bits) :
		modbus_read_input_bits(client, address, count, bits);
	for (int i = 0; i < n; i++)
		values[i] = bits[i];
	return n;
}

int
main(int argc, char **argv)
{
	char *colon = argc == 6 ? strchr(argv[1], ':') : NULL;
	uint16_t values[2000];
	modbus_t *client;
	int n;

	if (colon == NULL) {
		fprintf(stderr, "usage: modbus_client ADDRESS:PORT UNIT FUNCTION ADDRESS COUNT\n");
		return 2;
	}
	*colon = '\0';
	client = modbus_new_tcp(argv[1], atoi(colon + 1));
	if (client == NULL || modbus_set_slave(client, atoi(argv[2])) == -1 ||
		modbus_connect(client) == -1) {
		fprintf(stderr, "%s: %s\n", argv[1], modbus_strerror(errno));
		modbus_free(client);
		return 2;
	}
	n = ask(client, atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), values);
	if (n == -1)
		printf("error %s\n", modbus_strerror(errno));
	for (int i = 0; i < n && atoi(argv[3]) != 6; i++)
		printf("%u\n", values[i]);
	modbus_close(client);
	modbus_free(client);
	return n == -1;
}
