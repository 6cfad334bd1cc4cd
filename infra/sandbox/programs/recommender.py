"""A small recommendation service that stops answering: one request runs into a loop that never ends."""
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

POOLS = {"new": ["ann", "bo", "cy", "dee"], "all": ["ann", "bo", "cy", "dee", "eve", "flo"]}


def fill_from_pool(pool, seen, wanted):
    """Takes names from the pool until enough are chosen; it never ends when all of the pool was seen before."""
    chosen = []
    while len(chosen) < wanted:
        for index, name in enumerate(pool):
            if name not in seen:
                chosen.append((index, name))
                seen.add(name)
    return chosen


def recommend(user, wanted):
    seen = {"ann", "bo"}
    return fill_from_pool(POOLS["new" if user % 2 else "all"], seen, wanted)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        user = int(self.path.rsplit("/", 1)[-1])
        if user == 13:
            print("symptom stands", flush=True)
        body = json.dumps(recommend(user, 4)).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def first_client(port):
    """The request that meets the fault."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/recommend/13")
    connection.getresponse()


def main():
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=first_client, args=(server.server_port,), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
