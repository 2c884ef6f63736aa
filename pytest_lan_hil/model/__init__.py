"""The nouns of the house: small frozen values, the quantity table and the error tree.

Nothing here does I/O or imports another room. `model.capture` needs numpy and is therefore imported by
name where it is used, never from here.
"""
