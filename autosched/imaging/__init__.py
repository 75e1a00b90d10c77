"""Image operations of VLM preprocessing: resample, normalise, patchify, and the tables that they read.

Written in the language of `autosched.lang`; knows nothing of model families, Hugging Face or how loops are lowered.
"""
