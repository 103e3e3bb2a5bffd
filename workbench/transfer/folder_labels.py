"""The labels that folders say of the images in them, while these stream in."""

from typing import Any

from ..errors import InvalidSetting, WorkbenchError
from ..formats.folders import is_mask_name, make_mask_key, tell_class, tell_verdict
from ..formats.masks import read_anomaly_mask
from ..store.database import Store
from ..store.images import find_image_by_name
from ..store.labels import read_label, write_label
from ..tasks.anomaly import AnomalyLabel
from ..tasks.classification import ClassLabel
from .batches import check_fit, try_classes
from .import_report import ImportReport


class FolderLabels:
    """Makes a label of each name; keeps MVTec's masks until their images have come."""

    def __init__(self, store: Store, report: ImportReport, author: str | None) -> None:
        if store.task not in ("classification", "anomaly"):
            raise InvalidSetting(
                f"Folders cannot say where things are in the images of a {store.task} project: "
                "add the images without labels_from_folders, then use project.import_labels()."
            )
        self.store, self.report, self.author = store, report, author
        self._masks: dict[str, tuple[str, bytes]] = {}
        self._waiting: dict[str, str] = {}

    def is_mask(self, name: str) -> bool:
        """Tell whether a file is a mask in MVTec's ground_truth/ and no image."""
        return self.store.task == "anomaly" and is_mask_name(name)

    def keep_mask(self, name: str, data: bytes) -> None:
        """Keep the bytes of a mask until its image comes, or came."""
        key = make_mask_key(name)
        if key is not None:
            self._masks[key] = (name, data)

    def make_label(self, name: str, image_size: tuple[int, int]) -> Any:
        """Return the label that the folders in a name say, or None; the class is added."""
        if self.store.task == "anomaly":
            return self._make_verdict(name, image_size)
        class_name = tell_class(name)
        if class_name is None:
            return None
        fault = try_classes(self.store, [class_name])
        if fault is not None:
            self.report.notes.append((name, f"stays unlabeled: {fault}"))
            return None
        return ClassLabel(class_name)

    def _make_verdict(self, name: str, image_size: tuple[int, int]) -> AnomalyLabel | None:
        """Return the verdict of a name, with its mask if that has come."""
        verdict = tell_verdict(name)
        if verdict is None:
            return None
        key = make_mask_key(name)
        if verdict == "abnormal" and key is not None:
            self._waiting[key] = name
            return self._take_mask(key, image_size) or AnomalyLabel(verdict)
        return AnomalyLabel(verdict)

    def _take_mask(self, key: str, image_size: tuple[int, int]) -> AnomalyLabel | None:
        """Return the label with the mask of a key; None where there is none that fits."""
        if key not in self._masks:
            return None
        mask_name, data = self._masks.pop(key)
        self._waiting.pop(key, None)
        try:
            label = AnomalyLabel("abnormal", read_anomaly_mask(data, image_size).mask)
            check_fit(self.store, label, image_size)
        except WorkbenchError as error:
            self.report.rejected.append((mask_name, str(error)))
            return None
        return label

    def finish(self) -> None:
        """Write the masks that came after their images; report those that belong to none."""
        for key in list(self._masks):
            if key not in self._waiting:
                name = self._masks[key][0]
                self.report.rejected.append((name, "there is no abnormal image for this mask."))
                continue
            row = find_image_by_name(self.store, self._waiting[key])
            label = self._take_mask(key, row.image_size)
            current = read_label(self.store, row.id)
            if label is not None and current == AnomalyLabel("abnormal"):
                write_label(self.store, row.id, label, self.author)
