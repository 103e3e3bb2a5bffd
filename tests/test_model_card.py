"""model.json: what is read back, and what is refused with a reason."""

import json

import pytest

from workbench.errors import InvalidModel
from workbench.model_card import CARD, FORMAT, NETWORK, ModelCard, read_card
from workbench.tasks.framing import Framing

ONES = (1.0, 1.0, 1.0)


def write_card(folder, **changes):
    """Write a model whose card has these changes, and return the card as it was."""
    framing = Framing((64, 96), 0.5, 32, is_mirrored=True, is_whole=True)
    card = ModelCard("classification", ("a",), ("#ff0000",), framing, ONES, ONES, ("logits",), 0.5)
    record = json.loads(card.to_json())
    record["framing"] |= changes.pop("framing", {})
    (folder / NETWORK).write_bytes(b"network")
    (folder / CARD).write_text(json.dumps(record | changes))
    return card


def test_a_card_comes_back_as_it_was(tmp_path):
    assert write_card(tmp_path) == read_card(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": FORMAT + 1}, "newer version"),
        ({"task": "sorting"}, "is damaged"),
        ({"threshold": float("nan")}, "is damaged"),
        ({"framing": {"is_stretched": True}}, "{folder}.*train it again"),
    ],
)
def test_a_card_that_cannot_be_used_says_why(tmp_path, changes, said):
    write_card(tmp_path, **changes)
    with pytest.raises(InvalidModel, match=said.format(folder=tmp_path)):
        read_card(tmp_path)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(InvalidModel, match=f"{NETWORK} is missing"):
        read_card(tmp_path)
