"""The emulator knows sub-users: it verifies their signatures, and lets them do what their roles say, as CloudAPI does."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kits.emulator_signer import Asker, Signer, public_line, refusal
from kits.rbac import give_role, open_to
from smartdc.emulator import Emulator
from smartdc.emulator.grammar.policy_rule import parse_rule
from smartdc.emulator.state import records

UNKNOWN = "8d9fd3ec-0d80-4b9f-9b7d-7a4d1c8c3c5e"
CREDENTIALS = (401, "InvalidCredentials")
FORBIDDEN = (403, "NotAuthorized")
INVALID = (409, "InvalidArgument")
FORBIDDEN_DEMO = "You do not have permission to access demo"


@pytest.fixture
def ask(cloud: Emulator) -> Asker:
    """The account, within the process."""
    return Asker(cloud)


@pytest.fixture
def key() -> Ed25519PrivateKey:
    """The key of alice."""
    return Ed25519PrivateKey.generate()


@pytest.fixture
def alice(cloud: Emulator, key: Ed25519PrivateKey) -> records.UserRecord:
    """A user with one key, called laptop."""
    return cloud.state.add_user("alice", public_line(key, "laptop"))


@pytest.fixture
def hers(cloud: Emulator, alice: records.UserRecord, key: Ed25519PrivateKey) -> Asker:
    """The user alice, within the process."""
    return asker(cloud, key, f"/demo/users/{alice.login}/keys/laptop")


@pytest.fixture
def machine(cloud: Emulator) -> records.MachineRecord:
    """A running machine."""
    return cloud.populate(1)[0]


def asker(cloud: Emulator, key: Ed25519PrivateKey, key_id: str) -> Asker:
    """Return a client that signs with a key of its own."""
    client = Asker(cloud)
    client.session.auth = Signer(cloud, key, key_id=key_id)
    return client


def message(answer: Any) -> str:
    """Return the words of an error."""
    return str(answer.json()["message"])


# Who signs


@pytest.mark.parametrize("word", ["users", "user", "anything"])
@pytest.mark.parametrize("account", ["login", "id"])
@pytest.mark.parametrize("user", ["login", "id"])
@pytest.mark.parametrize("name", ["laptop", "fingerprint"])
def test_key_id_of_a_user(
    cloud: Emulator, alice: records.UserRecord, key: Ed25519PrivateKey, word: str, account: str, user: str, name: str
) -> None:
    """Account and user go by login or id, the key by name or MD5 fingerprint, and the word between is not looked at."""
    give_role(cloud, "administrator", alice)
    parts = [
        {"login": "demo", "id": cloud.state.accounts["demo"].id}[account],
        word,
        {"login": "alice", "id": alice.id}[user],
        "keys",
        {"laptop": "laptop", "fingerprint": alice.keys["laptop"].public.fingerprint}[name],
    ]

    assert asker(cloud, key, "/" + "/".join(parts)).get("/my").status_code == 200


@pytest.mark.parametrize("key_id", ["/demo/keys/laptop", "/demo/users/bob/keys/laptop", "/demo/users/alice/keys/x"])
def test_key_id_that_leads_to_nobody(
    cloud: Emulator, alice: records.UserRecord, key: Ed25519PrivateKey, key_id: str
) -> None:
    """A user's key is neither the account's nor another user's."""
    cloud.state.add_user("bob")
    assert alice.keys

    answer = asker(cloud, key, key_id).get("/my")

    assert refusal(answer) == CREDENTIALS
    assert message(answer) == "Invalid authorization credentials supplied"


def test_key_of_the_account_is_no_users(cloud: Emulator, alice: records.UserRecord) -> None:
    """The account's own key does not sign for its users."""
    ask = Asker(cloud)
    ask.session.auth = Signer(cloud, key_id=f"/demo/users/{alice.login}/keys/{cloud.key_id.rpartition('/')[2]}")

    assert refusal(ask.get("/my")) == CREDENTIALS


def test_wrong_signature_of_a_user(cloud: Emulator, alice: records.UserRecord) -> None:
    """The key id says who it is, and only the key proves it."""
    stranger = asker(cloud, Ed25519PrivateKey.generate(), f"/demo/users/{alice.login}/keys/laptop")

    assert refusal(stranger.get("/my")) == CREDENTIALS


@pytest.mark.parametrize(("versions", "known"), [("~7.1", False), ("7.0.0", False), ("~7.2", True), ("~9||~7", True)])
def test_users_sign_from_version_7_2_on(
    cloud: Emulator, hers: Asker, alice: records.UserRecord, versions: str, known: bool
) -> None:
    """Before that nobody knows how to read their key ids."""
    give_role(cloud, "administrator", alice)

    answer = hers.get("/my", headers={"Accept-Version": versions})

    assert (answer.status_code == 200) is known
    if not known:
        assert message(answer) == "Invalid KeyId /demo/users/alice/keys/laptop in authorization header"


@pytest.mark.parametrize("whose", ["user", "account"])
def test_disabled_user_is_refused(cloud: Emulator, hers: Asker, alice: records.UserRecord, whose: str) -> None:
    """It is enough that one of the two is switched off."""
    give_role(cloud, "administrator", alice)
    person: records.Person = alice if whose == "user" else cloud.state.accounts["demo"]
    person.disabled = True

    answer = hers.get("/my")

    assert refusal(answer) == FORBIDDEN
    assert message(answer) == "Account or user is disabled"


@pytest.mark.parametrize("path", ["/my", "/demo", "/other", "/nobody"])
def test_a_user_acts_on_its_account(cloud: Emulator, hers: Asker, alice: records.UserRecord, path: str) -> None:
    """Whatever account the path names, it is the user's own that is meant."""
    cloud.state.add_account("other")
    give_role(cloud, "administrator", alice)

    assert hers.get(path).json()["login"] == "demo"


def test_the_audit_names_the_user(
    cloud: Emulator, hers: Asker, alice: records.UserRecord, machine: records.MachineRecord
) -> None:
    """What a user did is told with the user's key id."""
    give_role(cloud, "administrator", alice)
    assert hers.act(machine.id, "stop").status_code == 202

    [entry] = hers.get(f"/my/machines/{machine.id}/audit").json()

    assert entry["caller"]["keyId"] == "/demo/users/alice/keys/laptop"


# Roles


def test_a_user_without_roles_may_nothing(hers: Asker) -> None:
    """The refusal names the path as it came, and the action as policies know it."""
    answer = hers.get("/my/machines?limit=1")

    assert refusal(answer) == FORBIDDEN
    assert message(answer) == "You do not have permission to access /my/machines (listmachines)"


@pytest.mark.parametrize(
    ("request_line", "action"),
    [
        ("GET /my", "getaccount"),
        ("HEAD /my/machines", "headmachines"),
        ("GET /my/limits", "getprovisioninglimits"),
        ("GET /my/users", "listusers"),
        ("POST /my/keys", "createkey"),
        ("GET /my/users/alice/keys", "listuserkeys"),
        ("PUT /my/machines", "setroletags"),
        ("PUT /my/users/alice", "setroletags"),
        ("GET /my/machines/{id}", "getmachine"),
        ("POST /my/machines/{id}?action=stop", "stopmachine"),
        ("POST /my/machines/{id}?action=enable_firewall", "enablemachinefirewall"),
        ("POST /my/machines/{id}?action=disable_firewall", "disablemachinefirewall"),
        ("POST /my/machines/{id}?action=enable_deletion_protection", "enable_deletion_protectionmachine"),
        ("POST /my/machines/{id}", "undefinedmachine"),
        ("POST /my/machines/{id}/metadata", "addmachinemetadata"),
        ("PUT /my/machines/{id}/tags", "replacemachinetags"),
        ("DELETE /my/machines/{id}", "deletemachine"),
        ("GET /my/machines/{id}/nics", "listnics"),
        ("POST /my/images", "createimagefrommachine"),
        ("POST /my/images/x?action=export", "updateimage"),
        ("GET /my/changefeed", "changefeed"),
    ],
)
def test_actions(
    cloud: Emulator,
    hers: Asker,
    alice: records.UserRecord,
    machine: records.MachineRecord,
    request_line: str,
    action: str,
) -> None:
    """Every operation has a name in policies, mostly its own; a rule with that name lets it pass, and no other does."""
    method, _, target = request_line.format(id=machine.id).partition(" ")
    role = give_role(cloud, "reader", alice, rules=[f"CAN {action}x *", f"CAN x{action} *"])
    assert hers(method, target).status_code == 403
    if method != "HEAD":
        assert message(hers(method, target)).endswith(f"{target.partition('?')[0]} ({action})")

    cloud.state.accounts["demo"].policies[role.policies[0]].rules = [f"CAN {action} *"]

    assert hers(method, target).status_code != 403


def test_a_role_counts_where_it_is_tagged(cloud: Emulator, hers: Asker, alice: records.UserRecord) -> None:
    """The policies of a role hold for the things that are tagged with it."""
    reader, writer = give_role(cloud, "reader", alice), give_role(cloud, "writer")
    open_to(cloud, "/users", writer)
    assert hers.get("/my/users").status_code == 403

    open_to(cloud, "/users", writer, reader)

    assert hers.get("/my/users").status_code == 200
    assert hers.get("/my/roles").status_code == 403


def test_a_role_that_was_deleted_opens_nothing(
    cloud: Emulator, ask: Asker, hers: Asker, alice: records.UserRecord
) -> None:
    """Its tags stay where they are, and are of no effect."""
    reader = give_role(cloud, "reader", alice)
    open_to(cloud, "/users", reader)

    assert ask("DELETE", f"/my/roles/{reader.id}").status_code == 204

    assert hers.get("/my/users").status_code == 403
    assert "role-tag" not in ask.get("/my/users").headers


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        (["CAN listusers"], True),
        (["CAN getuser", "CAN listusers and getrole"], True),
        (["CAN getuser, getrole, and listusers"], True),
        (["can *"], True),
        (["CAN everything"], True),
        (["CAN list*"], True),
        (['CAN "listusers"'], True),
        (["CAN /^list(users|roles)$/::regex"], True),
        (["* CAN listusers"], True),
        (["CAN listusers /my/users"], True),
        (["CAN listusers /my/users/*"], False),
        (["CAN ListUsers"], False),
        (["CAN getuser"], False),
        (["alice CAN listusers"], False),
        (["CAN NOT listusers"], False),
        ([], False),
    ],
)
def test_rules(cloud: Emulator, hers: Asker, alice: records.UserRecord, rules: list[str], allowed: bool) -> None:
    """Actions are spelled in lower case; a rule with principals fits nobody, since roles say who it is."""
    open_to(cloud, "/users", give_role(cloud, "reader", alice, rules=rules))

    assert (hers.get("/my/users").status_code == 200) is allowed


@pytest.mark.parametrize(("rule", "allowed"), [("CAN listusers *", True), ("CAN listusers", False)])
def test_a_rule_with_resources_needs_no_tag(
    cloud: Emulator, hers: Asker, alice: records.UserRecord, rule: str, allowed: bool
) -> None:
    """Such a rule says itself what it is about."""
    give_role(cloud, "reader", alice, rules=[rule])

    assert (hers.get("/my/users").status_code == 200) is allowed


def test_conditions_are_refused_by_name(cloud: Emulator, hers: Asker, alice: records.UserRecord) -> None:
    """Where only a rule with conditions would let the user in, the emulator says that it cannot tell."""
    role = give_role(cloud, "reader", alice, rules=["CAN listusers WHEN sourceip = 10.0.0.0/8"])
    open_to(cloud, "/users", role)

    answer = hers.get("/my/users")

    assert refusal(answer) == (501, "NotImplementedError")
    assert "'CAN listusers WHEN sourceip = 10.0.0.0/8' has conditions" in message(answer)
    cloud.state.accounts["demo"].policies[role.policies[0]].rules.append("CAN listusers")
    assert hers.get("/my/users").status_code == 200


def test_administrator_may_everything(cloud: Emulator, hers: Asker, alice: records.UserRecord) -> None:
    """The role of that name needs neither policies nor tags."""
    give_role(cloud, "administrator", alice, rules=[])

    assert hers.get("/my/users").status_code == 200
    assert hers.create()


def test_account_that_is_not_approved(cloud: Emulator, hers: Asker, alice: records.UserRecord) -> None:
    """Its users are kept out, administrators too."""
    give_role(cloud, "administrator", alice)
    cloud.state.accounts["demo"].approved = False

    assert refusal(hers.get("/my/users")) == FORBIDDEN


def test_as_role_takes_on_roles(cloud: Emulator, hers: Asker, alice: records.UserRecord) -> None:
    """The roles that are asked for count, and the default ones no longer do."""
    reader, writer = give_role(cloud, "reader", alice), give_role(cloud, "writer", alice, default=False)
    open_to(cloud, "/users", reader)
    open_to(cloud, "/roles", writer)

    assert [hers.get(path).status_code for path in ("/my/users", "/my/roles")] == [200, 403]
    assert [hers.get(f"{path}?as-role=writer").status_code for path in ("/my/users", "/my/roles")] == [403, 200]
    both = "as-role=writer,reader"
    assert [hers.get(f"{path}?{both}").status_code for path in ("/my/users", "/my/roles")] == [200, 200]


def test_as_role_in_the_body(cloud: Emulator, hers: Asker, alice: records.UserRecord) -> None:
    """It is a parameter like any other."""
    open_to(cloud, "/policies", give_role(cloud, "writer", alice, default=False))
    wish = {"name": "all", "rules": ["CAN *"]}

    assert hers.post("/my/policies", wish).status_code == 403
    assert hers.post("/my/policies", {**wish, "as-role": "writer"}).status_code == 201


@pytest.mark.parametrize("asked", ["nobody", "writer", "reader,nobody"])
def test_as_role_of_a_role_that_one_does_not_have(
    cloud: Emulator, hers: Asker, alice: records.UserRecord, asked: str
) -> None:
    """The refusal does not tell roles that are not there from those of others."""
    give_role(cloud, "reader", alice)
    give_role(cloud, "writer")

    answer = hers.get(f"/my/users?as-role={asked}")

    assert refusal(answer) == FORBIDDEN
    assert message(answer) == FORBIDDEN_DEMO


def test_as_role_means_nothing_to_the_account(ask: Asker) -> None:
    """An account on itself needs no roles, and none is looked up."""
    assert ask.get("/my/users?as-role=nobody").status_code == 200


# Accounts on other accounts


@pytest.fixture
def partner(cloud: Emulator, key: Ed25519PrivateKey) -> Asker:
    """Another account, within the process."""
    cloud.state.add_account("partner", public_line(key, "laptop"))
    return asker(cloud, key, "/partner/keys/laptop")


def test_account_on_another_account(partner: Asker) -> None:
    """Without a role it may nothing there."""
    answer = partner.get("/demo/users")

    assert refusal(answer) == FORBIDDEN
    assert message(answer) == "You do not have permission to access /demo/users (listusers)"


def test_account_with_a_role_on_another_account(cloud: Emulator, partner: Asker) -> None:
    """A role can have whole accounts as members."""
    role = give_role(cloud, "reader", cloud.state.accounts["partner"], default=False)
    open_to(cloud, "/users", role)

    assert partner.get("/demo/users?as-role=reader").status_code == 200
    assert message(partner.get("/demo/users?as-role=other")) == FORBIDDEN_DEMO
    assert partner.get("/my/users").json() == []


def test_operator_needs_no_role(cloud: Emulator, partner: Asker) -> None:
    """Operators act on any account; their sub-users do not."""
    cloud.state.accounts["partner"].operator = True
    key = Ed25519PrivateKey.generate()
    cloud.state.add_user("sub", public_line(key, "laptop"), account=cloud.state.accounts["partner"])

    assert partner.get("/demo/users").status_code == 200
    assert asker(cloud, key, "/partner/users/sub/keys/laptop").get("/demo/users").status_code == 403


# The order of checks, and the switch


def test_missing_machine_comes_before_roles(cloud: Emulator, hers: Asker) -> None:
    """What is not there is a 404, then roles are a 403, then maintenance is a 503."""
    cloud.state.settings.read_only = True

    assert hers.post(f"/my/machines/{UNKNOWN}?action=stop").status_code == 404
    assert hers.post("/my/machines").status_code == 403


def test_without_roles_users_stay_out(cloud: Emulator, hers: Asker, ask: Asker, alice: records.UserRecord) -> None:
    """An operator may have no use for roles: the books are kept, and nobody but the account gets in."""
    give_role(cloud, "administrator", alice)
    cloud.state.settings.rbac = False

    assert message(hers.get("/my/users")) == FORBIDDEN_DEMO
    assert ask.get("/my/users").status_code == 200
    assert refusal(ask("PUT", "/my/users", json={"role-tag": []})) == INVALID


# Role tags


@pytest.fixture
def reader(cloud: Emulator, alice: records.UserRecord) -> records.RoleRecord:
    """A role that lets alice do everything with what it is tagged on."""
    return give_role(cloud, "reader", alice)


def tag(ask: Asker, path: str, *names: str, **options: Any) -> Any:
    """Set role tags and return the answer."""
    return ask("PUT", path, json={"role-tag": list(names)}, **options)


@pytest.mark.parametrize("path", ["/my/users", "/demo/users"])
def test_role_tags_answer_with_the_account(ask: Asker, reader: records.RoleRecord, path: str) -> None:
    """The name of what was tagged has the account's login."""
    assert tag(ask, path, reader.name).json() == {"name": "/demo/users", "role-tag": ["reader"]}


def test_role_tags_in_the_header(cloud: Emulator, ask: Asker, reader: records.RoleRecord) -> None:
    """In place of a body the header may name the roles."""
    give_role(cloud, "writer")

    answer = ask("PUT", "/my/users", headers={"role-tag": "reader,writer"})

    assert answer.json()["role-tag"] == ["reader", "writer"]
    assert cloud.state.accounts["demo"].role_tags["/demo/users"][0] == reader.id


def test_role_tags_of_nothing_change_nothing(ask: Asker, reader: records.RoleRecord) -> None:
    """A body without them repeats those that are there; none is a list too."""
    assert ask("PUT", "/my", json={"email": "x"}).json() == {"name": "/demo", "role-tag": []}
    tag(ask, "/my", reader.name)

    assert ask("PUT", "/my", json={}).json()["role-tag"] == ["reader"]


def test_role_tags_of_what_is_not_there(ask: Asker, reader: records.RoleRecord) -> None:
    """Users and machines must exist, other things need not."""
    assert message(tag(ask, "/my/users/nobody", reader.name)) == "nobody does not exist"
    assert tag(ask, f"/my/machines/{UNKNOWN}", reader.name).status_code == 404
    assert tag(ask, f"/my/images/{UNKNOWN}", reader.name).status_code == 200


def test_role_tags_need_version_7_2(ask: Asker, reader: records.RoleRecord) -> None:
    """Older versions set none and see none; CloudAPI does not answer at all, the emulator refuses."""
    tag(ask, "/my/users", reader.name)
    old = {"Accept-Version": "~7.1"}

    assert refusal(tag(ask, "/my/users", reader.name, headers=old)) == INVALID
    assert "role-tag" not in ask.get("/my/users", headers=old).headers
    assert ask.get("/my/users").headers["role-tag"] == "reader"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_role_tags_are_in_a_header(ask: Asker, reader: records.RoleRecord, method: str) -> None:
    """Reading with and without a body tells them."""
    tag(ask, "/my/users/alice", reader.name)

    assert ask(method, "/my/users/alice").headers["role-tag"] == "reader"
    assert "role-tag" not in ask(method, "/my/users").headers


def test_what_lies_below_a_machine_has_its_tags(
    ask: Asker, hers: Asker, reader: records.RoleRecord, machine: records.MachineRecord
) -> None:
    """Tags, metadata, snapshots and the audit of a machine are open to whom the machine is."""
    below = [f"/my/machines/{machine.id}/{name}" for name in ("tags", "metadata", "snapshots", "audit")]
    assert [hers.get(path).status_code for path in below] == [403] * 4

    tag(ask, f"/my/machines/{machine.id}", reader.name)

    assert [hers.get(path).status_code for path in below] == [200] * 4
    assert hers.act(machine.id, "stop").status_code == 202
    assert hers.get("/my/machines").status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "entry"),
    [
        ("/my/users", {"login": "bob", "email": "bob@example.com", "password": "secret77"}, "id"),
        ("/my/policies", {"name": "all", "rules": ["CAN *"]}, "id"),
        ("/my/roles", {"name": "writer"}, "id"),
        ("/my/keys", {"key": public_line(Ed25519PrivateKey.generate())}, "fingerprint"),
        ("/my/users/alice/keys", {"key": public_line(Ed25519PrivateKey.generate())}, "fingerprint"),
        ("/my/accesskeys", {}, "accesskeyid"),
    ],
)
@pytest.mark.parametrize("who", ["account", "user"])
def test_what_is_made_gets_tags(
    cloud: Emulator, ask: Asker, hers: Asker, reader: records.RoleRecord, path: str, body: Any, entry: str, who: str
) -> None:
    """A header on a create names them; a user's own active roles are there without being named."""
    open_to(cloud, path.removeprefix("/my"), reader)
    headers = {"role-tag": "reader"} if who == "account" else {}

    answer = (ask if who == "account" else hers).post(path, body, headers=headers)

    assert answer.status_code == 201
    name = f"/demo{path.removeprefix('/my')}/{answer.json()[entry]}"
    assert cloud.state.accounts["demo"].role_tags[name] == [reader.id]


def test_made_by_the_account_has_no_tags(cloud: Emulator, ask: Asker) -> None:
    """An account has no active roles that could be tagged on."""
    ask.post("/my/policies", {"name": "all", "rules": ["CAN *"]})

    assert cloud.state.accounts["demo"].role_tags == {}


def test_machine_is_made_with_tags(cloud: Emulator, ask: Asker, reader: records.RoleRecord) -> None:
    """A machine keeps the tags that the header of its create names."""
    image = cloud.state.image_named("base-64-lts")
    assert image
    body = {"image": image.id, "package": "g1-small"}

    made = ask.post("/my/machines", body, headers={"role-tag": "reader"}).json()["id"]
    wrong = ask.post("/my/machines", body, headers={"role-tag": "reader,nobody"})

    assert cloud.state.machines[made].role_tags == [reader.id]
    assert wrong.status_code == 201
    assert cloud.state.machines[wrong.json()["id"]].role_tags == []


def test_update_tags_as_its_header_says(cloud: Emulator, ask: Asker, reader: records.RoleRecord) -> None:
    """Tags in the header of an update are set, and without one those that are there stay."""
    ask.post(
        "/my/users/" + next(iter(cloud.state.accounts["demo"].users)), {"city": "Oslo"}, headers={"role-tag": "reader"}
    )
    [tags] = cloud.state.accounts["demo"].role_tags.values()

    assert tags == [reader.id]


# Roles, policies and users on the wire


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"name": 7}, 'Role "name" must be a string'),
        ({"policies": "x"}, 'Role "policies" must be an array of objects'),
        ({"policies": ["x"]}, 'Role "policies" must be an array of objects'),
        ({"policies": [{"id": "x"}]}, 'Policy "id" property must be a string UUID'),
        ({"policies": [{"name": 7}]}, 'Policy "name" property must be a string'),
        ({"policies": [{"rule": "x"}]}, 'Policy references may only contain "name" or "id" properties, not "rule"'),
        ({"policies": [{}]}, "Invalid policy: {}"),
        ({"members": "alice"}, 'Role "members" must be an array of objects'),
        ({"members": [{"login": "alice"}]}, 'Role "member" references must have a string "type" property'),
        ({"members": [{"type": "robot"}]}, 'Member "type" is not supported: "robot"'),
        ({"members": [{"type": "subuser", "id": 7}]}, 'Member "id" property must be a string UUID'),
        ({"members": [{"type": "subuser", "login": 7}]}, 'Member "login" property must be a string'),
        ({"members": [{"type": "subuser", "default": "yes"}]}, 'Member "default" property must be a boolean'),
        (
            {"members": [{"type": "subuser", "name": "alice"}]},
            'Member references may only contain "type", "login", "id", or "default" properties, not "name"',
        ),
        ({"members": [{"type": "account", "login": "nobody"}]}, "Invalid account: nobody"),
        (
            {"name": "true", "members": [{"type": "subuser", "login": "x"}]},
            '"true" is not a valid role name, Invalid subuser: x',
        ),
    ],
)
def test_role_in_the_wrong_shape(ask: Asker, alice: records.UserRecord, wish: dict[str, Any], reason: str) -> None:
    """From version 9 on members and policies are checked field by field."""
    assert alice.login == "alice"
    answer = ask.post("/my/roles", {"name": "reader", **wish}, headers={"Accept-Version": "~9"})

    assert refusal(answer) == INVALID
    assert message(answer) == reason


def test_role_with_the_same_member_twice(ask: Asker, alice: records.UserRecord) -> None:
    """The directory keeps everybody once."""
    member = {"type": "subuser", "login": "alice"}

    answer = ask.post("/my/roles", {"name": "reader", "members": [member, member]})

    assert message(answer).startswith(f"uuid={alice.id}, uuid=")


def test_role_without_a_name(ask: Asker) -> None:
    """What is wrong comes before what is missing."""
    assert message(ask.post("/my/roles", {})) == "Request is missing required parameter: name"
    assert message(ask.post("/my/roles", {"members": [7]})) == 'Role "members" must be an array of objects'


@pytest.mark.parametrize(
    ("given", "logins"),
    [
        ("alice", ["alice"]),
        (["alice", "bob", "alice"], ["alice", "bob"]),
        ('["alice", "bob"]', ["alice", "bob"]),
        ([["bob"]], ["bob"]),
        ([], []),
    ],
)
def test_members_before_version_9(
    cloud: Emulator, ask: Asker, alice: records.UserRecord, given: Any, logins: list[str]
) -> None:
    """One name, a list, a list in a text and a list in a list all will do."""
    cloud.state.add_user("bob")
    headers = {"Accept-Version": "~8"}

    role = ask.post("/my/roles", {"name": "reader", "members": given}, headers=headers).json()

    assert (role["members"], role["default_members"], role["policies"]) == (logins, [], [])
    assert alice.login == "alice"


def test_default_members_before_version_9(cloud: Emulator, ask: Asker, alice: records.UserRecord) -> None:
    """Given alone they replace all members."""
    bob = cloud.state.add_user("bob")
    role = give_role(cloud, "reader", alice)
    headers = {"Accept-Version": "~8"}

    answer = ask.post(f"/my/roles/{role.name}", {"default_members": ["bob"]}, headers=headers)

    assert answer.json()["members"] == ["bob"]
    assert (role.members, role.default_members) == ([bob.id], [bob.id])


def test_accounts_among_members_before_version_9(cloud: Emulator, ask: Asker, alice: records.UserRecord) -> None:
    """Names cannot tell accounts from users, so only users are shown."""
    role = give_role(cloud, "reader", alice, cloud.state.add_account("partner"))

    shown = ask.get(f"/my/roles/{role.id}", headers={"Accept-Version": "~8"}).json()
    objects = ask.get(f"/my/roles/{role.id}").json()

    assert shown["members"] == ["alice"]
    assert [member["type"] for member in objects["members"]] == ["subuser", "account"]


@pytest.mark.parametrize(("kind", "name"), [("roles", "reader"), ("policies", "reader rules")])
def test_delete_goes_by_id_only(cloud: Emulator, ask: Asker, reader: records.RoleRecord, kind: str, name: str) -> None:
    """Roles and policies are read by name too, but not deleted by it."""
    assert cloud.state.accounts["demo"].roles == {reader.id: reader}
    assert ask.get(f"/my/{kind}/{name}").status_code == 200

    answer = ask("DELETE", f"/my/{kind}/{name}")

    assert answer.status_code == 404
    assert message(answer) == "The resource you requested does not exist"


def test_update_of_a_policy_by_name(ask: Asker, reader: records.RoleRecord) -> None:
    """A policy is read by name, and then not found where it is to be changed."""
    answer = ask.post(f"/my/policies/{reader.name} rules", {"rules": ["CAN *"]})

    assert refusal(answer) == (404, "ResourceNotFound")


def test_update_of_nothing(ask: Asker, reader: records.RoleRecord) -> None:
    """CloudAPI answers a policy with an empty object, and trips over a role."""
    assert ask.post(f"/my/policies/{reader.policies[0]}", {}).json() == {}
    assert refusal(ask.post(f"/my/roles/{reader.id}", {})) == (500, "InternalError")


@pytest.mark.parametrize(
    ("wish", "missing"),
    [({}, "name is required, rules is required"), ({"name": "x"}, "rules is required")],
)
def test_policy_without_what_it_needs(ask: Asker, wish: dict[str, Any], missing: str) -> None:
    """Name and rules must be there."""
    assert message(ask.post("/my/policies", wish)) == f"Request is missing required parameters: {missing}"


@pytest.mark.parametrize("rules", [["CAN a", "CAN b"], '["CAN a", "CAN b"]'])
def test_rules_may_be_json_in_a_text(ask: Asker, rules: Any) -> None:
    """What reads as a JSON list is one."""
    assert ask.post("/my/policies", {"name": "x", "rules": rules}).json()["rules"] == ["CAN a", "CAN b"]


def test_all_mistakes_are_told(ask: Asker) -> None:
    """The rules are read to the last one."""
    answer = ask.post("/my/policies", {"name": "x", "rules": ["CAN", "CAN a", "a"]})

    assert refusal(answer) == INVALID
    assert message(answer).count("Parse error") == 2


def test_rule_that_is_there_twice(ask: Asker) -> None:
    """The directory keeps every rule once."""
    assert message(ask.post("/my/policies", {"name": "x", "rules": ["CAN a", "CAN a"]})) == "CAN a is not unique"


def test_create_user_lists_what_is_missing(ask: Asker) -> None:
    """All of it at once."""
    answer = ask.post("/my/users", {"login": "bob"})

    assert refusal(answer) == (409, "MissingParameter")
    assert message(answer) == "Request is missing required parameters: email is required, password is required"


def test_create_user_with_an_email_of_somebody_else(ask: Asker, alice: records.UserRecord) -> None:
    """Addresses are free once in the whole directory."""
    body = {"login": "bob", "email": alice.profile["email"], "password": "secret77"}

    assert refusal(ask.post("/my/users", body)) == INVALID


def test_create_user_is_found_by_login(ask: Asker) -> None:
    """The Location of a new user has its login."""
    body = {"login": "bob", "email": "bob@example.com", "password": "secret77"}

    answer = ask.post("/my/users", body)

    assert answer.headers["Location"] == "/demo/users/bob"
    assert ask.get(answer.headers["Location"]).json() == answer.json()


@pytest.mark.parametrize("change", ["", "/change_password"])
def test_user_is_changed_by_id_only(ask: Asker, alice: records.UserRecord, change: str) -> None:
    """A login reads and deletes a user, but does not change it."""
    body = {"city": "Oslo", "password": "secret77", "password_confirmation": "secret77"}

    answer = ask.post(f"/my/users/{alice.login}{change}", body)

    assert refusal(answer) == (404, "ResourceNotFound")
    assert message(answer) == 'user with uuid "alice" does not exist'


def test_password_must_be_confirmed(ask: Asker, alice: records.UserRecord) -> None:
    """Both are required, and must be the same."""
    path = f"/my/users/{alice.id}/change_password"

    assert message(ask.post(path, {"password": "secret77"})).endswith("password_confirmation is required")
    assert message(ask.post(path, {"password": "secret77", "password_confirmation": "x"})).endswith("the same value")


def test_keys_of_a_user_need_version_7_2(ask: Asker, alice: records.UserRecord) -> None:
    """Reading them does; adding one does not, since it is chosen by the type of its body."""
    old = {"Accept-Version": "~7.1"}
    path = f"/my/users/{alice.login}/keys"

    assert refusal(ask.get(path, headers=old)) == (400, "InvalidVersion")
    line = public_line(Ed25519PrivateKey.generate())
    answer = ask.post(path, {"key": line}, headers=old)
    assert answer.headers["Location"].startswith("/demo/users/alice/keys/")


def test_access_key_signs_nothing(cloud: Emulator, ask: Asker, key: Ed25519PrivateKey) -> None:
    """Its id is no key id."""
    made = ask.post("/my/accesskeys").json()

    assert refusal(asker(cloud, key, f"/demo/keys/{made['accesskeyid']}").get("/my")) == CREDENTIALS


@pytest.mark.parametrize(
    ("body", "query", "reason"),
    [
        ({}, "", 'property "default_network": is missing and it is required'),
        ({"default_network": "x"}, "", 'property "default_network": must be a UUID'),
        ({"default_network": UNKNOWN}, "", "unknown network"),
        ({"default_network": UNKNOWN, "color": "red"}, "", 'property "color": unsupported property'),
        ({"default_network": UNKNOWN}, "?as-role=x", 'property "as-role": unsupported property'),
    ],
)
def test_config_is_strict(ask: Asker, body: dict[str, str], query: str, reason: str) -> None:
    """No parameter is taken beside the one that it has, wherever it stands."""
    answer = ask("PUT", f"/my/config{query}", json=body)

    assert refusal(answer) == INVALID
    assert message(answer) == reason


def test_limits_count_what_is_used(cloud: Emulator, ask: Asker) -> None:
    """Memory is counted in MiB, disk in GiB, and anything else in machines."""
    cloud.populate(2, package="g1-small")
    cloud.populate(1, package="g1-small", state="deleted")
    memory, disk = next(iter(cloud.state.machines.values())).memory, next(iter(cloud.state.machines.values())).disk
    cloud.state.settings.limits = [
        {"by": "ram", "value": 1024},
        {"by": "quota", "value": 100},
        {"value": 5},
        {"value": 5, "check": "os", "os": "smartos"},
        {"value": 5, "check": "os", "os": "windows"},
        {"value": 5, "check": "image", "image": "any"},
        {"value": 5, "check": "brand", "brand": "lx"},
    ]

    used = [limit["used"] for limit in ask.get("/my/limits").json()]

    assert used == [2 * memory, 2 * disk // 1024, 2, 2, 0, 2, 0]


def test_users_do_not_change_other_ids() -> None:
    """How many users there are does not change the next machine's id, so that a seeded run repeats."""
    few, many = Emulator(seed=7), Emulator(seed=7)
    many.state.add_user("alice")

    assert few.populate(1)[0].id == many.populate(1)[0].id


# Aperture


@pytest.mark.parametrize(
    "rule",
    [
        "Fred can read *.js when foo::string = bar and tag::string = examples and sourceip::ip = 10.0.0.0/8",
        "Bob can read and write timesheet if t::time > 07:30:00 and t::time < 18:30:00 and day in (Mon, Tue, THu)",
        "John, Jack and Jane can ops_* *",
        'Fred can read "this resource" where NOT (method = get OR owner like /a.b/i) and sourceip = "::1"',
        "CAN a when x::number in (1) or activeRoles contains y",
    ],
)
def test_rules_of_the_whole_language_are_read(rule: str) -> None:
    """What the server takes, the emulator takes."""
    assert parse_rule(rule).text == rule


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("", "got the end"),
        ("CAN", "got the end"),
        ("CAN a b c", "expecting end, got c"),
        ("CAN a, b", "expecting and"),
        ("CAN a, and b", "got and"),
        ("CAN a and b and c", "got and"),
        ("CAN a to b", "got to"),
        ("CAN (a)", r"got \("),
        ("CAN a when", "got the end"),
        ("CAN a when day = 1 or", "got the end"),
        ("CAN a when (day = 1", r"expecting \)"),
        ("CAN a when day in Mon", r"expecting \("),
        ("CAN a when size = 1", 'no type for "size"'),
        ("CAN a when x::shape = round", 'unknown type "shape"'),
        ("CAN a when day like Mon", 'unsupported operation "like" on type "day"'),
        ("CAN /(/::regex", "Invalid regular expression"),
        ("CAN :", "Lexical error in 'CAN :': unrecognized text at ':'"),
    ],
)
def test_what_is_no_rule_is_refused(rule: str, reason: str) -> None:
    """The words say where the reading ended."""
    with pytest.raises(ValueError, match=reason):
        parse_rule(rule)


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("ops_*", "ops_start", True),
        ("ops_*", "devops_x", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        ("/A/i::regex", "bad", True),
    ],
)
def test_names_with_stars(name: str, text: str, named: bool) -> None:
    """A star is any letters, found anywhere; behind a backslash it is itself."""
    assert parse_rule(f"CAN {name}").fits(text, "/my") is named
