"""Headers of files that libsndfile reads: compare the size of the samples with the file.

libsndfile treats a truncated file as a shorter one, trusts sizes that were never filled in and, in
some formats, reads the bytes after the samples as samples. For each format, a function here finds
the samples and the size that the header claims.

- `table`: the first bytes of each format, and its function. Add new formats here.
- `riff`: WAV, RF64, BW64 and Wave64.
- `iff`: AIFF, AIFF-C, 8SVX and 16SV.
- `voc`: Creative Voice.
- `matlab`: MATLAB 4 and 5.
- `short`: AU, CAF, NIST and other formats with a few numbers in a short header.
- `reader`: read numbers and chunks of a file.
- `samples`: where the samples are, and how many bytes of them really exist.
"""
