"""What every engine room must do: learn, export, and say the same by ONNX Runtime as by torch."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from workbench import samples
from workbench.engine.data import ScaledImages, labeled_examples, normalise, to_tensor
from workbench.engine.export import collect_facts, export_network, write_card
from workbench.engine.monitor import Monitor
from workbench.engine.worker import find_room
from workbench.model import Model
from workbench.tasks import TASKS, find_task
from workbench.tasks.framing import cut_inputs, make_frames

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=list(TASKS))
def trained(request, tmp_path_factory):
    """A room's model after a few steps on a small sample, and what it was trained on."""
    home = tmp_path_factory.mktemp(request.param)
    project = samples.create(request.param, home, count=20)
    snapshot = project.snapshot("trained")
    room = find_room(request.param)
    settings = replace(room.PRESETS["fast"], input_size=128, batch_size=2, epochs=1, max_memory=50)
    examples = labeled_examples(snapshot, "train")
    framing = room.choose_framing(examples, settings)
    model = room.build_model(snapshot.classes, settings)
    dev = labeled_examples(snapshot, "dev")
    torch.manual_seed(0)
    room.train(model, examples, dev, snapshot.classes, framing, settings, Monitor(home))
    return room, model, snapshot, settings, framing, examples, home


@pytest.fixture(scope="module")
def exported(trained):
    _, model, snapshot, settings, framing, _, home = trained
    export_network(model, home)
    facts = collect_facts(model, snapshot, settings, "fast", {})
    write_card(model, snapshot, framing, 0.5, facts, home)
    return Model(home)


def test_onnx_agrees_with_torch(trained, exported):
    _, model, _, _, framing, examples, _ = trained
    for example in examples[:3]:
        image = example.read_image()
        for scaled in (image, image[: image.shape[0] // 2]):
            frames = make_frames(scaled.shape[:2], framing)
            for outputs, cut in zip(
                exported.run_network(scaled, frames), cut_inputs(scaled, frames)
            ):
                with torch.inference_mode():
                    wanted = model(normalise(to_tensor(cut)[None]))
                for name, value in zip(model.output_names, wanted):
                    np.testing.assert_allclose(
                        outputs[name], value[0].numpy(), atol=2e-3, rtol=2e-3
                    )


def test_prediction_is_of_the_task_and_the_image(trained, exported):
    _, _, snapshot, _, _, examples, _ = trained
    task = find_task(snapshot.task)
    prediction = exported.predict(examples[0].read_image())
    assert isinstance(prediction, task.prediction_type)
    record, arrays = task.room.pack_prediction(prediction)
    assert task.room.unpack_prediction(record, arrays) == prediction


def test_samples_are_varied_with_their_labels(trained):
    room, _, snapshot, settings, framing, examples, _ = trained
    images = ScaledImages(examples, framing, partial(room.make_target, classes=snapshot.classes))
    make_sample = room.build_sampler(examples, framing, settings)
    torch.manual_seed(1)
    first, target = make_sample(*images[0])
    again, _ = make_sample(*images[0])
    assert first.dtype == torch.uint8 and first.shape[0] == 3
    label = room.make_label(target, snapshot.classes)
    find_task(snapshot.task).room.check_label(label, tuple(first.shape[1:]), snapshot.classes)
    if snapshot.task != "anomaly":  # its memory must hold what normal images are, and no more
        assert not torch.equal(first, again)


def test_threshold_without_images_is_a_number(trained):
    room, _, snapshot, *_ = trained
    assert 0 <= room.choose_threshold([], [], snapshot.classes) <= 1
