"""All errors that a person can cause, in one tree; each also derives from the built-in that fits.

WorkbenchError
├── ProjectNotFound (FileNotFoundError)   there is no project in that folder
├── ProjectExists (FileExistsError)       the folder already holds something
├── ProjectVersionError (ValueError)      the project was written by a newer version
├── UnknownTask (ValueError)              not one of the project types
├── UnknownClass (ValueError)             the project has no class of that name
├── ClassExists (ValueError)              the project already has a class of that name
├── ClassInUse (ValueError)               labels still use the class that should go
├── ImageNotFound (LookupError)           the project has no such image
├── SourceNotFound (FileNotFoundError)    nothing to import, predict or read under that path
├── UnreadableImage (ValueError)          the bytes are not an image that can be used
├── UnsupportedFormat (ValueError)        a label or export format that is not known
├── InvalidLabel (ValueError)             the label does not fit the task, the image or the classes
├── LabelConflict (RuntimeError)          somebody else changed the label in the meantime
├── InvalidSetting (ValueError)           an argument outside of what is allowed
├── StorageFailed (OSError)               the disk is full or cannot be written
├── NotEnoughLabels (ValueError)          too little is labeled to train or to measure
├── RunNotFound (LookupError)             the project has no such run
├── RunNotFinished (RuntimeError)         the run has no model yet
├── UnknownFigure (KeyError)              the report has no figure of that name
├── RunFailed (RuntimeError)              training stopped with an error
└── InvalidModel (ValueError)             the folder holds no model that can be run
"""


class WorkbenchError(Exception):
    """The parent of every error that a person can cause: one sentence that says what to do."""

    def __str__(self) -> str:
        """Return the sentence as it is: LookupError's children would put it in quotes."""
        return " ".join(str(part) for part in self.args)


class ProjectNotFound(WorkbenchError, FileNotFoundError):
    """There is no project in the folder that was named."""


class ProjectExists(WorkbenchError, FileExistsError):
    """The folder for a new project already holds a project or other files."""


class ProjectVersionError(WorkbenchError, ValueError):
    """The project was written by a newer version of the workbench."""


class UnknownTask(WorkbenchError, ValueError):
    """The name is not one of the project types."""


class UnknownClass(WorkbenchError, ValueError):
    """The project has no class of that name."""


class ClassExists(WorkbenchError, ValueError):
    """The project already has a class of that name."""


class ClassInUse(WorkbenchError, ValueError):
    """A class cannot be removed, because labels still use it."""


class ImageNotFound(WorkbenchError, LookupError):
    """The project has no image of that name or id."""


class SourceNotFound(WorkbenchError, FileNotFoundError):
    """There is nothing to read under the path that was named."""


class UnreadableImage(WorkbenchError, ValueError):
    """The bytes are not an image that can be used: truncated, empty, disguised or too large."""


class UnsupportedFormat(WorkbenchError, ValueError):
    """A label or export format that is not known, not recognised, or not made for this task."""


class InvalidLabel(WorkbenchError, ValueError):
    """The label does not fit the task, the image's size or the project's classes."""


class LabelConflict(WorkbenchError, RuntimeError):
    """The label was changed by somebody else since it was read."""


class InvalidSetting(WorkbenchError, ValueError):
    """An argument is outside of what is allowed."""


class StorageFailed(WorkbenchError, OSError):
    """A file of the project could not be written: the disk is full, read-only or gone."""


class NotEnoughLabels(WorkbenchError, ValueError):
    """Too little is labeled to train a model, or to measure one."""


class RunNotFound(WorkbenchError, LookupError):
    """The project has no run of that name."""


class RunNotFinished(WorkbenchError, RuntimeError):
    """The run has no model yet."""


class UnknownFigure(WorkbenchError, KeyError):
    """The report has no figure of that name."""


class RunFailed(WorkbenchError, RuntimeError):
    """Training ended with an error; the message is the run's own."""


class InvalidModel(WorkbenchError, ValueError):
    """The folder does not hold a model that this version can run."""
