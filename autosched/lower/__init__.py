"""From algorithm and schedule to loop IR: one pass a file, frozen trees in between, a verifier for them.

Order: translate + bounds + loopnest, vectorize, optimize. Knows nothing of what an array holds or means.
"""

from autosched.lower.lower import Layout, Lowered, lower

__all__ = ["Layout", "Lowered", "lower"]
