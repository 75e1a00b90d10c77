"""From algorithm and schedule to loop IR: one pass a file, frozen trees in between, a verifier for them.

Order: bounds, regions and loop nests of what is translated; vectorize, with dot products; share windows, stagger; fetch
early; seed sums and optimize. Knows nothing of what an array holds or means.
"""

from autosched.lower.lower import Layout, Lowered, lower

__all__ = ["Layout", "Lowered", "lower"]
