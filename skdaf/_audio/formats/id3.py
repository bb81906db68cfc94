"""ID3v2 tags: text and pictures in front of the audio, in MP3 files and others."""


def id3_size(content):
    """Return the size of the ID3v2 tag at the start of some bytes; 0 if there is no tag."""
    head = content[:10]
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for digit in head[6:]:
        size = size << 7 | digit & 127
    has_footer = head[5] & 16
    return 10 + size + (10 if has_footer else 0)


def skip_id3(file):
    """Move to the position after all ID3v2 tags at the start of a file; return the position."""
    position = file.seek(0)
    while tag_size := id3_size(file.read(10)):
        position = file.seek(position + tag_size)
    return file.seek(position)
