"""Projects for the tests of the store, and pictures to put into them."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.store.database import Store, create_store
from workbench.store.images import NewImage, add_images

SIZE = (24, 32)  # height, width


def png(number: int, size: tuple[int, int] = SIZE) -> bytes:
    """The bytes of a picture that differs from those of other numbers."""
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[0, 0] = [number % 256, number // 256 % 256, number // 65536]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def new_image(number: int, **fields: object) -> NewImage:
    """A picture to add, called by its number."""
    values = {"name": f"{number}.png", "data": png(number), "suffix": ".png", "image_size": SIZE}
    return NewImage(**(values | fields))


MakeStore = Callable[..., Store]


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[MakeStore]:
    """A function that creates a project with so many images, and gives its store."""
    stores: list[Store] = []

    def make(task: str = "detection", classes: tuple[str, ...] = ("screw", "nut"), images: int = 0):
        classes = () if task == "anomaly" else classes
        store = create_store(tmp_path / f"project {len(stores)}", task, classes)
        stores.append(store)
        if images:
            add_images(store, [new_image(n) for n in range(images)])
        return store

    yield make
    for store in stores:
        store.close()


@pytest.fixture(scope="session")
def pictures() -> Callable[..., NewImage]:
    """The function that makes pictures to add."""
    return new_image
