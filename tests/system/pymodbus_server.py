#!/usr/bin/python3
"""A Modbus TCP server on pymodbus 3.0: random registers, a port of its own.

pymodbus_server.py FILE     writes the port into FILE once it serves; until SIGTERM
"""
import asyncio
import os
import random
import sys
import types

try:
    import serial_asyncio  # noqa: F401  pymodbus wants it, for serial lines only
except ImportError:
    sys.modules["serial_asyncio"] = types.SimpleNamespace(create_serial_connection=None)

from pymodbus.datastore import (ModbusSequentialDataBlock, ModbusServerContext,
                                ModbusSlaveContext)
from pymodbus.server.async_io import ModbusTcpServer

ALL = 65536


def block(most):
    return ModbusSequentialDataBlock(0, [random.randint(0, most) for _ in range(ALL + 1)])


async def serve(path):
    unit = ModbusSlaveContext(co=block(1), di=block(1), hr=block(65535), ir=block(65535),
                              zero_mode=True)
    server = ModbusTcpServer(ModbusServerContext(slaves=unit, single=True),
                             address=("127.0.0.1", 0))
    serving = asyncio.ensure_future(server.serve_forever())
    await server.serving
    port = server.server.sockets[0].getsockname()[1]
    with open(path + ".new", "w") as file:
        file.write(f"{port}\n")
    os.rename(path + ".new", path)
    await serving

asyncio.run(serve(sys.argv[1]))
