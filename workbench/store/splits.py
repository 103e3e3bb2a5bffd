"""Dividing images over train, dev and test, stratified by what their labels hold."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa

from ..errors import InvalidSetting
from . import schema
from .database import Store, reading, writing

SPLITS = ("train", "dev", "test")
# With few images: the first of a class teaches, the second measures, the third tunes.
_FIRST_SERVED = ("train", "test", "dev")


@dataclass
class Group:
    """The images that hold one class, or that are unlabeled, or that hold nothing.

    missing: how many images of the group each split still needs.
    """

    members: list[int] = field(default_factory=list)
    fractions: Mapping[str, float] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)


def check_split(split: Any) -> None:
    """Raise InvalidSetting unless it is 'train', 'dev', 'test' or None."""
    if split is not None and split not in SPLITS:
        raise InvalidSetting(f"A split is 'train', 'dev', 'test' or None for none, not {split!r}.")


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Raise InvalidSetting unless the fractions are 0..1 and add up to 1."""
    if not all(0 <= value <= 1 for value in fractions.values()):
        raise InvalidSetting(f"Fractions of a split are between 0 and 1, not {dict(fractions)}.")
    total = sum(fractions.values())
    if abs(total - 1) > 1e-6:
        raise InvalidSetting(
            f"train, dev and test add up to {total:g}, but must add up to 1. Give all three: "
            "project.split(train=0.8, dev=0, test=0.2)."
        )


def split_images(
    store: Store, fractions: Mapping[str, float], seed: int = 0, reassign: bool = False
) -> dict[str, int]:
    """Give images a split, and return how many each split has now.

    Images that have one keep it unless reassign. In an anomaly project abnormal images go to dev
    and test only, since training takes normal ones alone. Same images, labels, seed: same splits.
    """
    check_fractions(fractions)
    with writing(store) as connection:
        splits, groups = _read_groups(store, connection, fractions)
        fixed = {} if reassign else {i: split for i, split in splits.items() if split is not None}
        assigned = assign_splits(groups, fixed, seed)
        changes = [
            {"image": image_id, "to": split}
            for image_id, split in assigned.items()
            if split != splits[image_id]
        ]
        if changes:
            table = schema.images
            query = sa.update(table).where(table.c.id == sa.bindparam("image"))
            query = query.values(split=sa.bindparam("to"))
            connection.execute(query, changes)
    return count_splits(store)


def count_splits(store: Store) -> dict[str, int]:
    """Return how many images each split has."""
    table = schema.images
    query = sa.select(table.c.split, sa.func.count()).where(table.c.is_removed == sa.false())
    with reading(store) as connection:
        counts = {row[0]: row[1] for row in connection.execute(query.group_by(table.c.split))}
    return {split: counts.get(split, 0) for split in SPLITS}


def _read_groups(
    store: Store, connection: sa.Connection, fractions: Mapping[str, float]
) -> tuple[dict[int, str | None], list[Group]]:
    """Return {image id: split} and the groups to divide: one a class, unlabeled, nothing there."""
    images, items = schema.images, schema.label_items
    query = sa.select(images.c.id, images.c.split, images.c.label_state)
    rows = connection.execute(query.where(images.c.is_removed == sa.false()).order_by(images.c.id))
    groups: dict[str | int, Group] = {}
    splits: dict[int, str | None] = {}
    for image_id, split, state in rows:
        splits[image_id] = split
        if state != "labeled":
            groups.setdefault(state, Group(fractions=fractions)).members.append(image_id)
    abnormal = _find_abnormal(store, connection)
    order = sa.select(items.c.class_id, items.c.image_id).order_by(*items.primary_key.columns)
    for class_id, image_id in connection.execute(order):
        wanted = _without_train(fractions) if class_id == abnormal else fractions
        groups.setdefault(class_id, Group(fractions=wanted)).members.append(image_id)
    return splits, list(groups.values())


def _find_abnormal(store: Store, connection: sa.Connection) -> int | None:
    """Return the id of an anomaly project's class "abnormal", or None in other projects."""
    if store.task != "anomaly":
        return None
    table = schema.classes
    return connection.execute(sa.select(table.c.id).where(table.c.name == "abnormal")).scalar()


def _without_train(fractions: Mapping[str, float]) -> dict[str, float]:
    """Return the fractions of what must not be trained on; halves when all was for training."""
    total = fractions["dev"] + fractions["test"]
    if total == 0:
        return {"train": 0.0, "dev": 0.5, "test": 0.5}
    return {"train": 0.0, "dev": fractions["dev"] / total, "test": fractions["test"] / total}


def assign_splits(
    groups: Sequence[Group], fixed: Mapping[int, str], seed: int = 0
) -> dict[int, str]:
    """Return {image id: split} for every image that is not fixed.

    Rare classes first, each image to the split that misses the class most. Source: Sechidis,
    Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data" (2011), iterative
    stratification; the smallest classes are served in the order train, test, dev.
    """
    generator = np.random.default_rng(seed)
    for group in groups:
        _count_missing(group, fixed)
    groups_of: dict[int, list[Group]] = {}
    for group in groups:
        for image_id in group.members:
            groups_of.setdefault(image_id, []).append(group)
    assigned: dict[int, str] = {}
    # sorted() keeps the order of equally rare groups, so that the seed alone decides.
    for group in sorted(groups, key=lambda group: len(group.members)):
        left = [i for i in sorted(group.members) if i not in fixed and i not in assigned]
        for position in generator.permutation(len(left)):
            image_id = left[position]
            split = _choose(group, groups_of[image_id])
            assigned[image_id] = split
            for other in groups_of[image_id]:
                other.missing[split] -= 1
    return assigned


def _count_missing(group: Group, fixed: Mapping[int, str]) -> None:
    """Fill in how many of the group's free images each split gets: as far as it falls short.

    A split that is over-full already, such as a test split that came with the images, takes nothing
    from the others: they share what is free by how much each lacks.
    """
    have = Counter(fixed[image_id] for image_id in group.members if image_id in fixed)
    count, free = len(group.members), len(group.members) - have.total()
    lacks = {split: max(0.0, group.fractions[split] * count - have[split]) for split in SPLITS}
    total = sum(lacks.values())
    shares = {split: lack / total for split, lack in lacks.items()} if total else group.fractions
    group.missing = _share(free, shares)


def _share(count: int, fractions: Mapping[str, float]) -> dict[str, int]:
    """Return how many of count images each split gets: whole numbers that add up to count.

    Every split with a fraction gets one before any gets its second, as far as there are images.
    """
    open_splits = [split for split in _FIRST_SERVED if fractions[split] > 0]
    shares = dict.fromkeys(SPLITS, 0)
    for split in open_splits[:count]:
        shares[split] = 1
    for _ in range(count - sum(shares.values())):
        shares[max(open_splits, key=lambda s: fractions[s] * count - shares[s])] += 1
    return shares


def _choose(group: Group, holders: Sequence[Group]) -> str:
    """Return the split that misses the group most; among equals, that misses its other classes."""
    allowed = [
        split for split in _FIRST_SERVED if all(holder.fractions[split] > 0 for holder in holders)
    ] or [split for split in _FIRST_SERVED if group.fractions[split] > 0]
    return max(
        allowed,
        key=lambda split: (group.missing[split], sum(h.missing[split] for h in holders)),
    )
