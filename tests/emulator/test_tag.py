"""Tags, metadata and snapshots in the emulator."""

from __future__ import annotations

from typing import Any

import pytest

from kits.emulator_signer import Asker, refusal
from smartdc.emulator import ByScript, Emulator
from smartdc.emulator.state.records import MachineRecord

VALIDATION = (409, "ValidationFailed")
NOT_FOUND = (404, "ResourceNotFound")


@pytest.fixture
def ask(cloud: Emulator) -> Asker:
    """A client within the process."""
    return Asker(cloud)


@pytest.fixture
def held(cloud: Emulator) -> MachineRecord:
    """A running machine as the emulator holds it."""
    return cloud.populate(1, name="web", tags={"role": "www", "n": 1}, metadata={"user-script": "true", "n": 1})[0]


@pytest.fixture
def path(held: MachineRecord) -> str:
    """Where the machine is."""
    return f"/my/machines/{held.id}"


# Tags


def test_tags_keep_their_types(ask: Asker, path: str) -> None:
    """The list does; one by one they are text or nothing."""
    assert ask.get(f"{path}/tags").json() == {"role": "www", "n": 1}
    assert ask.get(f"{path}/tags/role").json() == "www"
    assert ask.get(f"{path}/tags/n").json() == ""
    assert ask("HEAD", f"{path}/tags").status_code == ask("HEAD", f"{path}/tags/role").status_code == 200


def test_answer_to_added_tags_is_a_prediction(ask: Asker, path: str) -> None:
    """It shows what will be, while the list still shows what is."""
    ask.cloud.transitions.policy = ByScript()
    answer = ask.post(f"{path}/tags", {"b": True, "n": 2.5})

    assert answer.json() == {"role": "www", "n": 2.5, "b": True}
    assert len(answer.headers["x-job-uuid"]) == 36
    assert ask.get(f"{path}/tags").json() == {"role": "www", "n": 1}
    ask.cloud.transitions.release()
    assert ask.get(f"{path}/tags").json() == {"role": "www", "n": 2.5, "b": True}


def test_replaced_tags_are_all_there_is(ask: Asker, held: MachineRecord, path: str) -> None:
    """The answer shows just what was sent."""
    assert ask("PUT", f"{path}/tags", json={"a": "b"}).json() == {"a": "b"}
    assert ask.get(f"{path}/tags").json() == {"a": "b"}
    assert ask.audit(held.id) == [("replace_tags", "yes")]


def test_tags_are_deleted(ask: Asker, held: MachineRecord, path: str) -> None:
    """One, or all of them, even when there are none."""
    assert ask("DELETE", f"{path}/tags/n").status_code == 204
    assert ask.get(f"{path}/tags").json() == {"role": "www"}
    assert [ask("DELETE", f"{path}/tags").status_code for _ in range(2)] == [204, 204]
    assert ask.get(f"{path}/tags").json() == {}
    assert ask.audit(held.id) == [("remove_tags", "yes")] * 3


def test_replacement_that_loses_nothing_just_sets(ask: Asker, held: MachineRecord, path: str) -> None:
    """The audit does not call it a replacement; with metadata it is the same."""
    held.tags, held.metadata = {"a": 1}, {}
    ask("PUT", f"{path}/tags", json={"a": 2, "b": 3})
    ask("DELETE", f"{path}/metadata")

    assert ask.audit(held.id) == [("set_metadata", "yes"), ("set_tags", "yes")]


def test_replacement_leaves_what_came_meanwhile(ask: Asker, path: str) -> None:
    """What is to go is found when the request comes, and not when the job is done."""
    ask.cloud.transitions.policy = ByScript()
    ask.post(f"{path}/tags", {"young": True})
    ask("PUT", f"{path}/tags", json={"a": "b"})
    for _ in range(2):
        ask.cloud.transitions.release()

    assert ask.get(f"{path}/tags").json() == {"young": True, "a": "b"}


def test_unknown_tag_is_a_404(ask: Asker, path: str) -> None:
    """It is named."""
    for method in ("GET", "DELETE"):
        answer = ask(method, f"{path}/tags/x")
        assert (refusal(answer), answer.json()["message"]) == (NOT_FOUND, 'tag "x" not found')


def test_tag_may_vanish_under_a_job(ask: Asker, held: MachineRecord, path: str) -> None:
    """Two deletions of the same tag both succeed."""
    ask.cloud.transitions.policy = ByScript()
    for _ in range(2):
        ask("DELETE", f"{path}/tags/n")
    ask.cloud.transitions.release()
    ask.cloud.transitions.release()

    assert ask.audit(held.id) == [("remove_tags", "yes")] * 2


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_some_names_are_dropped(ask: Asker, path: str, method: str) -> None:
    """CloudAPI takes them for its own parameters, and without any other there are no tags."""
    skipped = {"uuid": "x", "owner_uuid": "x", "context": "x"}

    assert ask(method, f"{path}/tags", json={"a": "b", **skipped}).json()["a"] == "b"
    answer = ask(method, f"{path}/tags", json=skipped)
    assert refusal(answer) == VALIDATION
    verb = "adding" if method == "POST" else "replacing"
    assert answer.json()["message"] == f"error {verb} tags: Invalid tag parameters"
    assert answer.json()["errors"] == [{"field": "tags", "code": "Invalid", "message": "Invalid parameter"}]


def test_query_becomes_tags(ask: Asker, path: str) -> None:
    """A role in the URL is stored like any other parameter."""
    assert ask.post(f"{path}/tags?as-role=x", {"a": "b"}).json()["as-role"] == "x"


GOOD = {
    "triton.cmon.groups": "web,db",
    "triton.cns.services": "www:80",
    "triton.cns.disable": True,
    "triton.cns.reverse_ptr": "host.example.com",
    "triton._test.number": 1.5,
    "triton.placement.exclude_virtual_servers": False,
    "docker:label:x": "y",
}
BAD: list[tuple[str, Any]] = [
    ("triton.unknown", "x"),
    ("triton.cns.disable", "true"),
    ("triton._test.number", True),
    ("triton.cns.services", 1),
    ("triton.cmon.groups", "a,a"),
    ("triton.cmon.groups", "a,"),
    ("triton.cmon.groups", ",".join(str(number) for number in range(101))),
    ("triton.cmon.groups", "a b"),
    ("triton.cns.reverse_ptr", "no host"),
    ("triton.cns.reverse_ptr", "_host"),
    ("sdc_docker", True),
    ("docker:label:com.docker.x", "y"),
    ("docker:label:triton.x", "y"),
    ("a", None),
    ("a", {"b": "c"}),
]


def test_tags_of_triton_have_types(ask: Asker, path: str) -> None:
    """Known ones with the right values are taken."""
    assert ask.post(f"{path}/tags", GOOD).status_code == 200


@pytest.mark.parametrize(("key", "value"), BAD)
def test_tags_of_triton_and_docker_are_guarded(ask: Asker, path: str, key: str, value: Any) -> None:
    """Unknown names, wrong types and wrong forms are refused."""
    assert refusal(ask.post(f"{path}/tags", {key: value})) == VALIDATION


LABEL = "a" * 63
HOST = ".".join([LABEL] * 4)
"""A name of 255 characters, whose labels have 63."""
LONGER = f"{HOST[:-1]}.b"


@pytest.mark.parametrize(
    ("key", "taken", "refused", "message"),
    [
        ("cmon.groups", ",".join(map(str, range(100))), ",".join(map(str, range(101))),
         "must contain less than or equal to 100 group strings"),
        ("cmon.groups", "a," + "b" * 100, "a," + "b" * 101,
         "group name must be no less than 1 character and no greater than 100 characters"),
        ("cns.services", LABEL, f"{LABEL}a", f'service DNS name "{LABEL}a" must be 63 or fewer characters'),
        ("cns.services", "www:1", "www:0", "service port number for www must be within the range 1 - 65535"),
        ("cns.services", "www:65535", "www:65536", "service port number for www must be within the range 1 - 65535"),
        ("cns.services", "www:priority=0", "www:priority=-1",
         "service priority for www must be within the range 0 - 65535"),
        ("cns.services", "www:weight=65535", "www:weight=65536",
         "service weight for www must be within the range 0 - 65535"),
        ("cns.reverse_ptr", HOST, LONGER, f'"{LONGER}" is not DNS safe'),
        ("cns.reverse_ptr", f"{LABEL}.{LABEL}", f"a{LABEL}.a", f'"a{LABEL}.a" is not DNS safe'),
        ("cns.reverse_ptr", f"a.{LABEL}", f"a.a{LABEL}", f'"a.a{LABEL}" is not DNS safe'),
    ],
)  # fmt: skip
def test_tags_of_triton_have_limits(ask: Asker, path: str, key: str, taken: str, refused: str, message: str) -> None:
    """Exactly so much is taken, and one more is refused in the words of triton-tags."""
    assert ask.post(f"{path}/tags", {f"triton.{key}": taken}).status_code == 200
    answer = ask.post(f"{path}/tags", {f"triton.{key}": refused})

    assert refusal(answer) == VALIDATION
    assert answer.json()["errors"][0]["message"] == f'invalid "triton.{key}" tag: {message}'


@pytest.mark.parametrize(
    ("key", "value", "field", "message"),
    [
        ("a", [1], "tags.a", "Forbidden Data Type"),
        ("triton.x", 1, "tags", 'Unrecognized special triton tag "triton.x"'),
        ("triton.cns.disable", "true", "tags",
         'Triton tag "triton.cns.disable" value must be a boolean: "true" (string)'),
        ("triton._test.number", True, "tags", 'Triton tag "triton._test.number" value must be a number: true (boolean)'),
        ("sdc_docker", "x", "tags", 'Special tag "sdc_docker" not supported'),
    ],
)  # fmt: skip
def test_refusal_says_what_is_wrong_with_a_tag(
    ask: Asker, path: str, key: str, value: Any, field: str, message: str
) -> None:
    """In VMAPI's words."""
    answer = ask.post(f"{path}/tags", {key: value})

    assert answer.json()["errors"] == [{"field": field, "code": "Invalid", "message": message}]


def test_tags_of_docker_stay(ask: Asker, held: MachineRecord, path: str) -> None:
    """They are neither deleted nor replaced away."""
    held.tags["sdc_docker"] = True

    answer = ask("DELETE", f"{path}/tags/sdc_docker")
    assert refusal(answer) == VALIDATION
    assert answer.json()["errors"][0]["message"] == 'Special tag "sdc_docker" may not be deleted'
    assert refusal(ask("DELETE", f"{path}/tags")) == VALIDATION
    assert refusal(ask("PUT", f"{path}/tags", json={"a": "b"})) == VALIDATION


# Metadata


def test_metadata_is_listed(ask: Asker, held: MachineRecord, path: str) -> None:
    """With the passwords when they are asked for, by login."""
    held.credentials = {"root_pw": "secret"}

    assert ask.get(f"{path}/metadata").json() == {"user-script": "true", "n": 1}
    assert ask.get(f"{path}/metadata?credentials=1").json()["credentials"] == {"root": "secret"}
    assert ask.get(f"{path}/metadata/credentials").json() == {"root": "secret"}


def test_encryption_shows_among_the_passwords(ask: Asker, held: MachineRecord, path: str) -> None:
    """Machines know it from the same place; they themselves show passwords only."""
    held.credentials, held.encrypted = {"root_pw": "secret"}, True

    assert ask.get(f"{path}/metadata/credentials").json() == {"root": "secret", "encrypted": True}
    assert ask.get(f"{path}?credentials=1").json()["metadata"]["credentials"] == {"root": "secret"}


def test_metadatum_is_text(ask: Asker, path: str) -> None:
    """Anything else counts as not there."""
    assert ask.get(f"{path}/metadata/user-script").json() == "true"
    assert ask.get(f"{path}/metadata/n").json()["message"] == "n is not metadata"
    assert refusal(ask.get(f"{path}/metadata/x")) == NOT_FOUND


def test_metadata_is_merged(ask: Asker, held: MachineRecord, path: str) -> None:
    """The answer is a prediction with a job's id; reserved names and passwords are dropped."""
    answer = ask.post(f"{path}/metadata", {"a": 1, "root_pw": "x", "uuid": "x", "credentials": "x"})

    assert answer.json() == {"user-script": "true", "n": 1, "a": 1}
    assert "x-job-uuid" in answer.headers
    assert ask.get(f"{path}/metadata").json() == {"user-script": "true", "n": 1, "a": 1}
    assert ask.audit(held.id) == [("set_metadata", "yes")]


@pytest.mark.parametrize("body", [{}, {"root_pw": "x"}, {"a": [1]}, {"a": None}])
def test_metadata_must_be_simple(ask: Asker, path: str, body: dict[str, Any]) -> None:
    """Nothing at all, or what is neither text, number nor boolean, is refused."""
    answer = ask.post(f"{path}/metadata", body)

    assert refusal(answer) == VALIDATION
    assert answer.json()["message"] == "Invalid metadatum parameters"
    assert answer.json()["errors"][0]["field"] == ("customer_metadata.a" if "a" in body else "customer_metadata")


def test_metadata_is_deleted(ask: Asker, held: MachineRecord, path: str) -> None:
    """One entry, or all but two; CloudAPI leaves two ids behind."""
    held.metadata["root_authorized_keys"] = "ssh-ed25519 x"
    assert ask("DELETE", f"{path}/metadata/n").status_code == 204
    assert "n" not in ask.get(f"{path}/metadata").json()

    assert ask("DELETE", f"{path}/metadata").status_code == 204
    expected = {"uuid": held.id, "owner_uuid": held.owner, "root_authorized_keys": "ssh-ed25519 x"}
    assert ask.get(f"{path}/metadata").json() == expected
    assert ask.audit(held.id) == [("replace_metadata", "yes"), ("remove_metadata", "yes")]


@pytest.mark.parametrize("key", ["credentials", "administrator_pw", "root_authorized_keys"])
def test_some_metadata_stays(ask: Asker, path: str, key: str) -> None:
    """Three entries cannot be deleted by name."""
    answer = ask("DELETE", f"{path}/metadata/{key}")

    assert refusal(answer) == (409, "InvalidArgument")
    assert answer.json()["message"] == f"Metadata key {key} can not be deleted"


def test_unknown_metadatum_is_a_404(ask: Asker, path: str) -> None:
    """It cannot be deleted either."""
    for method in ("GET", "DELETE"):
        answer = ask(method, f"{path}/metadata/x")
        assert (refusal(answer), answer.json()["message"]) == (NOT_FOUND, 'metadatum "x" not found')


# Snapshots


def test_snapshot_is_made_by_a_job(ask: Asker, held: MachineRecord, path: str) -> None:
    """Its creation shows no dates, it reads ``deleted`` while the job runs, and then it is there."""
    ask.cloud.transitions.policy = ByScript()
    answer = ask.post(f"{path}/snapshots", {"name": "s1"})

    assert (answer.status_code, answer.json()) == (201, {"name": "s1", "state": "queued"})
    assert "Location" not in answer.headers
    assert ask.get(f"{path}/snapshots/s1").json() == {"name": "s1", "state": "deleted"}
    assert ask.get(f"{path}/snapshots").json() == []
    ask.cloud.clock.sleep(5)
    ask.cloud.transitions.release()
    date = "2026-01-01T00:00:05.000Z"
    expected = {"name": "s1", "state": "created", "size": 28_672, "created": date, "updated": date}
    assert ask.get(f"{path}/snapshots/s1").json() == expected
    assert ask.get(f"{path}/snapshots").json() == [expected]
    assert ask.audit(held.id) == [("create_snapshot", "yes")]


def test_snapshot_gets_the_times_name(ask: Asker, path: str) -> None:
    """With a capital T, in UTC."""
    assert ask.post(f"{path}/snapshots").json()["name"] == "20260101T000000Z"


def test_snapshot_name_can_be_had_once(ask: Asker, held: MachineRecord, path: str) -> None:
    """The second job fails, and the state is that of the job which made the snapshot."""
    for _ in range(2):
        ask.post(f"{path}/snapshots", {"name": "s1"})

    assert ask.audit(held.id) == [("create_snapshot", "no"), ("create_snapshot", "yes")]
    assert [each["state"] for each in ask.get(f"{path}/snapshots").json()] == ["created"]


def test_rollback_boots_and_forgets_the_later_ones(ask: Asker, held: MachineRecord, path: str) -> None:
    """A stopped machine runs again."""
    for name in ("s1", "s2", "s3"):
        ask.post(f"{path}/snapshots", {"name": name})
    ask.act(held.id, "stop")

    assert ask.post(f"{path}/snapshots/s2").status_code == 202
    assert ask.state(held.id) == "running"
    assert [each["name"] for each in ask.get(f"{path}/snapshots").json()] == ["s1", "s2"]
    assert ask.audit(held.id)[0] == ("rollback_snapshot", "yes")


def test_rollback_may_come_too_late(ask: Asker, held: MachineRecord, path: str) -> None:
    """When the snapshot is deleted first, the job fails."""
    ask.post(f"{path}/snapshots", {"name": "s1"})
    ask.state(held.id)
    ask.cloud.transitions.policy = ByScript()
    ask("DELETE", f"{path}/snapshots/s1")
    ask.post(f"{path}/snapshots/s1")
    for _ in range(2):
        ask.cloud.transitions.release()

    assert ask.audit(held.id)[:2] == [("rollback_snapshot", "no"), ("delete_snapshot", "yes")]


def test_deleted_snapshot_leaves_a_trace(ask: Asker, path: str) -> None:
    """Its jobs are still known, so it reads ``deleted``."""
    ask.post(f"{path}/snapshots", {"name": "s1"})

    assert ask("DELETE", f"{path}/snapshots/s1").status_code == 204
    assert ask.get(f"{path}/snapshots").json() == []
    assert ask.get(f"{path}/snapshots/s1").json()["state"] == "deleted"


def test_unknown_snapshot_is_a_404(ask: Asker, path: str) -> None:
    """In two different ways."""
    assert ask.get(f"{path}/snapshots/x").json()["message"] == "Snapshot does not exist"
    assert ask("DELETE", f"{path}/snapshots/x").json()["message"] == "x not found"


def test_rollback_to_an_unknown_snapshot_fails_later(ask: Asker, held: MachineRecord, path: str) -> None:
    """It is accepted; the job stops the machine before it finds that there is nothing to go back to."""
    assert ask.post(f"{path}/snapshots/x").status_code == 202
    assert ask.audit(held.id) == [("rollback_snapshot", "no")]
    assert ask.state(held.id) == "stopped"
    assert ask.get(f"{path}/snapshots/x").json() == {"name": "x", "state": "deleted"}


def test_snapshot_without_a_job_has_no_state(ask: Asker, held: MachineRecord, path: str) -> None:
    """The records of jobs do not last for ever."""
    ask.post(f"{path}/snapshots", {"name": "s1"})
    ask.state(held.id)
    held.jobs.clear()

    assert "state" not in ask.get(f"{path}/snapshots").json()[0]
    assert ask.get(f"{path}/snapshots/s1").status_code == 404


def test_snapshots_are_for_containers(ask: Asker, held: MachineRecord, path: str) -> None:
    """KVM never has them, bhyve where operators say so."""
    held.brand = "kvm"
    assert refusal(ask.post(f"{path}/snapshots")) == (409, "BrandNotSupported")
    held.state = "provisioning"
    assert refusal(ask.post(f"{path}/snapshots")) == (409, "UnallocatedVM")
    held.brand, held.state = "bhyve", "running"
    assert refusal(ask.post(f"{path}/snapshots")) == (409, "InvalidArgument")
    ask.cloud.state.settings.bhyve_snapshots = True
    assert ask.post(f"{path}/snapshots").status_code == 201


@pytest.mark.parametrize(("method", "place"), [("POST", ""), ("POST", "/s1"), ("DELETE", "/s1")])
def test_snapshots_are_not_for_delegated_datasets(
    ask: Asker, held: MachineRecord, path: str, method: str, place: str
) -> None:
    """VMAPI refuses them."""
    ask.post(f"{path}/snapshots", {"name": "s1"})
    ask.state(held.id)
    held.delegate_dataset = True

    answer = ask(method, f"{path}/snapshots{place}")
    assert refusal(answer) == (409, "BrandNotSupported")
    assert answer.json()["message"] == "snapshots are not supported for VMs with delegated datasets"
