"""A mail server of the suite: aiosmtpd, which takes mail over TLS only, each message as a file.

Once it is told to stop it takes no more, and ends when it has taken what it was being given.
"""

import argparse
import asyncio
import email
import logging
import os
import signal
import ssl
import uuid

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--cert", required=True)
arguments.add_argument("--key", required=True)
arguments.add_argument("--folder", required=True)
arguments.add_argument("--password", required=True)
arguments.add_argument("--tls", choices=["starttls", "tls"], required=True)
given = arguments.parse_args()

# It warns of its own older interface at each login.
logging.getLogger("mail.log").setLevel(logging.ERROR)

tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(given.cert, given.key)


class Handler:
    """Takes what it is given, but refuses some recipients for good and some until a file allows them."""

    taking = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.1.1 there is nobody of this name"
        if address.startswith("later@") and not os.path.exists(os.path.join(given.folder, "accept")):
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        Handler.taking += 1
        try:
            # Long enough for a stop to come in between.
            await asyncio.sleep(0.02)
            assert email.message_from_bytes(envelope.content)["Message-ID"]
            path = os.path.join(given.folder, uuid.uuid4().hex)
            with open(path, "wb") as file:
                file.write(envelope.content)
                file.flush()
                os.fsync(file.fileno())
            os.rename(path, path + ".eml")
            return "250 2.0.0 taken"
        finally:
            Handler.taking -= 1


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.password.decode() == given.password
    return AuthResult(success=good, handled=False)


class Server(Controller):
    def factory(self):
        starttls = given.tls == "starttls"
        return SMTP(
            self.handler,
            hostname="mail.test",
            tls_context=tls if starttls else None,
            require_starttls=starttls,
            auth_required=True,
            auth_require_tls=starttls,
            authenticator=authenticate,
        )


async def main():
    loop = asyncio.get_running_loop()
    implicit = tls if given.tls == "tls" else None
    factory = Server(Handler(), hostname="127.0.0.1", port=given.port).factory
    server = await loop.create_server(factory, "127.0.0.1", given.port, ssl=implicit)
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await told.wait()
    server.close()
    while Handler.taking:
        await asyncio.sleep(0.005)
    # The last answer has to be on its way.
    await asyncio.sleep(0.05)


asyncio.run(main())
