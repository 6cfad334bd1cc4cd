"""22 threads; the main one beats every millisecond and, asked with a line on standard input, tells the longest gap in ms since it was last asked."""
import select
import sys
import threading
import time

for _ in range(21):
    threading.Thread(target=threading.Event().wait, daemon=True).start()

print("beating", flush=True)
last = time.monotonic()
longest = 0.0
while True:
    time.sleep(0.001)
    now = time.monotonic()
    longest = max(longest, now - last)
    last = now
    if select.select([sys.stdin], [], [], 0)[0]:
        if not sys.stdin.readline():
            break
        print("%.3f" % (longest * 1000), flush=True)
        longest = 0.0
        last = time.monotonic()
