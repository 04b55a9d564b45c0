"""Every failure has a class, the server's own words, and what is needed to follow it up."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest
import requests

import smartdc
from smartdc import errors
from smartdc.http.failures import class_for

PROTOCOL = {
    (400, "InvalidHeader"): errors.InvalidHeader,
    (400, "RequestExpired"): errors.RequestExpired,
    (400, "InvalidVersion"): errors.InvalidVersion,
    (400, "InvalidContent"): errors.BadRequest,
    (400, "BadDigest"): errors.BadRequest,
    (400, "BadRequestError"): errors.BadRequest,
    (400, "MachineHasNoVNCError"): errors.BadRequest,
    (400, "MachineStoppedError"): errors.MachineNotReady,
    (400, "UpgradeRequiredError"): errors.BadRequest,
    (401, "InvalidCredentials"): errors.InvalidCredentials,
    (403, "NotAuthorized"): errors.NotAuthorized,
    (403, "Forbidden"): errors.NotAuthorized,
    (404, "ResourceNotFound"): errors.ResourceNotFound,
    (404, "VolumeNotFound"): errors.ResourceNotFound,
    (405, "MethodNotAllowedError"): errors.MethodNotAllowed,
    (406, "NotAcceptableError"): errors.APIError,
    (409, "InvalidArgument"): errors.InvalidArgument,
    (409, "MissingParameter"): errors.MissingParameter,
    (409, "ValidationFailed"): errors.ValidationFailed,
    (409, "UnallocatedVM"): errors.MachineNotReady,
    (409, "VmNotStopped"): errors.MachineNotReady,
    (409, "VmNotRunning"): errors.MachineNotReady,
    (409, "BrandNotSupported"): errors.Conflict,
    (409, "InsufficientDiskSpace"): errors.Conflict,
    (409, "VmWithoutFlexibleDiskSize"): errors.Conflict,
    (409, "KeyRequired"): errors.KeyRequired,
    (409, "InvalidFabricPackage"): errors.Conflict,
    (409, "CannotDestroyMachineError"): errors.DeletionProtected,
    (409, "DefaultFabricNetworkNotConfiguredError"): errors.Conflict,
    (409, "ImageUuidAlreadyExists"): errors.Conflict,
    (409, "VolumeAlreadyExists"): errors.Conflict,
    (409, "VolumeInUse"): errors.InUse,
    (409, "VolumeSizeNotAvailable"): errors.Conflict,
    (409, "InvalidNetworks"): errors.Conflict,
    (409, "ValidationError"): errors.Conflict,
    (410, ""): errors.Gone,
    (412, "PreconditionFailed"): errors.PreconditionFailed,
    (413, "PayloadTooLargeError"): errors.PayloadTooLarge,
    (415, "UnsupportedMediaTypeError"): errors.APIError,
    (422, "InvalidParameters"): errors.InvalidParameters,
    (422, "InvalidParameter"): errors.InvalidParameters,
    (422, "ValidationFailed"): errors.ValidationFailed,
    (422, "NotImageOwner"): errors.InvalidParameters,
    (422, "ImageHasDependentImages"): errors.InUse,
    (429, "TooManyRequestsError"): errors.Throttled,
    (420, "RequestThrottled"): errors.Throttled,
    (500, "InternalError"): errors.ServerError,
    (500, "CloudApiError"): errors.ServerError,
    (500, ""): errors.ServerError,
    (501, "NotImplementedError"): errors.NotSupported,
    (501, "NotAvailable"): errors.NotSupported,
    (503, "ServiceUnavailableError"): errors.ServiceUnavailable,
    (503, "ServiceUnavailable"): errors.ServiceUnavailable,
    (503, "DataVersion"): errors.ServiceUnavailable,
    (503, "StorageIsDown"): errors.ServiceUnavailable,
    (507, "SubnetFull"): errors.OutOfAddresses,
    (302, "ResourceMoved"): errors.Redirected,
    (499, "Odd"): errors.APIError,
    (599, "Odd"): errors.ServerError,
}


@pytest.mark.parametrize(("status", "code"), PROTOCOL)
def test_every_status_and_code_has_its_class(status: int, code: str) -> None:
    """A caller can catch by class whatever CloudAPI says."""
    assert class_for(status, code) is PROTOCOL[status, code]


def test_a_code_is_believed_only_as_far_as_it_refines_its_status() -> None:
    """A server error that claims to be a missing thing stays a server error."""
    assert class_for(500, "ResourceNotFound") is errors.ServerError


def test_a_duplicate_name_is_told_from_other_validation_errors() -> None:
    """The fields decide, since the text is the same for both."""
    taken = [{"field": "alias", "code": "Duplicate"}]
    malformed = [{"field": "alias", "code": "Invalid"}]

    assert class_for(409, "ValidationFailed", taken) is errors.NameTaken
    assert class_for(409, "ValidationFailed", malformed) is errors.ValidationFailed


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    """What the module draws at its top is what it defines."""
    drawn: dict[str, str] = {}
    stack = ["SmartDCError"]
    for line in (inspect.getdoc(errors) or "").splitlines():
        if match := re.match(r"    ([│ ]*)[├└]── (\w+)", line):
            depth = len(match[1]) // 4 + 1
            stack[depth:] = [match[2]]
            drawn[match[2]] = stack[depth - 1]
    public = {name: getattr(errors, name) for name in errors.__all__ if name[0].isupper()}
    defined = {
        name: next(base.__name__ for base in cls.__mro__[1:] if base in public.values())
        for name, cls in public.items()
        if name != "SmartDCError"
    }

    assert drawn == defined


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name[0].isupper()])
def test_every_error_is_a_smartdc_error(name: str) -> None:
    """One except clause catches all."""
    assert issubclass(getattr(errors, name), errors.SmartDCError)


def test_old_except_clauses_still_work() -> None:
    """Scripts that caught what requests raised go on catching it."""
    assert issubclass(errors.APIError, requests.HTTPError)
    assert issubclass(errors.BadResponse, requests.RequestException)
    assert issubclass(errors.CreateOutcomeUnknown, requests.RequestException)
    assert issubclass(errors.TransportError, requests.ConnectionError)
    assert issubclass(errors.CallTimeout, requests.Timeout)
    assert issubclass(errors.CallTimeout, TimeoutError)
    assert issubclass(errors.InputError, ValueError)
    assert issubclass(errors.WaitTimeout, TimeoutError)


def test_an_error_survives_pickling_without_what_is_private() -> None:
    """What travels to another process is the text and the facts, not the body or the response."""
    error = errors.ValidationFailed("no", method="POST", path="/my/machines", request_id="r-1", attempts=2)
    error.status, error.code, error.data = 409, "ValidationFailed", {"metadata": {"user-script": "secret"}}
    error.response = requests.Response()

    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)

    assert (twin.status, twin.code, twin.method, twin.request_id, twin.attempts) == (
        409,
        "ValidationFailed",
        "POST",
        "r-1",
        2,
    )
    assert str(twin) == str(error)
    assert twin.data is None
    assert b"secret" not in pickle.dumps(error)


def test_a_wait_error_survives_pickling() -> None:
    """The reason travels, the live machine does not."""
    error = errors.WaitFailed("no", resource=object(), reason={"action": "start", "success": "no"})  # type: ignore[arg-type]

    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)

    assert (str(twin), twin.resource, twin.reason) == ("no", None, {"action": "start", "success": "no"})


@pytest.mark.parametrize("kind", [errors.WaitTimeout, errors.DoubledCreate, errors.CallTimeout])
def test_notes_survive_pickling(kind: type[errors.SmartDCError]) -> None:
    """What was noted about an error, such as which machine was made before, travels with it."""
    error = kind("no")
    error.add_note("a machine was made before")

    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)

    assert twin.__notes__ == ["a machine was made before"]


def test_the_front_door_is_complete() -> None:
    """What `import *` gives is what is there, each name once, and every public error is among them."""
    assert len(set(smartdc.__all__)) == len(smartdc.__all__)
    assert all(hasattr(smartdc, name) for name in smartdc.__all__)
    assert {name for name in errors.__all__ if name[0].isupper()} <= set(smartdc.__all__)
