"""The world's name server: nobody but /etc/hosts knows a name, and it says so at once, as a true one would.

DNS over UDP, RFC 1035 section 4.1: the question comes back with NXDOMAIN. With the setting `silent_names` it answers nothing.
"""

import socket
import threading

from .state import State

PORT = 53
ANSWER_NXDOMAIN = b"\x81\x83"  # a response, recursion desired and available, name error


def serve(state: State) -> None:
    """Answer until the world ends."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", PORT))
    threading.Thread(target=_answer, args=(server, state), daemon=True).start()


def _answer(server: socket.socket, state: State) -> None:
    while True:
        question, client = server.recvfrom(4096)
        if not state.settings["silent_names"] and len(question) > 12:
            # One question, and neither answers nor authorities nor additional records: what follows the question is dropped.
            end = question.index(b"\0", 12) + 5
            server.sendto(question[:2] + ANSWER_NXDOMAIN + b"\0\1\0\0\0\0\0\0" + question[12:end], client)
