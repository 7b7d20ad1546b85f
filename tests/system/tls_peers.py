#!/usr/bin/python3
"""TLS servers in front of a plain Modbus server, good ones and bad ones, each on a port of its own.

tls_peers.py FOLDER PORT    certificates and keys are in FOLDER, the plain server is at PORT.
Writes "NAME PORT" lines into FOLDER/ports once all of them listen, and into FOLDER/peers.log who
came and how each connection ended; until SIGTERM.
"""
import os
import socket
import ssl
import struct
import sys
import threading

folder, plain_port = sys.argv[1], int(sys.argv[2])
log = open(os.path.join(folder, "peers.log"), "a", buffering=1)


def context(certificate, client_ca=None, newest=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(f"{folder}/{certificate}.pem", f"{folder}/{certificate}.key")
    if client_ca is not None:
        made.load_verify_locations(f"{folder}/{client_ca}.pem")
        made.verify_mode = ssl.CERT_REQUIRED
    if newest is not None:
        made.maximum_version = newest
    return made


def pump(source, sink):
    try:
        while True:
            data = source.recv(4096)
            if not data:
                break
            sink.sendall(data)
    except OSError:
        pass


def relay(front, behind):
    """Until the client goes; how it went."""
    back = threading.Thread(target=pump, args=(behind, front), daemon=True)
    back.start()
    end = "close_notify" if isinstance(front, ssl.SSLSocket) else "end"
    try:
        while True:
            data = front.recv(4096)
            if not data:
                break
            behind.sendall(data)
    except ssl.SSLEOFError:
        end = "no close_notify"
    except OSError as error:
        end = type(error).__name__
    behind.shutdown(socket.SHUT_RDWR)
    back.join()
    return end


def last(raw):
    """What comes behind close_notify: FIN, or a reset."""
    try:
        raw.settimeout(5)
        return "data" if raw.recv(1) else "fin"
    except OSError as error:
        return type(error).__name__


def serve(name, raw, tls):
    try:
        if name == "reset":
            raw.recv(64)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if name == "silent":
            raw.recv(65536)
            raw.recv(1)
            return
        front = raw
        if tls is not None:
            front = tls.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False)
            peer = front.getpeercert() or {}
            who = "".join(part[0][1] for part in peer.get("subject", ()) if part[0][0] == "commonName")
            log.write(f"{name}: {front.version()} from {who or 'nobody'}\n")
        behind = socket.create_connection(("127.0.0.1", plain_port))
        end = relay(front, behind)
        raw = socket.socket(fileno=front.detach()) if tls is not None else raw
        log.write(f"{name}: {end}, {last(raw)}\n")
        behind.close()
    except OSError as error:
        log.write(f"{name}: {type(error).__name__} {getattr(error, 'reason', '')}\n")
    finally:
        raw.close()


def listen(name, tls):
    server = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            raw, _ = server.accept()
            threading.Thread(target=serve, args=(name, raw, tls), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


peers = {
    "good": context("server", "ca"),
    "older": context("server", "ca", ssl.TLSVersion.TLSv1_2),
    "open": context("server"),
    "expired": context("expired", "ca"),
    "wrong-ca": context("server", "ca"),
    "wrong-name": context("server", "ca"),
    "demands": context("server", "ca"),
    "strict": context("server", "other"),
    "plain": None,
    "healthy": None,
    "silent": None,
    "reset": None,
}
with open(f"{folder}/ports.new", "w") as file:
    for each, tls_context in peers.items():
        file.write(f"{each} {listen(each, tls_context)}\n")
os.rename(f"{folder}/ports.new", f"{folder}/ports")
threading.Event().wait()
