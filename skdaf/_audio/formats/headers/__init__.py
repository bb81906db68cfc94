"""Headers of files that libsndfile reads: the size of the samples, compared with the file.

libsndfile takes a file that has lost its end for a shorter one, believes sizes that were never
filled in, and reads what follows the samples of some formats as more samples. For each format, a
function here finds the samples and the size that the header promises.

- `table`: the first bytes of each format and its function. A new format is added here.
- `riff`: WAV, RF64, BW64 and Wave64.
- `iff`: AIFF, AIFF-C, 8SVX and 16SV.
- `voc`: Creative Voice.
- `matlab`: MATLAB 4 and 5.
- `short`: AU, CAF, NIST and other formats with one or two numbers in a short header.
- `reader`: numbers and chunks of a file.
- `samples`: where the samples are, and how many there really are.
"""
