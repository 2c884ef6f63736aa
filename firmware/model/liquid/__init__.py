"""The liquid network that hears spoken digits: the firmware's arithmetic in numpy, data, training, export.

`fmath`, `frontend`, `gate`, `words` and `network` are the C sources of firmware/common once more, in float32
and in the same order of operations, so that both give the same bits. Only `training` needs JAX.
"""
