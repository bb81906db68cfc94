"""A server on this computer that behaves like servers of model files, for the tests."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

# Like a model file, it begins with "PK"; it is longer than one part of a download.
CONTENT = b"PK\x03\x04" + bytes(range(256)) * 1000

CONFIRMATION = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>
<body><a href="/open">model.pt</a> is too large to scan.<form id="download-form" action="{action}"
method="get"><input type="submit" value="Download anyway"><input type="hidden" name="id"
value="{file_id}"><input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid"
value="a&amp;b"></form></body></html>"""

QUOTA = "<html><head><title>Google Drive - Quota exceeded</title></head><body>Sorry</body></html>"
SIGN_IN = "<!doctype html><html><head><title>Google Drive: Sign-in</title></head></html>"


class Handler(BaseHTTPRequestHandler):
    """Answer each path in its own way; the name of the method is the first part of the path."""

    def do_GET(self):
        url = urlsplit(self.path)
        self.server.requested.append(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.rest = url.path.split("/")[2:]
        getattr(self, f"get_{url.path.split('/')[1]}", self.get_missing)()

    def log_message(self, *arguments):
        pass

    def send(self, content, kind="application/octet-stream", status=200, **headers):
        self.send_response(status)
        headers = {"Content_Type": kind, "Content_Length": str(len(content)), **headers}
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def send_html(self, text, **options):
        self.send(text.encode(), "text/html; charset=utf-8", **options)

    # Files.

    def get_file(self):
        self.send(self.server.content)

    def get_slow(self):
        time.sleep(0.2)
        self.send(self.server.content)

    def get_typed_as_html(self):
        self.send(self.server.content, "text/html")

    def get_no_length(self):
        self.send(self.server.content, Content_Length=None)

    def get_redirect(self):
        self.send(b"", status=302, Location="/" + "/".join(self.rest))

    # No files.

    def get_missing(self):
        self.send_html("<html><title>Nothing here</title></html>", status=404)

    def get_forbidden(self):
        self.send(b"", status=403)

    def get_loop(self):
        self.send(b"", status=302, Location="/loop")

    def get_elsewhere(self):
        self.send(b"", status=302, Location="file:///etc/hostname")

    def get_cut(self):
        self.send(self.server.content[:5000], Content_Length=str(len(self.server.content)))

    def get_cut_chunk(self):
        self.send(b"1000\r\nPK only this", Content_Length=None, Transfer_Encoding="chunked")

    def get_stops(self):
        self.send(self.server.content[:5000], Content_Length=str(len(self.server.content)))
        self.wfile.flush()
        self.server.is_over.wait(10)

    def get_silent(self):
        self.server.is_over.wait(10)

    def get_empty(self):
        self.send(b"")

    def get_page(self):
        self.send_html("\n<!DOCTYPE html><title>Please\nlog in</title>")

    def get_commented_page(self):
        self.send_html("<!-- from a template --><html><title>Log in</title></html>")

    def get_untyped_page(self):
        self.send(b"<html><title>Log in</title></html>")

    # Google Drive.

    def get_uc(self):
        kind = self.query["id"].split("-")[0]
        getattr(self, f"drive_{kind}")(self.query["id"])

    def drive_small(self, file_id):
        self.send(b"", status=303, Location="/file/small")

    def drive_large(self, file_id):
        self.send_html(CONFIRMATION.format(file_id=file_id, action="/download?export=download"))

    def drive_stubborn(self, file_id):
        self.send_html(CONFIRMATION.format(file_id=file_id, action=f"/uc?id={file_id}"))

    def drive_old(self, file_id):
        link = f'<a href="/download?id={file_id}&amp;confirm=t&amp;uuid=a%26b">anyway</a>'
        self.send_html(f"<html><body>{link}</body></html>")

    def drive_cookie(self, file_id):
        if self.query.get("confirm") == "Xy1":
            self.get_file()
        else:
            self.send_html("<html></html>", Set_Cookie="download_warning_1=Xy1")

    def drive_quota(self, file_id):
        self.send_html(QUOTA)

    def drive_private(self, file_id):
        self.send_html(SIGN_IN)

    def drive_gone(self, file_id):
        self.get_missing()

    def get_download(self):
        is_right = self.query.get("confirm") == "t" and self.query.get("uuid") == "a&b"
        self.send(self.server.content, status=200 if is_right else 400)


@contextmanager
def serving():
    """Yield a running server; `server.address` is its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.requested = CONTENT, []
    server.is_over = threading.Event()
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()
