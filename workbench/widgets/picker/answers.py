"""What the picker's browser side asks for: each answer is a dict and some buffers.

An answer may say `code`: the line that does the same in Python.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InvalidSetting
from ...project import Project
from ...project_list import delete_project, restore_project
from ...samples import find_sample
from ...store.project_folders import free_folder
from .cards import describe_project, read_thumbnail
from .types import GUIDE, describe_types

if TYPE_CHECKING:
    from .picker import ProjectPicker

THUMBNAILS = 60  # at most in one answer
NEWEST = 8  # images of the chosen project that are shown

Params = Mapping[str, Any]
Answer = tuple[dict[str, Any], list[bytes]]


def answer_start(picker: "ProjectPicker", params: Params) -> Answer:
    """Return all that a view shows first: the cards, the chosen project, the work in progress."""
    chosen = None if picker.project is None else describe_project(picker.project)
    job = None if picker.job is None else picker.job.describe()
    return {**describe_home(picker), "project": chosen, "job": job}, []


def describe_home(picker: "ProjectPicker") -> dict[str, Any]:
    """Return the cards, and how many projects the trash holds."""
    cards = picker.cards
    return {"home": str(picker.home), "cards": cards.read(), "deleted": cards.count_deleted()}


def answer_thumbnails(picker: "ProjectPicker", params: Params) -> Answer:
    """Return a JPEG for each key, b"" for a project without images."""
    keys = [str(key) for key in params["keys"]][:THUMBNAILS]
    return {"keys": keys}, [picker.cards.read_thumbnail(key) for key in keys]


def answer_newest(picker: "ProjectPicker", params: Params) -> Answer:
    """Return the newest images of the chosen project, names and small JPEGs."""
    if picker.project is None:
        return {"images": []}, []
    images = picker.project.images
    start = max(len(images) - NEWEST, 0)
    found = [(image.name, read_thumbnail(image)) for image in images.page(start, NEWEST)][::-1]
    return {"images": [name for name, _ in found]}, [data for _, data in found]


def answer_types(picker: "ProjectPicker", params: Params) -> Answer:
    """Return the tiles of the four project types, the guide, and a picture for each tile."""
    tiles, pictures = describe_types()
    return {"tiles": tiles, "guide": GUIDE}, pictures


def answer_create(picker: "ProjectPicker", params: Params) -> Answer:
    """Create a project and choose it."""
    classes = [str(name) for name in params.get("classes") or []]
    project = picker.create(str(params["name"]), str(params["task"]), classes)
    given = f", classes={classes!r}" if classes else ""
    code = f"project = wb.Project.create({str(project.path)!r}, task={project.task!r}{given})"
    return {"code": code}, []


def answer_sample(picker: "ProjectPicker", params: Params) -> Answer:
    """Start to draw a sample project, which is chosen when it is there."""
    sample = find_sample(str(params["sample"]))
    picker.start_sample(sample.name)
    return {"code": f"project = wb.samples.create({sample.name!r}, {str(picker.home)!r})"}, []


def answer_open(picker: "ProjectPicker", params: Params) -> Answer:
    """Choose the project of a card, or of a path."""
    key = params.get("key")
    path = str(params["path"]) if key is None else picker.cards.find_folder(str(key))
    project = picker.choose(path)
    return {"code": f"project = wb.Project.open({str(project.path)!r})"}, []


def answer_rename(picker: "ProjectPicker", params: Params) -> Answer:
    """Call a project by another name."""
    name = str(params["name"]).strip()
    with Project.open(picker.cards.find_folder(str(params["key"]))) as project:
        project.name = name
    return {**describe_home(picker), "code": f"project.name = {name!r}"}, []


def answer_copy(picker: "ProjectPicker", params: Params) -> Answer:
    """Start to copy a project, or to make a segmentation project of it, under another name."""
    source = picker.cards.find_folder(str(params["key"]))
    name = str(params["name"]).strip()
    target = picker.find_target(name)
    if params.get("act") == "make_segmentation":
        outline = bool(params.get("outline"))
        picker.start_conversion(source, target, name, outline)
        return {"code": f"project.make_segmentation({str(target)!r}, outline={outline})"}, []
    picker.start_copy(source, target, name)
    return {"code": f"project.copy({str(target)!r})"}, []


def answer_free_name(picker: "ProjectPicker", params: Params) -> Answer:
    """Return a name that no project has, made from one."""
    return {"name": free_folder(picker.home, picker.find_target(str(params["name"])).name).name}, []


def answer_delete(picker: "ProjectPicker", params: Params) -> Answer:
    """Move a project to the trash."""
    folder = picker.cards.find_folder(str(params["key"]))
    picker.let_go(folder)
    delete_project(folder)
    return {**describe_home(picker), "code": f"wb.delete_project({str(folder)!r})"}, []


def answer_deleted(picker: "ProjectPicker", params: Params) -> Answer:
    """Return the projects in the trash."""
    return {"rows": picker.cards.read_deleted()}, []


def answer_restore(picker: "ProjectPicker", params: Params) -> Answer:
    """Bring a project back from the trash."""
    folder = picker.cards.find_deleted(str(params["key"]))
    restore_project(folder).close()
    return {**describe_home(picker), "code": f"wb.restore_project({str(folder)!r})"}, []


def answer_delete_for_good(picker: "ProjectPicker", params: Params) -> Answer:
    """Delete the files of a project in the trash."""
    folder = picker.cards.find_deleted(str(params["key"]))
    delete_project(folder, for_good=True)
    return {
        **describe_home(picker),
        "code": f"wb.delete_project({str(folder)!r}, for_good=True)",
    }, []


def answer_import(picker: "ProjectPicker", params: Params) -> Answer:
    """Start to import from a path of the machine that the kernel runs on."""
    path = str(params.get("path") or "").strip()
    if not path:
        raise InvalidSetting("Say which file, folder or archive to import, or drop photos here.")
    split, labels = params.get("split") or None, str(params.get("labels") or "none")
    picker.start_import([str(Path(path).expanduser())], split, labels)
    given = f", split={split!r}" if split else ""
    given += ", labels_from_folders=True" if labels == "folders" else ""
    lines = [f"project.add_images({path!r}{given})"]
    lines += [f"project.import_labels({path!r})"] if labels == "files" else []
    return {"code": "\n".join(lines)}, []


def answer_upload(picker: "ProjectPicker", params: Params) -> Answer:
    """Take one chunk of a file that was dropped."""
    data = bytes(params["data"])
    uploads = picker.find_uploads(str(params["upload"]))
    number, offset = int(params["number"]), int(params["offset"])
    return {"taken": uploads.write(number, str(params["file"]), offset, data)}, []


def answer_import_upload(picker: "ProjectPicker", params: Params) -> Answer:
    """Start to import what was dropped."""
    picker.import_upload(
        str(params["upload"]), params.get("split") or None, str(params.get("labels") or "none")
    )
    return {"code": ""}, []  # no line of Python reads a browser's files


def answer_drop_upload(picker: "ProjectPicker", params: Params) -> Answer:
    """Forget what was dropped."""
    picker.drop_upload(str(params["upload"]))
    return {}, []


def answer_stop(picker: "ProjectPicker", params: Params) -> Answer:
    """Stop the work in progress; what came in stays."""
    if picker.job is not None:
        picker.job.stop()
    return {}, []


ANSWERS: dict[str, Callable[["ProjectPicker", Params], Answer]] = {
    "start": answer_start,
    "thumbnails": answer_thumbnails,
    "newest": answer_newest,
    "types": answer_types,
    "create": answer_create,
    "sample": answer_sample,
    "open": answer_open,
    "rename": answer_rename,
    "copy": answer_copy,
    "free_name": answer_free_name,
    "delete": answer_delete,
    "deleted": answer_deleted,
    "restore": answer_restore,
    "delete_for_good": answer_delete_for_good,
    "import": answer_import,
    "upload": answer_upload,
    "import_upload": answer_import_upload,
    "drop_upload": answer_drop_upload,
    "stop": answer_stop,
}
