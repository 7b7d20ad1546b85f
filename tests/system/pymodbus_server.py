#!/usr/bin/python3
"""A Modbus TCP server on pymodbus 3.0: random registers, a port of its own.

pymodbus_server.py FILE                       writes the port into FILE once it serves; until SIGTERM
pymodbus_server.py FILE CERTIFICATE KEY CA    over TLS, for clients with a certificate by that CA;
                                              behind the port stands what register 100 holds
"""
import asyncio
import os
import random
import ssl
import sys
import types

try:
    import serial_asyncio  # noqa: F401  pymodbus wants it, for serial lines only
except ImportError:
    sys.modules["serial_asyncio"] = types.SimpleNamespace(create_serial_connection=None)

from pymodbus.datastore import (ModbusSequentialDataBlock, ModbusServerContext,
                                ModbusSlaveContext)
from pymodbus.server.async_io import ModbusTcpServer, ModbusTlsServer
from pymodbus.transaction import ModbusSocketFramer

ALL = 65536


def block(most):
    return ModbusSequentialDataBlock(0, [random.randint(0, most) for _ in range(ALL + 1)])


def server_of(context, tls):
    address = ("127.0.0.1", 0)
    if not tls:
        return ModbusTcpServer(context, address=address)
    certificate, key, authority = tls
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(certificate, key)
    secure.load_verify_locations(authority)
    # Its own framer for TLS leaves the header out; Modbus/TCP Security has it.
    return ModbusTlsServer(context, framer=ModbusSocketFramer, address=address, sslctx=secure,
                           reqclicert=True)


async def serve(path, *tls):
    unit = ModbusSlaveContext(co=block(1), di=block(1), hr=block(65535), ir=block(65535),
                              zero_mode=True)
    server = server_of(ModbusServerContext(slaves=unit, single=True), tls)
    serving = asyncio.ensure_future(server.serve_forever())
    await server.serving
    port = server.server.sockets[0].getsockname()[1]
    with open(path + ".new", "w") as file:
        file.write(f"{port} {unit.getValues(3, 100, 1)[0]}\n" if tls else f"{port}\n")
    os.rename(path + ".new", path)
    await serving

asyncio.run(serve(*sys.argv[1:]))
