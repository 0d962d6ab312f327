"""The process that has the file of facts: started by who needs it, gone when nobody asks any more.

Box: analytics. Arguments: the file, and after how many seconds of rest it ends. Its standard input is the file's lock.
"""

import asyncio
import logging
import signal
import sys
from pathlib import Path

from townsquare.analytics.duck_seat import Seat


async def serve(path: Path, idle_s: float) -> None:
    """Answer calls until none come."""
    seat = Seat(path, manner="takes", idle_s=idle_s)
    seat.open()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, seat.stop)
    try:
        await seat.serve(sys.stdin.fileno())
    finally:
        await seat.close()


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s[%(process)d] %(message)s")
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2])))
