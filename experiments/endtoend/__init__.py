"""Preprocessing together with the model that it feeds: whole vision-language models with random weights.

Times do not depend on the values of weights, so real architectures are built from their published settings and nothing
is downloaded. `models` has the architectures, `flops` counts their work, `accelerators` what that takes on devices that
are not here, `stream` overlaps preprocessing with the model.
"""
