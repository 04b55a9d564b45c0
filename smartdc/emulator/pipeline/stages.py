"""The stages of a call before its handler, in CloudAPI's order; each is a function of the call that may refuse it.

The order is observable, so it is fixed: a request with two mistakes gets the refusal of the earlier stage.

1. ``EARLY``, up to the body: route, version, type of the answer, form of the Authorization header, date, parameters.
   Refusals have only the headers of plain HTTP.
2. ``SIGNED``: whether the signature is valid, and whose it is. Refusals have CloudAPI's full set of headers from here.
3. ``LOADED``: the account, image, package and machine that the parameters name, then whether the caller may do it, and
   maintenance and throttling last. Whoever may not touch a machine still learns whether it exists, as in CloudAPI.
"""

from collections.abc import Callable
from urllib.parse import unquote

from smartdc.emulator.core.clock import http_date, parse_date
from smartdc.emulator.core.ids import UUID
from smartdc.emulator.core.reply import ApiError, invalid_credentials, not_authorized, not_found
from smartdc.emulator.core.versions import parse_range
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.decode import media_type, merge_body, parse_body, parse_query
from smartdc.emulator.pipeline.negotiate import ACCEPTABLE, choose_type
from smartdc.emulator.pipeline.permissions import authorize
from smartdc.emulator.pipeline.router import NOWHERE, ROUTER
from smartdc.emulator.pipeline.routes import TYPED, TYPES
from smartdc.emulator.pipeline.throttle import check_rate
from smartdc.emulator.signature.authorization_header import MAX_SKEW_SECONDS, parse_authorization
from smartdc.emulator.signature.presigned import parse_presigned

# EARLY stages, up to the body


def match_route(call: Call) -> None:
    """Route the request: 404, 405; without volumes in the data centre their paths are a 405 too."""
    if call.match is NOWHERE:
        call.match = ROUTER.find(call.request.method, call.request.target)
    if call.match.operation.path.startswith("/:account/volume") and not call.settings.volumes:
        message = f"{call.request.method} is not allowed"
        raise ApiError(405, "MethodNotAllowedError", message, headers={"Allow": "PUT"})


def check_version(call: Call) -> None:
    """Check the version range, or for some operations the media type: 400 InvalidVersion, 415."""
    headers = call.request.headers
    call.range = parse_range(headers.get("accept-version") or headers.get("x-api-version") or "*")
    operation = call.match.operation
    if operation.name in TYPED:
        if media_type(call.request) not in TYPES and call.request.method == "POST":
            raise ApiError(415, "UnsupportedMediaTypeError", headers["content-type"])
        return
    if not any(call.range.allows(version) for version in operation.versions):
        raise ApiError(
            400, "InvalidVersion", f"{call.range.text} is not supported by {call.request.method} {call.request.path}"
        )


def check_accept(call: Call) -> None:
    """Negotiate the type of the answer: 406."""
    chosen = choose_type(call.request.headers.get("accept") or "*/*")
    if not chosen:
        raise ApiError(406, "NotAcceptableError", f"Server accepts: {','.join(ACCEPTABLE)}")
    call.accept = chosen


def read_authorization(call: Call) -> None:
    """Parse the Authorization header and check the clock skew: 400 InvalidHeader."""
    call.credentials = parse_authorization(call.signable, call.now)


def check_date(call: Call) -> None:
    """Refuse an old Date, also without a signature: 400 RequestExpired."""
    text = call.request.headers.get("date")
    sent = parse_date(text) if text else None
    if sent is not None and call.now - sent > MAX_SKEW_SECONDS:
        raise ApiError(400, "RequestExpired", f"Date header {text} is too old")


def read_parameters(call: Call) -> None:
    """Merge the parameters: body over path over query; 400 InvalidContent and BadDigest, 413."""
    call.query = parse_query(call.request.target.partition("?")[2])
    call.body = parse_body(call.request)
    call.params = merge_body({**call.query, **call.match.params}, call.request, call.body)


# SIGNED stages, for authentication


def verify_signature(call: Call) -> None:
    """Verify the signature, from the header or the query, with the key of its keyId: 401."""
    request = call.request
    presigned = parse_presigned(request.method, request.host, request.path, call.query, call.now)
    made = presigned or call.credentials
    if not made:
        return
    login, sub_login, name = _split_key_id(call, made.key_id)
    account = call.state.account(login)
    user = account.user(sub_login) if account and sub_login is not None else None
    owner = account if sub_login is None else user
    key = owner.key(name) if owner else None
    if not key or not key.public.verify(made.algorithm, made.signature, made.signed.encode()):
        raise invalid_credentials()
    call.credentials = made
    call.found_caller = account
    call.user = user


def refuse_token(call: Call) -> None:
    """Refuse token authentication, which the emulator does not have: 401."""
    if call.credentials and "x-auth-token" in call.request.headers:
        raise invalid_credentials("The token provided is not authorized for this application")


def require_caller(call: Call) -> None:
    """Refuse requests without a signature, and disabled accounts and users: 401, 403."""
    if call.caller.disabled or (call.user and call.user.disabled):
        raise not_authorized("Account or user is disabled")


# LOADED stages, for what the call is about and whether it is allowed


def load_account(call: Call) -> None:
    """Load the account that the parameters name: 404. Sub-users always act on their own account."""
    name = call.params.get("account", "undefined")
    if call.user or name in ("my", call.account.login):
        return
    call.found_account = call.state.account(unquote(str(name)))
    if not call.found_account:
        raise not_found(f"{name} does not exist")


def load_image(call: Call) -> None:
    """Load the image that a parameter names, on any path: an unknown UUID is a 404."""
    name = call.text("image") or call.text("dataset")
    if not UUID.fullmatch(name):
        return
    image = call.state.images.get(name)
    on_machine = "/machines" in call.request.path and call.request.method == "GET"
    if not image or not (on_machine or image.visible_to(call.account.id)):
        # IMGAPI's message differs between unknown and invisible images.
        raise not_found("image not found" if image else f"image {name} not found")
    call.image = image


def load_package(call: Call) -> None:
    """Load the package that a parameter names: an unknown UUID is a 404, an unknown name is not."""
    name = call.text("package")
    if call.request.path.endswith("/packages"):
        return
    if not UUID.fullmatch(name):
        call.package = call.state.package_named(name, call.account) if name else None
        return
    package = call.state.packages.get(name)
    if not package or not package.visible_to(call.account.id):
        raise not_found(f"Package {name} does not exist")
    call.package = package


def load_machine(call: Call) -> None:
    """Load the machine that the parameters name: 404, or 409 if the id is not a UUID."""
    if "/machines" not in call.request.path or not call.text("machine"):
        return
    call.found_machine = call.find_machine(call.text("machine"))
    if call.reading:
        call.transitions.read(call.found_machine)


def refuse_writes(call: Call) -> None:
    """Refuse writes while the data centre is read-only: 503."""
    settings = call.settings
    if not settings.read_only or call.reading:
        return
    ends = settings.maintenance_ends
    headers = {} if ends is None else {"Retry-After": http_date(ends)}
    raise ApiError(503, "ServiceUnavailableError", settings.maintenance_message, headers=headers)


def throttle(call: Call) -> None:
    """Refuse requests above the rate limit, except of operators: 429."""
    if call.user or not call.caller.operator:
        check_rate(call)


EARLY = (match_route, check_version, check_accept, read_authorization, check_date, read_parameters)
SIGNED = (verify_signature, refuse_token, require_caller)
LOADED = (load_account, load_image, load_package, load_machine, authorize, refuse_writes, throttle)

OPEN: dict[str | None, tuple[Callable[[Call], None], ...]] = {
    "Ping": (verify_signature,),
    "RedirectRoot": (),
    "RedirectDocs": (),
    "Favicon": (),
}
"""Operations that need no credentials, with the stages that apply to them anyway."""


def _split_key_id(call: Call, key_id: str) -> tuple[str, str | None, str]:
    """Return the login, sub-user and key of ``/login/keys/key`` or ``/login/users/user/keys/key``."""
    match key_id.split("/"):
        case [_, login, "keys", key]:
            return login, None, key
        case [_, login, _, user, "keys", key] if call.since("7.2.0"):
            return login, user, key
    raise invalid_credentials(f"Invalid KeyId {key_id} in authorization header")
