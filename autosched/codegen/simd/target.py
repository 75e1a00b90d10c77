"""What the CPU that Numba compiles for can do, and every choice of instructions made from it."""

from __future__ import annotations

import platform
from functools import lru_cache

# What each feature needs, directly; enabling a feature enables these, disabling one of these
# disables the feature, as in LLVM.
_NEEDS = {
    "ssse3": "sse2",
    "sse4.1": "ssse3",
    "sse4.2": "sse4.1",
    "avx": "sse4.2",
    "avx2": "avx",
    "fma": "avx",
    "f16c": "avx",
    "avx512f": "avx2",
    "avx512bw": "avx512f",
    "avx512vl": "avx512f",
    "avx512vbmi": "avx512bw",
    "avx512vnni": "avx512f",
}

#: The features of x86-64 that any choice is made from.
KNOWN = frozenset(_NEEDS) | {"sse2"}

_HASWELL = ("avx2", "fma", "f16c")
_SKYLAKE_SERVER = ("fma", "f16c", "avx512bw", "avx512vl")
_ICELAKE = (*_SKYLAKE_SERVER, "avx512vbmi", "avx512vnni")

# LLVM does not say what a CPU name implies. A name that is missing here costs speed, never
# correctness, and only matters when NUMBA_CPU_FEATURES leaves the features out.
_CPU_IMPLIES = {
    "x86-64-v2": ("sse4.2",),
    "x86-64-v3": _HASWELL,
    "x86-64-v4": _SKYLAKE_SERVER,
    "haswell": _HASWELL,
    "broadwell": _HASWELL,
    "skylake": _HASWELL,
    "alderlake": _HASWELL,
    "znver1": _HASWELL,
    "znver2": _HASWELL,
    "znver3": _HASWELL,
    "skylake-avx512": _SKYLAKE_SERVER,
    "cascadelake": (*_SKYLAKE_SERVER, "avx512vnni"),
    "cooperlake": (*_SKYLAKE_SERVER, "avx512vnni"),
    "icelake-client": _ICELAKE,
    "icelake-server": _ICELAKE,
    "sapphirerapids": _ICELAKE,
    "emeraldrapids": _ICELAKE,
    "graniterapids": _ICELAKE,
    "znver4": _ICELAKE,
    "znver5": _ICELAKE,
}


def resolve(architecture: str, cpu: str, listed: str) -> frozenset[str]:
    """The features of a CPU called `cpu` with LLVM's feature list `listed` ("+avx2,-avx512f")."""
    enabled: set[str] = set()

    def enable(feature: str) -> None:
        enabled.add(feature)
        if feature in _NEEDS:
            enable(_NEEDS[feature])

    if architecture in ("x86_64", "AMD64"):
        for feature in ("sse2", *_CPU_IMPLIES.get(cpu, ())):
            enable(feature)
    # All additions first: LLVM's list is a set of final answers, not a sequence of steps.
    named = [item.strip() for item in listed.split(",") if item.strip()]
    for item in named:
        if item.startswith("+"):
            enable(item[1:])
    removed = {item[1:] for item in named if item.startswith("-")}
    while removed:
        enabled -= removed
        removed = {f for f in enabled if f in _NEEDS and _NEEDS[f] not in enabled}
    return frozenset(enabled)


@lru_cache(maxsize=None)
def features() -> frozenset[str]:
    """The features of the CPU that Numba targets in this process.

    NUMBA_CPU_NAME and NUMBA_CPU_FEATURES count as Numba counts them.
    """
    from numba.core.registry import cpu_target

    _, cpu, listed = cpu_target.target_context.codegen().magic_tuple()
    return resolve(platform.machine(), cpu, listed)


def has_byte_permute() -> bool:
    """Whether any byte of one or two 64-byte vectors can go to any lane in one instruction."""
    return "avx512vbmi" in features()


def block_permute_intrinsic(size: int) -> str | None:
    """The LLVM intrinsic that moves bytes within each 16 of a vector of `size` bytes, if any.

    A place of 128 and more gives 0, one from 16 to 127 any byte.
    """
    known = {
        16: (("ssse3", "llvm.x86.ssse3.pshuf.b.128"), ("neon", "llvm.aarch64.neon.tbl1.v16i8")),
        32: (("avx2", "llvm.x86.avx2.pshuf.b"),),
        64: (("avx512bw", "llvm.x86.avx512.pshuf.b.512"),),
    }
    return next((name for needed, name in known.get(size, ()) if needed in features()), None)


def has_block_permute() -> bool:
    """Whether bytes are moved within blocks of 16 in one instruction."""
    return block_permute_intrinsic(16) is not None


def has_word_permute() -> bool:
    """Whether any four-byte word of a 64-byte vector can go to any other place of it in one instruction."""
    return "avx512f" in features()


def has_fma() -> bool:
    """Whether a * b + c rounded once is one instruction."""
    return platform.machine() not in ("x86_64", "AMD64") or not features().isdisjoint(("fma", "avx512f"))


def saturates() -> bool:
    """Whether floats are converted to the nearest integer that there is in one instruction."""
    return platform.machine() not in ("x86_64", "AMD64")


def has_half() -> bool:
    """Whether f32 is rounded to f16 in one instruction."""
    return platform.machine() not in ("x86_64", "AMD64") or "f16c" in features()


def pair_sum_intrinsic(lanes: int) -> str | None:
    """The LLVM intrinsic that adds products of adjacent i16 pairs into `lanes` i32, if any."""
    needed, name = {
        4: ("sse2", "llvm.x86.sse2.pmadd.wd"),
        8: ("avx2", "llvm.x86.avx2.pmadd.wd"),
        16: ("avx512bw", "llvm.x86.avx512.pmaddw.d.512"),
    }.get(lanes, ("", ""))
    return name if needed in features() else None


def quad_sum_intrinsic(lanes: int) -> str | None:
    """The LLVM intrinsic that adds products of groups of four u8 and i8 into `lanes` i32, if any."""
    needed, name = {
        4: (("avx512vnni", "avx512vl"), "llvm.x86.avx512.vpdpbusd.128"),
        8: (("avx512vnni", "avx512vl"), "llvm.x86.avx512.vpdpbusd.256"),
        16: (("avx512vnni",), "llvm.x86.avx512.vpdpbusd.512"),
    }.get(lanes, (("",), ""))
    return name if set(needed) <= features() else None


def pack_intrinsics(lanes: int) -> tuple[str, str] | None:
    """The LLVM intrinsics that narrow two vectors of `lanes` i32 to i16, and two of those to u8, within 16 bytes."""
    needed, names = {
        4: ("sse2", ("llvm.x86.sse2.packssdw.128", "llvm.x86.sse2.packuswb.128")),
        8: ("avx2", ("llvm.x86.avx2.packssdw", "llvm.x86.avx2.packuswb")),
        16: ("avx512bw", ("llvm.x86.avx512.packssdw.512", "llvm.x86.avx512.packuswb.512")),
    }.get(lanes, ("", None))
    return names if needed in features() else None


def has_packs() -> bool:
    """Whether bytes are interleaved, and integers narrowed to them, within blocks of 16 bytes in one instruction."""
    return pack_intrinsics(4) is not None


def has_quads() -> bool:
    """Whether products of groups of four bytes are one instruction."""
    return "avx512vnni" in features()
