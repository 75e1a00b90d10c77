"""Drop-ins in the four forms that transformers' image processors have had; a family says what is computed.

- 5.x, both backends: the arguments are resolved before ``_preprocess_image_like_inputs``, which reads the images and
  computes. It is replaced.
- 4.57 ``Fast``: the same place, other arguments.
- 4.57 slow: ``preprocess`` does everything and is replaced; its arguments are resolved here.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final

import numpy as np

from autosched.errors import AutoschedError, AutoschedWarning, CacheError, CompileError, ScheduleError
from autosched.hf import arguments as read
from autosched.hf.arguments import NotCoveredError
from autosched.hf.drop_in import DropIn, DropInState
from autosched.hf.explanation import Explanation, by_kernels
from autosched.hf.family import Arguments, Batch, Family, as_tensor
from autosched.hf.images import (
    as_hwc,
    as_pixels,
    describe,
    is_photograph,
    is_pil,
    is_plain,
    is_tensor,
    photographs,
    require_bytes,
)
from autosched.hf.registry import Support
from autosched.hf.resolved import Resolved
from autosched.hf.results import feature, feature_of_tensors, require_type, rounded
from autosched.imaging.byte_table import CHANNELS
from autosched.runtime import Memory
from autosched.threads import default_threads
from autosched.vlm.passes import Source
from autosched.vlm.pillow import is_pillows, pillow_pixels
from autosched.vlm.preparation import Reference

#: What makes a kernel impossible: all of these are mistakes of autosched's, or of the machine.
UNBUILT: Final = (CompileError, CacheError, ScheduleError)
#: Arguments that the slow processors of 4.57 take from the call alone.
_NO_ATTRIBUTES: Final = ("return_tensors", "data_format", "input_data_format", "return_row_col_info")
#: Arguments of transformers 5.x that only say how others are resolved.
_RESOLVING: Final = frozenset({"default_to_square"})
#: Sizes of images that are remembered of a processor's calls.
_SIZES: Final = 512


def unbuilt(error: AutoschedError) -> NotCoveredError:
    """Warns of a kernel that cannot be built; what is raised so that Hugging Face's own code runs."""
    message = f"autosched could not build its kernel, so Hugging Face's own code runs: {error}"
    warnings.warn(message, AutoschedWarning, stacklevel=3)
    return NotCoveredError(message)


class FamilyDropIn(DropIn):
    """What all forms share."""

    __slots__ = ()
    _autosched_reference: ClassVar[Reference]
    _autosched_generation: ClassVar[int]
    _autosched_family: ClassVar[type[Family]]

    def _autosched_answer(
        self,
        images: Any,
        values: Mapping[str, Any],
        extra: tuple[Any, ...] = (),
        family: Family | None = None,
    ) -> Any:
        """Converts and computes all images of a call with resolved arguments, or raises `NotCoveredError`.

        ``values`` are also the arguments of Hugging Face's own conversion of one image, which is used for every image
        that is not plain. ``family`` holds what was read from them, where that is known.
        """
        family = family or self._autosched_settings(values)
        if extra and not family.samples:
            raise NotCoveredError("there are positional arguments after the images, such as videos")
        nesting = None
        flat = self._autosched_flat(images)
        if flat is None:
            structure = self._autosched_structure(images)
            nested = len(structure) > 0 and isinstance(structure[0], (list, tuple))
            flat = [image for sample in structure for image in sample] if nested else list(structure)
            for image in flat:
                require_bytes(image, bool(values.get("do_convert_rgb")))
            nesting = tuple(len(sample) for sample in structure) if nested else None
        pixels = [self._autosched_pixels(image, values) for image in flat]
        return self._autosched_feature(family, pixels, nesting, values.get("return_tensors"), extra)

    def _autosched_settings(self, values: Mapping[str, Any]) -> Family:
        """What the family reads from the arguments of a call."""
        self._autosched_require_type(values.get("return_tensors"))
        self._autosched_require_methods()
        return self._autosched_family(Arguments(values, self._autosched_reference, self, self._autosched_generation))

    def _autosched_require_methods(self) -> None:
        """Refuses what the kernels replace where it is not transformers': methods of the processor's own, and what was
        put in the place of methods of a class and functions of a module.
        """
        own = sorted(self._autosched_replaced & vars(self).keys())
        if own:
            raise NotCoveredError(f"the processor has its own {own[0]}")
        changed = self._autosched_computing.changed(type(self))
        if changed is not None:
            raise NotCoveredError(f"{changed} is not transformers' own")

    def _autosched_require_type(self, return_tensors: Any) -> None:
        """Refuses return types that the kernels do not make, and that pixel values have no type in."""
        read.require_known_tensors(return_tensors)
        name = getattr(return_tensors, "value", return_tensors)
        tensors = name == "pt" or (name is None and self._autosched_reference == "torchvision")
        require_type(self._autosched_state.dtype, tensors)

    def _autosched_feature(
        self,
        family: Family,
        images: Sequence[Source],
        nesting: tuple[int, ...] | None,
        return_tensors: Any,
        extra: tuple[Any, ...] = (),
    ) -> Any:
        """The outputs for images, computed by the kernels, as transformers' BatchFeature."""
        if len(images) == 0:
            raise NotCoveredError("there are no images")
        reference = self._autosched_reference
        if reference == "torchvision":
            read.require_torch_defaults()
        batch = Batch(reference, images, nesting, extra, return_tensors is not None, self._autosched_state.threads)
        try:
            data = family.outputs(batch)
        except UNBUILT as error:
            raise unbuilt(error) from error
        except MemoryError as error:
            raise NotCoveredError(f"there is not enough memory: {error}") from error
        self._autosched_record(by_kernels(family.summary, reference, len(images)))
        return family.finish(feature(data, return_tensors, self.autosched_original_class), batch)

    def _autosched_flat(self, images: Any) -> list[Any] | None:
        """The images of a call that need no code of transformers to be listed."""
        return None if self._autosched_family.nested else photographs(images)

    def _autosched_structure(self, images: Any) -> Sequence[Any]:
        """The images as Hugging Face's own code flattens or nests them."""
        structure: Sequence[Any] = self._prepare_images_structure(images)  # type: ignore[attr-defined]
        return structure

    def _autosched_pixels(self, image: Any, values: Mapping[str, Any]) -> Source:
        if is_plain(image) and (is_pil(image) or values.get("input_data_format") is None):
            if self._autosched_reference == "torchvision" and isinstance(image, np.ndarray):
                as_tensor(image)  # warns of an array that is not writable
            return as_pixels(image)
        converted = self._autosched_convert(image, values)
        if is_tensor(converted):
            read.require_cpu(converted.device)
        array = converted.numpy() if is_tensor(converted) else converted
        kinds = (np.ndarray, np.memmap)  # others change what operations mean, as masked arrays do
        if (
            type(array) not in kinds
            or array.ndim != 3
            or array.shape[0] != CHANNELS
            or array.dtype != np.uint8
            or 0 in array.shape
        ):
            raise NotCoveredError(f"{describe(image)} was converted to {array.dtype} {list(array.shape)}")
        return as_hwc(array)

    def _autosched_convert(self, image: Any, values: Mapping[str, Any]) -> Any:
        """Hugging Face's own conversion of one image to ``[C, H, W]``."""
        raise NotImplementedError

    def _autosched_give_up(self, reason: NotCoveredError) -> None:
        self._autosched_record(Explanation("huggingface", str(reason)))

    def _autosched_rounded(self, feature: Any) -> Any:
        """What Hugging Face's own code made, with pixel values of the type that this processor is for."""
        return rounded(feature, self._autosched_state.dtype)


class Form5(FamilyDropIn):
    """transformers 5.x."""

    __slots__ = ()
    _autosched_generation = 5
    _autosched_published: ClassVar[bool]
    """Whether the class is transformers': what others do before they compute is not known."""

    def preprocess(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        wanted = kwargs.get("return_tensors")
        common = not kwargs or (len(kwargs) == 1 and type(wanted) is str)
        plain = self._autosched_published and not args and common
        if not plain or self._autosched_resolving.changed(type(self)) is not None:
            self._autosched_state.local.asked = None  # which an interrupted call may have left
            return super().preprocess(images, *args, **kwargs)  # type: ignore[misc]
        state = self._autosched_state
        known = state.resolved.get(wanted)
        if known is not None and known.holds(vars(self)):
            answer = self._autosched_repeated(images, known, state)
            if answer is not None:
                return answer
            return self._autosched_inputs(images, (), known.values, known)
        try:
            state.local.asked = wanted, images
            return super().preprocess(images, **kwargs)  # type: ignore[misc]
        finally:
            state.local.asked = None

    def _preprocess_image_like_inputs(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        state, known = self._autosched_state, None
        if state.local.asked is not None:
            wanted, given = state.local.asked
            if given is images and not args:  # otherwise more than the arguments was prepared
                known = None if self._autosched_warned(kwargs) else Resolved.of(kwargs, vars(self))
                if known is not None:
                    state.resolved[wanted] = known
        return self._autosched_inputs(images, args, kwargs, known)

    def _autosched_warned(self, values: Mapping[str, Any]) -> bool:
        """Whether an attribute is an argument that the resolved ones do not have any more: a deprecated one, of which
        transformers warns in every call.
        """
        used_up = {*getattr(self, "_valid_kwargs_names", ())} - values.keys() - _RESOLVING
        return any(getattr(self, name, None) is not None for name in used_up)

    def _autosched_inputs(
        self, images: Any, args: tuple[Any, ...], values: dict[str, Any], known: Resolved | None
    ) -> Any:
        """The answer for resolved arguments, of which `known` keeps what was read."""
        flat = None if known is None else self._autosched_flat(images)
        if flat is None:
            images = self.fetch_images(images)  # type: ignore[attr-defined]
        try:
            family = None if known is None else known.family
            if family is None:
                read.require_cpu(values.get("device"))
                family = self._autosched_settings(values)
                if known is not None:
                    known.family = family
            if flat is not None:
                pixels = list(map(pillow_pixels, flat))
                made = self._autosched_feature(family, pixels, None, values.get("return_tensors"))
                if known is not None:
                    self._autosched_remember(known, flat, pixels, family)
                return made
            return self._autosched_answer(images, values, args, family)
        except NotCoveredError as reason:
            self._autosched_give_up(reason)
        made = super()._preprocess_image_like_inputs(images, *args, **values)  # type: ignore[misc]
        return self._autosched_rounded(made)

    def _autosched_remember(self, known: Resolved, images: list[Any], pixels: list[Source], family: Family) -> None:
        """Keeps how a call is repeated for other photographs of its size, where it was for one and made tensors.

        Many sizes come only once: it is found when one comes for the second time.
        """
        if len(pixels) != 1 or type(pixels[0]) is not Memory or known.values.get("return_tensors") != "pt":
            return
        threads = self._autosched_state.threads or default_threads()
        size = images[0].size, threads
        if size not in known.seen:
            if len(known.seen) >= _SIZES:
                known.seen.clear()
                known.replays.clear()
            known.seen.add(size)
        elif size not in known.replays:
            repeated = family.replayed(pixels[0], threads)
            explanation = by_kernels(family.summary, self._autosched_reference, 1)
            known.replays[size] = None if repeated is None else (repeated, explanation)

    def _autosched_repeated(self, images: Any, known: Resolved, state: DropInState) -> Any:
        """The answer for one photograph of a size that came before, in few steps of Python; None for any other."""
        image = images[0] if type(images) is list and len(images) == 1 else images
        if not is_photograph(image):
            return None
        size = image.size
        found = known.replays.get((size, state.threads or default_threads()))
        if found is None:
            return None
        repeated, explanation = found
        try:
            if self._autosched_reference == "torchvision":
                read.require_torch_defaults()
            pixels = pillow_pixels(image)
            if type(pixels) is not Memory or image.size != size:  # in several blocks; some files are read smaller
                return None
            values = repeated.replay.run(pixels.address)
        except (NotCoveredError, MemoryError):  # which are known to whom it is left to
            return None
        data = {repeated.key: as_tensor(values)}
        for key, other in repeated.others.items():
            data[key] = as_tensor(other.copy())
        state.local.explanation = explanation
        return feature_of_tensors(data, self.autosched_original_class)

    def _autosched_convert(self, image: Any, values: Mapping[str, Any]) -> Any:
        return self.process_image(image, **values)  # type: ignore[attr-defined]


class Torchvision5(Form5):
    """transformers 5.x, torchvision backend."""

    __slots__ = ()
    _autosched_reference = "torchvision"


class Pil5(Form5):
    """transformers 5.x, PIL backend."""

    __slots__ = ()
    _autosched_reference = "pil"


class Fast4(FamilyDropIn):
    """transformers 4.57, ``use_fast=True``."""

    __slots__ = ()
    _autosched_reference = "torchvision"
    _autosched_generation = 4

    def _preprocess_image_like_inputs(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        if images is not None and not self._autosched_family.nested:  # the nested ones know no addresses
            images = self.fetch_images(images)  # type: ignore[attr-defined]
        try:
            if images is None or kwargs.get("videos") is not None:
                raise NotCoveredError("there are videos")
            if kwargs.get("input_data_format") is not None:
                raise NotCoveredError(f"input_data_format is {kwargs['input_data_format']!r}")
            read.require_cpu(kwargs.get("device"))
            no_videos = self._autosched_family.videos and len(args) == 1 and args[0] is None
            made = self._autosched_answer(images, kwargs, () if no_videos else args)
            for image in photographs(images) or ():
                if image.width in (1, CHANNELS):
                    self._autosched_convert(image, kwargs)  # which warns that its columns may be channels
            return made
        except NotCoveredError as reason:
            self._autosched_give_up(reason)
        made = super()._preprocess_image_like_inputs(images, *args, **kwargs)  # type: ignore[misc]
        return self._autosched_rounded(made)

    def _autosched_convert(self, image: Any, values: Mapping[str, Any]) -> Any:
        return self._process_image(  # type: ignore[attr-defined]
            image, do_convert_rgb=values.get("do_convert_rgb"), input_data_format=None, device=None
        )


class Slow4(FamilyDropIn):
    """transformers 4.57, ``use_fast=False``."""

    __slots__ = ()
    _autosched_reference = "pil"
    _autosched_generation = 4

    def preprocess(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            if images is None or args:
                raise NotCoveredError("there are no images, or positional arguments after them")
            values = self._autosched_resolved(kwargs)
            if kwargs.get("input_data_format") is not None:
                raise NotCoveredError("input_data_format is given")
            layout = values.get("data_format", "channels_first")
            if getattr(layout, "value", layout) != "channels_first":
                raise NotCoveredError(f"data_format is {layout!r}")
            if not (values.get("do_rescale") or values.get("do_normalize")):
                raise NotCoveredError("neither do_rescale nor do_normalize is set, so the result is uint8")
            images, extra = self._autosched_fetched(images)
            return self._autosched_answer(images, values, extra)
        except NotCoveredError as reason:
            self._autosched_give_up(reason)
        return self._autosched_rounded(super().preprocess(images, *args, **kwargs))  # type: ignore[misc]

    def _autosched_fetched(self, images: Any) -> tuple[Any, tuple[list[int], ...]]:
        """The images of a call, addresses read, and the lengths of samples where the family has them.

        Where that fails, Hugging Face's own code is given what the call was given: it has errors of other arguments
        that come first, and warnings.
        """
        try:
            if self._autosched_family.samples:
                images, counts = _samples(images)
                return self.fetch_images(images), (counts,)  # type: ignore[attr-defined]
            return self.fetch_images(images), ()  # type: ignore[attr-defined]
        except Exception as error:
            raise NotCoveredError(f"the images are no images or addresses: {error}") from error

    def _autosched_resolved(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call, those that are None from the processor's attributes, as the slow processors do."""
        defaults = _defaults(self.autosched_original_class)
        unknown = sorted(kwargs.keys() - defaults.keys())
        if unknown:
            raise NotCoveredError(f"unknown arguments: {', '.join(unknown)}")
        resolved = {**defaults, **kwargs}
        for name, value in resolved.items():
            if value is None and name not in _NO_ATTRIBUTES:
                if not hasattr(self, name):
                    raise NotCoveredError(f"the processor has no {name}")
                resolved[name] = getattr(self, name)
        return resolved

    def _autosched_structure(self, images: Any) -> Sequence[Any]:
        from transformers.image_utils import make_flat_list_of_images, make_nested_list_of_images

        make = make_nested_list_of_images if self._autosched_family.nested else make_flat_list_of_images
        try:
            structure: Sequence[Any] = make(images)
        except Exception as error:
            raise NotCoveredError(f"the images are not a batch: {error}") from error
        samples = [sample if isinstance(sample, (list, tuple)) else [sample] for sample in structure]
        if len({not is_pil(image) and image.shape[0] == CHANNELS for sample in samples for image in sample}) > 1:
            # The layout of the first image is taken for that of all.
            raise NotCoveredError("some images have their channels first and some last")
        return structure

    def _autosched_pixels(self, image: Any, values: Mapping[str, Any]) -> Source:
        convert = bool(values.get("do_convert_rgb")) and self._autosched_family.slow_converts
        return slow_pixels(image, convert, self)


def slow_pixels(image: Any, convert: bool, processor: FamilyDropIn) -> Source:
    """What a slow processor of 4.57 reads of an image, made RGB before if it is to `convert` it."""
    family = processor._autosched_family
    if is_pil(image) and convert:
        image = _converter(processor.autosched_original_class)(image)
    kind: type = type(image)
    if not (is_plain(image) or (is_pillows(kind) and image.mode == "RGB")):
        raise NotCoveredError(f"{describe(image)} is not plain RGB")
    if is_pil(image) and image.height in family.slow_channels:
        # The slow processor guesses the layout of PIL images too, and takes these rows for channels.
        raise NotCoveredError(f"the image has {image.height} rows, which are read as channels")
    return as_pixels(image)


@lru_cache(maxsize=64)
def _converter(original: type) -> Callable[[Any], Any]:
    """What a slow processor makes images RGB with: what its module calls so, Pixtral's has a white background."""
    models = (base.__module__ for base in original.__mro__ if base.__module__.startswith("transformers.models."))
    found: Callable[[Any], Any] = sys.modules[next(models)].convert_to_rgb
    return found


def _samples(images: Any) -> tuple[Any, list[int]]:
    """The images without empty samples, and the length of each sample."""
    if not isinstance(images, (list, tuple)):
        return images, [1]
    if len(images) > 0 and isinstance(images[0], (list, tuple)):
        filled = [sample for sample in images if sample]
        if not filled:
            raise NotCoveredError("there are no images")
        return filled, [len(sample) for sample in filled]
    return images, [1] * len(images)


@lru_cache(maxsize=64)
def _defaults(original: type) -> dict[str, Any]:
    """The arguments of a slow processor's ``preprocess`` after the images, with their defaults."""
    parameters = list(inspect.signature(original.preprocess).parameters.values())[2:]  # type: ignore[attr-defined]
    return {p.name: p.default for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD}


_SHARED: Final = ("resize", "rescale", "normalize")
_PREPARED: Final = (
    "_preprocess_image_like_inputs",
    "_prepare_image_like_inputs",
    "_prepare_images_structure",
    "convert_to_rgb",
    "_preprocess",
)
_FUSED: Final = ("rescale_and_normalize", "_fuse_mean_std_and_rescale_factor")


@dataclass(frozen=True)
class _Shape:
    """What the classes of a form are called, a base that only they have, and the methods that the kernels replace."""

    suffix: str
    prefix: str
    module: str
    base: str
    replaced: tuple[str, ...]


#: By reference and generation.
_SHAPES: Final = {
    ("torchvision", 5): _Shape("", "", "", "TorchvisionBackend", (*_PREPARED, *_FUSED, "process_image")),
    ("pil", 5): _Shape("Pil", "pil_", "", "PilBackend", (*_PREPARED, "process_image")),
    ("torchvision", 4): _Shape("Fast", "", "_fast", "BaseImageProcessorFast", (*_PREPARED, *_FUSED, "_process_image")),
    ("pil", 4): _Shape("", "", "", "BaseImageProcessor", ("preprocess",)),
}
FORMS: Final = (Torchvision5, Pil5, Fast4, Slow4)


def supports(
    model: str,
    name: str,
    family: type[Family],
    methods: Sequence[str] = (),
    forms: Sequence[type[FamilyDropIn]] = FORMS,
) -> tuple[Support, ...]:
    """The entries of a family in all its forms.

    Args:
        model: the folder in ``transformers.models``.
        name: class name of the 5.x torchvision processor, such as ``CLIPImageProcessor``.
        family: what is computed.
        methods: further methods that the kernels replace, where a form has them.
        forms: what is placed before the class of each form.
    """
    made = []
    for form in forms:
        shape = _SHAPES[form._autosched_reference, form._autosched_generation]
        mixin = type(f"{family.__name__}{form.__name__}", (form,), {"__slots__": (), "_autosched_family": family})
        made.append(
            Support(
                name=name + shape.suffix,
                module=f"transformers.models.{model}.image_processing_{shape.prefix}{model}{shape.module}",
                base=shape.base,
                mixin=mixin,
                replaced=shape.replaced,
                optional=(*_SHARED, *methods),
            )
        )
    return tuple(made)
