"""Download model files, through pooch.

- `fetch`: the public `fetch_model`, its folder, and the check of the hash.
- `address`: what a user may pass: URLs, Google Drive ids and links.
- `transfer`: one download over HTTP, checked while it is written.
- `drive`: the page on which Google Drive asks to confirm the download of a large file.
- `pages`: recognize and read web pages that arrive in place of a file.
"""
