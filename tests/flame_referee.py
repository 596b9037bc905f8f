# SPDX-License-Identifier: Apache-2.0
"""Whether a flame graph shows the stacks that were folded: the referee of render_flamegraph.c.

    flame_referee.py FOLDED SVG

Reads the picture as XML. Every frame has to lie within the one below it, beside its neighbours, and to be
drawn where its numbers say. What a frame has beyond the frames above it is the time of the stack that
ends there: these have to be the folded stacks. Prints how many.
"""

import collections
import sys
import xml.etree.ElementTree as ElementTree

SVG = "{http://www.w3.org/2000/svg}"


class Frame:
    def __init__(self, g, width):
        self.name = g.get("data-n")
        self.x, self.w, self.depth = (int(g.get("data-" + key)) for key in "xwd")
        rect, text = g.find(SVG + "rect"), g.find(SVG + "text")
        self.left, self.top, self.width = (float(rect.get(key)) for key in ("x", "y", "width"))
        self.shown = text.text or ""
        self.title = g.find(SVG + "title").text
        self.nr_above = 0
        self.below = None


def check(holds, frame, why):
    if not holds:
        sys.exit("%s at %d, %d wide, %d deep: %s" % (frame.name, frame.x, frame.w, frame.depth, why))


def nest(frames):
    """Finds what each frame stands on."""
    open_frames = []
    for frame in sorted(frames, key=lambda f: (f.x, f.depth)):
        while len(open_frames) > frame.depth:
            closed = open_frames.pop()
            check(closed.x + closed.w <= frame.x, frame, "it overlaps " + closed.name)
        check(len(open_frames) == frame.depth, frame, "nothing is below it")
        if open_frames:
            frame.below = open_frames[-1]
            frame.below.nr_above += frame.w
            check(frame.x + frame.w <= frame.below.x + frame.below.w, frame, "it is wider than what is below")
        open_frames.append(frame)


def check_drawing(frame, whole, width):
    check(abs(frame.left - frame.x / whole.w * width) < 0.01, frame, "it begins at %f" % frame.left)
    check(abs(frame.width - frame.w / whole.w * width) < 0.01, frame, "it is %f wide" % frame.width)
    check(frame.top == whole.top - 17 * frame.depth, frame, "it lies at %f" % frame.top)
    check(frame.title.startswith(frame.name), frame, "its title is " + frame.title)
    is_whole = frame.shown == frame.name
    check(is_whole or frame.name.startswith(frame.shown[:-2]), frame, "it shows " + frame.shown)
    check(len(frame.shown) * 7.2 <= max(frame.width - 4, 0) + 0.01, frame, "its text does not fit: " + frame.shown)


def stack_of(frame):
    names = []
    while frame.below:
        names.append(frame.name.replace(";", ":"))
        frame = frame.below
    return ";".join(reversed(names))


def main(folded, picture):
    with open(folded, encoding="utf-8", newline="") as f:
        lines = [line.rpartition(" ") for line in f.read().split("\n") if line]
    want = collections.Counter()
    for stack, _, amount in lines:
        want[stack.replace("_[k]", "")] += int(amount)
    root = ElementTree.parse(picture).getroot()
    width = float(root.get("data-width"))
    frames = [Frame(g, width) for g in root.iter(SVG + "g")]
    nest(frames)
    got = collections.Counter()
    for frame in frames:
        check_drawing(frame, frames[0], width)
        if frame.w > frame.nr_above:
            got[stack_of(frame)] += frame.w - frame.nr_above
    if got != want:
        sys.exit("drawn:\n%s\nfolded:\n%s" % (got, want))
    print(len(got))


if __name__ == "__main__":
    main(*sys.argv[1:])
