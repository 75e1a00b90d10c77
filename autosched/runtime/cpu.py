"""What CPU this is: the key under which tuned schedules are kept.

On Linux it is read from /proc and /sys, about a millisecond; elsewhere py-cpuinfo is asked once and its answer kept.
NUMBA_CPU_NAME and NUMBA_CPU_FEATURES count as Numba counts them, so a process that is told to compile for a lesser CPU
has the fingerprint of that lesser CPU.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from autosched.codegen.simd.target import resolve
from autosched.files import write_whole

#: Features that decide which instructions are selected, by the architecture, the most telling first. The first one that
#: a CPU has names its instruction set; a schedule tuned on one instruction set is the next best guess for another CPU.
FEATURES = {
    "x86_64": ("avx512vbmi", "avx512vnni", "avx512bw", "avx512f", "avx2", "avx", "sse4.2", "ssse3"),
    "aarch64": ("sve2", "sve", "i8mm", "dotprod", "neon"),
}

_ARCHITECTURES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}
_VENDORS = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "0x41": "arm", "0x61": "apple", "0xc0": "ampere"}
#: How Linux and py-cpuinfo spell what LLVM spells otherwise.
_SPELLING = {
    "avx512_vnni": "avx512vnni", "sse4_1": "sse4.1", "sse4_2": "sse4.2", "asimd": "neon", "asimddp": "dotprod",
}  # fmt: skip


@dataclass(frozen=True)
class CpuFingerprint:
    """A CPU as far as it decides which schedule is fast. Sizes are in bytes, 0 where unknown."""

    architecture: str
    vendor: str
    family: int
    model: int
    features: tuple[str, ...]
    l1d: int
    l2: int
    l3: int
    cores: int

    @property
    def isa(self) -> str:
        """The instruction set as far as code generation is concerned: `x86_64-avx512vbmi`, `aarch64-neon`."""
        return f"{self.architecture}-{self.features[0]}" if self.features else self.architecture

    @property
    def cpu_class(self) -> str:
        """Vendor, family, model and instruction set: `amd-25-17-avx512vbmi`; the name of a folder of records."""
        level = self.features[0] if self.features else "baseline"
        return f"{self.vendor}-{self.family}-{self.model}-{level}"


@lru_cache(maxsize=1)
def fingerprint() -> CpuFingerprint:
    """The fingerprint of the CPU that kernels are compiled for in this process."""
    if sys.platform == "linux":
        facts = from_proc(Path("/proc/cpuinfo").read_text(encoding="utf-8"), platform.machine())
        caches = from_sysfs(Path("/sys/devices/system/cpu/cpu0/cache"))
    else:
        facts, caches = _asked_once()
    return compose(facts, caches, os.environ.get("NUMBA_CPU_NAME"), os.environ.get("NUMBA_CPU_FEATURES"))


@dataclass(frozen=True)
class Facts:
    """What the operating system says of the CPU, features as LLVM spells them."""

    architecture: str
    vendor: str
    family: int
    model: int
    flags: tuple[str, ...]
    cores: int


def compose(facts: Facts, caches: Mapping[str, int], cpu_name: str | None, cpu_features: str | None) -> CpuFingerprint:
    """The fingerprint from what is known of the machine and what Numba was told to compile for."""
    if cpu_features is not None:
        listed = cpu_features
    elif cpu_name is not None and cpu_name.lower() == "generic":
        listed = ""
    else:
        listed = ",".join(f"+{flag}" for flag in facts.flags)
    enabled = resolve(facts.architecture, cpu_name or "", listed)
    return CpuFingerprint(
        architecture=facts.architecture,
        vendor=facts.vendor,
        family=facts.family,
        model=facts.model,
        features=tuple(f for f in FEATURES.get(facts.architecture, ()) if f in enabled),
        l1d=caches.get("l1d", 0),
        l2=caches.get("l2", 0),
        l3=caches.get("l3", 0),
        cores=facts.cores,
    )


def from_proc(text: str, machine: str) -> Facts:
    """The facts in the text of /proc/cpuinfo."""
    processors = [dict(_pairs(block)) for block in text.strip().split("\n\n")]
    first = next((p for p in processors if "flags" in p or "Features" in p), {})
    vendor = first.get("vendor_id") or first.get("CPU implementer", "")
    placed = {(p["physical id"], p["core id"]) for p in processors if "core id" in p and "physical id" in p}
    count = sum("processor" in p for p in processors)
    return Facts(
        architecture=_ARCHITECTURES.get(machine.lower(), machine.lower()),
        vendor=_vendor(vendor),
        family=_integer(first.get("cpu family") or first.get("CPU architecture", "0")),
        model=_integer(first.get("model") or first.get("CPU part", "0")),
        flags=_spelled((first.get("flags") or first.get("Features", "")).split()),
        cores=len(placed) or max(count, 1),
    )


def _pairs(block: str) -> Iterable[tuple[str, str]]:
    for line in block.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip(), value.strip()


def _vendor(name: str) -> str:
    known = _VENDORS.get(name)
    return known or "".join(c for c in name.lower() if c.isalnum()) or "unknown"


def _integer(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return 0


def _spelled(flags: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({_SPELLING.get(flag, flag) for flag in flags}))


def from_sysfs(folder: Path) -> dict[str, int]:
    """Sizes of the caches of one CPU in bytes, from its folder in /sys; empty where the kernel does not say."""
    sizes: dict[str, int] = {}
    for index in sorted(folder.glob("index*")):
        try:
            level, kind, size = (
                (index / name).read_text(encoding="utf-8").strip() for name in ("level", "type", "size")
            )
        except OSError:
            continue
        if kind != "Instruction":
            sizes["l1d" if level == "1" else f"l{level}"] = _bytes(size)
    return sizes


def _bytes(text: str) -> int:
    unit = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
    digits = text.rstrip("KMG")
    return int(digits) * unit if digits.isdigit() else 0


def _asked_once() -> tuple[Facts, dict[str, int]]:
    """py-cpuinfo's answer, which takes it a second to find, from a file where it was asked before."""
    import platformdirs

    kept = Path(platformdirs.user_cache_dir("autosched")) / f"cpu-{platform.node() or 'host'}.json"
    try:
        info = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        import cpuinfo

        info = cpuinfo.get_cpu_info()
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_whole(kept, json.dumps(info).encode())
        except OSError:
            pass  # slower next time, nothing else
    return from_cpuinfo(info, platform.machine(), os.cpu_count() or 1)


def from_cpuinfo(info: Mapping[str, object], machine: str, cores: int) -> tuple[Facts, dict[str, int]]:
    """The facts and the cache sizes in py-cpuinfo's answer."""
    flags = info.get("flags")
    architecture = _ARCHITECTURES.get(machine.lower(), machine.lower())
    names = [str(f) for f in flags] if isinstance(flags, list) else []
    if architecture == "aarch64":
        names.append("neon")
    facts = Facts(
        architecture=architecture,
        vendor=_vendor(str(info.get("vendor_id_raw", ""))),
        family=_integer(str(info.get("family", 0))),
        model=_integer(str(info.get("model", 0))),
        flags=_spelled(names),
        cores=cores,
    )
    sizes = {"l1d": "l1_data_cache_size", "l2": "l2_cache_size", "l3": "l3_cache_size"}
    return facts, {name: size for name, key in sizes.items() if isinstance(size := info.get(key), int)}
