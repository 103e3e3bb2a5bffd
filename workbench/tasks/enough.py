"""Whether there is enough to learn from: what several rooms ask alike."""

from collections.abc import Mapping

from ..errors import NotEnoughLabels


def check_every_class(images_per_class: Mapping[str, int]) -> None:
    """Raise NotEnoughLabels unless every class occurs in a labeled image of the train split."""
    if not images_per_class:
        raise NotEnoughLabels("The project has no classes yet; add one with project.add_class().")
    for name, count in images_per_class.items():
        if not count:
            raise NotEnoughLabels(
                f"Class {name!r} has no labeled image in the train split: label one or more, move "
                f"some there with project.split(reassign=True), or remove it with "
                f"project.remove_class({name!r})."
            )
