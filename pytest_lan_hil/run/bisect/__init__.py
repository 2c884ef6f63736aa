"""`lan-hil bisect`: which commit made a firmware worse, found by comparing images on one board.

`git` walks a working tree of its own, `building` makes the image of a commit, `session` compares it with the
good one, `verdict` says what that means, `search` does all of it in order.
"""
