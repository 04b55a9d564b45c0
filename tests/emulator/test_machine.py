"""Machines in the emulator: lists and their filters, actions, jobs and the audit."""

from __future__ import annotations

from typing import Any

import pytest

from kits.emulator_signer import Asker, refusal
from smartdc.emulator import AfterReads, AfterSeconds, ByScript, Emulator
from smartdc.emulator.state.records import MachineRecord

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ARGUMENT = (409, "InvalidArgument")
VALIDATION = (409, "ValidationFailed")
ACTIONS = ("start", "stop", "reboot", "resize", "rename", "enable_firewall", "disable_firewall")


@pytest.fixture
def ask(cloud: Emulator) -> Asker:
    """A client within the process."""
    return Asker(cloud)


@pytest.fixture
def machine(ask: Asker) -> str:
    """The id of a running machine called web."""
    return ask.cloud.populate(1, name="web")[0].id


def names(ask: Asker, query: str) -> list[str]:
    """Return the names of the machines that a query finds."""
    return [machine["name"] for machine in ask.get(f"/my/machines?{query}").json()]


# Lists


def test_list_is_paged(ask: Asker) -> None:
    """1,500 machines come as 1,000 and 500; each page counts itself and tells the limit."""
    ask.cloud.populate(1500)
    pages = [ask.get(f"/my/machines?offset={offset}") for offset in (0, 1000, 2000)]

    assert [page.headers["x-resource-count"] for page in pages] == ["1000", "500", "0"]
    assert {page.headers["x-query-limit"] for page in pages} == {"1000"}
    assert len({machine["id"] for page in pages for machine in page.json()}) == 1500


def test_head_counts_a_page(ask: Asker) -> None:
    """It is no total either."""
    ask.cloud.populate(3)

    answer = ask("HEAD", "/my/machines?limit=2")
    assert (answer.headers["x-resource-count"], answer.headers["x-query-limit"]) == ("2", "2")


@pytest.mark.parametrize("limit", ["1", "1000"])
def test_limits_are_in_range(ask: Asker, limit: str) -> None:
    """A page has 1 to 1,000 machines."""
    assert ask.get(f"/my/machines?limit={limit}&offset=0").headers["x-query-limit"] == limit


@pytest.mark.parametrize("query", ["limit=1001", "limit=0", "limit=-1", "limit=x", "offset=-1", "offset=x", "memory=x"])
def test_numbers_must_be_in_range(ask: Asker, query: str) -> None:
    """Anything else is VMAPI's 409."""
    answer = ask.get(f"/my/machines?{query}")

    assert refusal(answer) == VALIDATION
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0].replace("memory", "ram")


def test_filters_narrow_the_list(ask: Asker) -> None:
    """Each filter by itself, and all of them together."""
    cloud = ask.cloud
    cloud.populate(1, name="web-1", tags={"role": "www", "n": 1, "b": True})
    cloud.populate(1, name="web-2", package="g1-nano", state="stopped")
    kvm = cloud.populate(1, name="db-1", image="ubuntu-certified-22.04")[0]
    kvm.docker = True

    assert names(ask, "name=web") == ["web-1", "web-2"]
    assert names(ask, "type=virtualmachine") == names(ask, "brand=kvm") == names(ask, "docker=true") == ["db-1"]
    assert names(ask, "type=smartmachine") == names(ask, "docker=false") == ["web-1", "web-2"]
    assert names(ask, f"image={kvm.image}") == ["db-1"]
    assert names(ask, "memory=256") == names(ask, "state=stopped") == ["web-2"]
    assert names(ask, "tag.role=www&tag.n=1&tag.b=true") == ["web-1"]
    assert names(ask, "tag.role=db") == names(ask, "name=web&brand=kvm") == []


def test_states_filter_as_vmapi_does(ask: Asker) -> None:
    """Three words mean active; failed and deleted machines show only as tombstones."""
    for state in ("running", "stopped", "provisioning", "failed", "deleted"):
        ask.cloud.populate(1, name=state, state=state)
    active = ["running", "stopped", "provisioning"]

    assert names(ask, "") == names(ask, "state=active") == names(ask, "state=provisioning") == active
    assert names(ask, "state=running") == ["running"]
    assert names(ask, "state=destroyed") == ["deleted"]
    assert names(ask, "tombstone=false") == [*active, "failed", "deleted"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("state=deleted", "deleted is not a valid state"),
        ("state=failed", "failed is not a valid state"),
        ("type=vm", "vm is not a valid type"),
        ("docker=yes", "yes is not a valid boolean"),
    ],
)
def test_words_must_be_known(ask: Asker, query: str, message: str) -> None:
    """A word that CloudAPI does not know is refused."""
    answer = ask.get(f"/my/machines?{query}")

    assert (refusal(answer), answer.json()["message"]) == (ARGUMENT, message)


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("state=unknown", "state", "Must be one of: active, destroyed, running, stopped"),
        ("brand=xen", "brand", "Must be one of: bhyve, joyent, joyent-minimal, kvm, lx"),
        ("image=base", "image_uuid", "Invalid UUID"),
        ("name=a%20b", "alias", "String does not match the form of a name"),
        ("tag.role=", "tag", 'Invalid tag value: ""'),
    ],
)
def test_words_that_only_vmapi_refuses(ask: Asker, query: str, field: str, message: str) -> None:
    """CloudAPI lets them pass."""
    answer = ask.get(f"/my/machines?{query}")

    assert refusal(answer) == VALIDATION
    assert answer.json()["errors"] == [{"field": field, "code": "Invalid", "message": message}]


def test_image_has_one_name_in_a_list(ask: Asker, machine: str) -> None:
    """Its former name beside it is refused, and alone it filters nothing."""
    image = ask.cloud.state.machines[machine].image

    assert refusal(ask.get(f"/my/machines?image={image}&dataset={image}")) == ARGUMENT
    other = next(each for each in ask.cloud.state.images if each != image)
    assert names(ask, f"dataset={other}") == ["web"]


def test_tags_star_overrides_all_filters(ask: Asker) -> None:
    """Every machine with any tag is listed, without paging."""
    ask.cloud.populate(2, name="tagged-{n}", tags={"a": 1}, state="deleted")
    ask.cloud.populate(1, name="plain")

    answer = ask.get("/my/machines?tags=*&limit=1&state=running")
    assert answer.headers["x-resource-count"] == "2"
    assert "x-query-limit" not in answer.headers


def test_others_machines_are_not_listed(ask: Asker) -> None:
    """An account sees its own."""
    other = ask.cloud.populate(1, account=ask.cloud.state.add_account("other"))[0]

    assert ask.get("/my/machines").json() == []
    assert refusal(ask.get(f"/my/machines/{other.id}")) == (404, "ResourceNotFound")


# One machine


def test_unknown_machine_is_a_404(ask: Asker) -> None:
    """An id that is none is a 409 instead, and so is one in capital letters."""
    assert ask.get(f"/my/machines/{UNKNOWN}").json() == {"code": "ResourceNotFound", "message": "VM not found"}
    for name in ("web", "ABCDEF00-0000-4000-8000-000000000000"):
        answer = ask.get(f"/my/machines/{name}")
        assert refusal(answer) == VALIDATION
        assert answer.json()["errors"] == [{"field": "uuid", "code": "Invalid", "message": "Invalid UUID"}]


def test_first_version_had_no_networks(ask: Asker, machine: str) -> None:
    """A range that is literally 7.0 leaves them out."""
    path = f"/my/machines/{machine}"

    for text in ("~7.0", "7.0.0"):
        assert "networks" not in ask.get(path, headers={"Accept-Version": text}).json()
    assert "networks" in ask.get(path, headers={"Accept-Version": "~7.0||~8"}).json()


def test_odd_fields_show_when_they_are_there(ask: Asker, machine: str) -> None:
    """A Docker machine says so, and one whose package is gone has none."""
    held = ask.cloud.state.machines[machine]
    held.docker, held.package = True, UNKNOWN

    shown = ask.get(f"/my/machines/{machine}").json()
    assert (shown["docker"], shown["package"]) == (True, "")


def test_dns_names_show_where_cns_is(ask: Asker, machine: str) -> None:
    """Data centre and account must both want it, and lists never show them."""
    ask.cloud.state.settings.cns = True
    assert "dns_names" not in ask.get(f"/my/machines/{machine}").json()

    ask.cloud.state.accounts["demo"].cns_enabled = True
    names = ask.get(f"/my/machines/{machine}").json()["dns_names"]
    assert [name.partition(".inst.")[0] for name in names] == [machine, "web"]
    assert "dns_names" not in ask.get("/my/machines").json()[0]


def test_deleted_machine_is_a_410(ask: Asker, machine: str) -> None:
    """Its body is the machine, for reading, for deleting again and for most actions."""
    ask("DELETE", f"/my/machines/{machine}")
    answers = [
        ask.get(f"/my/machines/{machine}"),
        ask("DELETE", f"/my/machines/{machine}"),
        *(ask.act(machine, action) for action in ACTIONS),
    ]

    assert {answer.status_code for answer in answers} == {410}
    assert {answer.json()["id"] for answer in answers} == {machine}
    assert {answer.json()["state"] for answer in answers} == {"deleted"}
    assert ask.act(machine, "enable_deletion_protection").status_code == 202


def test_delete_can_be_repeated(ask: Asker, machine: str) -> None:
    """While the job runs, another request changes nothing."""
    ask.cloud.transitions.policy = ByScript()

    assert [ask("DELETE", f"/my/machines/{machine}").status_code for _ in range(2)] == [204, 204]
    assert len(ask.cloud.state.machines[machine].jobs) == 1


def test_protected_machine_is_not_deleted(ask: Asker, machine: str) -> None:
    """The protection must go first."""
    ask.act(machine, "enable_deletion_protection")

    answer = ask("DELETE", f"/my/machines/{machine}")
    assert refusal(answer) == (409, "CannotDestroyMachineError")
    ask.act(machine, "disable_deletion_protection")
    assert ask("DELETE", f"/my/machines/{machine}").status_code == 204


# Actions


def test_actions_change_the_state(ask: Asker, machine: str) -> None:
    """Each is a 202 without a body, and an entry in the audit."""
    for action, state in (("stop", "stopped"), ("start", "running"), ("reboot", "running")):
        answer = ask.act(machine, action)
        assert (answer.status_code, answer.content) == (202, b"")
        assert ask.state(machine) == state

    assert ask.audit(machine) == [("reboot", "yes"), ("start", "yes"), ("stop", "yes")]


@pytest.mark.parametrize(("state", "action"), [("running", "start"), ("stopped", "stop"), ("stopped", "reboot")])
def test_action_in_the_wrong_state_fails_later(ask: Asker, state: str, action: str) -> None:
    """It is accepted, and only the audit tells that it failed."""
    machine = ask.cloud.populate(1, state=state)[0]

    assert ask.act(machine.id, action).status_code == 202
    assert ask.state(machine.id) == state
    assert ask.audit(machine.id) == [(action, "no")]
    assert f"from a '{state}' state" in str(machine.jobs[0].error)


def test_audit_says_who_and_when(ask: Asker, machine: str) -> None:
    """The time is that of the end, and the key id is the header's own."""
    ask.cloud.transitions.policy = AfterSeconds(5)
    ask.act(machine, "stop")
    ask.cloud.clock.sleep(60)

    [entry] = ask.get(f"/my/machines/{machine}/audit").json()
    assert entry == {
        "success": "yes",
        "time": "2026-01-01T00:00:05.000Z",
        "action": "stop",
        "caller": {"type": "signature", "ip": "127.0.0.1", "keyId": ask.cloud.key_id},
    }


def test_unknown_action_is_refused(ask: Asker, machine: str) -> None:
    """A missing one too, in other words."""
    answer = ask.act(machine, "explode")
    assert (refusal(answer), answer.json()["message"]) == (ARGUMENT, "explode is not a valid action")

    answer = ask.post(f"/my/machines/{machine}")
    assert (refusal(answer), answer.json()["message"]) == ((409, "MissingParameter"), "action is required")


def test_action_may_be_in_the_body(ask: Asker, machine: str) -> None:
    """It is a parameter like any other."""
    assert ask.post(f"/my/machines/{machine}", {"action": "stop"}).status_code == 202
    assert ask.state(machine) == "stopped"


def test_machine_that_is_provisioning_takes_no_action(ask: Asker) -> None:
    """VMAPI refuses it; metadata, tags and deletion are no actions."""
    ask.cloud.transitions.policy = ByScript()
    machine = ask.create()
    ask.cloud.state.accounts["demo"].cns_enabled = False

    for action in (*ACTIONS[:3], "enable_firewall", "enable_deletion_protection"):
        answer = ask.act(machine, action)
        assert refusal(answer) == (409, "UnallocatedVM")
        word = "update" if action.startswith("enable") else action
        assert answer.json()["message"] == f"Cannot call {word} for a VM that has not been provisioned yet"
    assert refusal(ask.act(machine, "rename", name="x")) == (409, "UnallocatedVM")
    assert "call update for" in ask.act(machine, "resize", package="g1-nano").json()["message"]
    assert refusal(ask.post(f"/my/machines/{machine}/snapshots", {})) == (409, "UnallocatedVM")
    assert ask.post(f"/my/machines/{machine}/tags", {"a": 1}).status_code == 200
    assert ask("DELETE", f"/my/machines/{machine}").status_code == 204


def test_firewall_is_switched_once(ask: Asker, machine: str) -> None:
    """What is so already is accepted without a job; the audit calls the rest unknown."""
    for action in ("enable_firewall", "enable_firewall", "disable_firewall", "disable_firewall"):
        assert ask.act(machine, action).status_code == 202
        assert ask.get(f"/my/machines/{machine}").json()["firewall_enabled"] is action.startswith("enable")

    assert ask.audit(machine) == [("unknown", "yes")] * 2


def test_protection_is_switched_once(ask: Asker, machine: str) -> None:
    """The audit calls it by its name."""
    for _ in range(2):
        ask.act(machine, "enable_deletion_protection")

    assert ask.audit(machine) == [("enable_deletion_protection", "yes")]


def test_rename_changes_the_name(ask: Asker, machine: str) -> None:
    """The audit calls it by its name."""
    ask.act(machine, "rename", name="db")

    assert names(ask, "") == ["db"]
    assert ask.audit(machine) == [("rename", "yes")]


def test_rename_to_the_same_name_is_a_duplicate(ask: Asker, machine: str) -> None:
    """VMAPI finds the machine itself among those that have the name."""
    answer = ask.act(machine, "rename", name="web")

    assert refusal(answer) == VALIDATION
    assert answer.json()["errors"][0]["code"] == "Duplicate"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (None, (409, "MissingParameter")),
        ("x" * 190, ARGUMENT),
        ("-", VALIDATION),
        (7, VALIDATION),
        ("other", VALIDATION),
    ],
)
def test_rename_checks_the_name(ask: Asker, machine: str, name: str | int | None, kind: tuple[int, str]) -> None:
    """Missing, too long, malformed and taken are told apart."""
    ask.cloud.populate(1, name="other")

    assert refusal(ask.act(machine, "rename", name=name)) == kind


def test_name_has_189_characters_at_most(ask: Asker, machine: str) -> None:
    """One more is refused by CloudAPI itself, before VMAPI can."""
    assert ask.act(machine, "rename", name="x" * 189).status_code == 202
    answer = ask.act(machine, "rename", name="x" * 190)

    assert refusal(answer) == ARGUMENT
    assert answer.json()["message"] == "Name cannot be longer than 189 characters."


def test_cns_shortens_names(ask: Asker, machine: str) -> None:
    """A DNS label has 63 characters."""
    ask.cloud.state.accounts["demo"].cns_enabled = True

    assert ask.act(machine, "rename", name="x" * 63).status_code == 202
    assert "63 characters" in ask.act(machine, "rename", name="x" * 64).json()["message"]


def test_resize_changes_the_package(ask: Asker, machine: str) -> None:
    """Memory and disk come with it."""
    ask.act(machine, "resize", package="g1-large")

    shown = ask.get(f"/my/machines/{machine}").json()
    assert (shown["package"], shown["memory"], shown["disk"]) == ("g1-large", 8192, 204_800)


def held(ask: Asker, machine: str, **changed: Any) -> MachineRecord:
    """Return a machine as the emulator holds it, with some attributes changed."""
    found = ask.cloud.state.machines[machine]
    for name, value in changed.items():
        setattr(found, name, value)
    return found


@pytest.mark.parametrize(
    ("brand", "package", "message"),
    [
        ("joyent", None, "package must be specified"),
        ("joyent", "g9", "g9 is not a valid package"),
        ("joyent", "g1-nano", "Package RAM (256) is less than allowed by the image (512)"),
        ("joyent", "g1-large", "Package RAM (8192) is more than allowed by the image (4096)"),
        ("kvm", "g1-small", "resize is not supported for KVM virtualmachines"),
        ("bhyve", "b1-fixed", "Resizing to a package without flexible disk space is not supported"),
        ("bhyve", "b1-small", "VM not stopped: changing bhyve CPU or memory requires the instance to be stopped"),
    ],
)
def test_resize_checks_the_package(ask: Asker, machine: str, brand: str, package: str | None, message: str) -> None:
    """Image, brand and state set limits."""
    image = ask.cloud.state.images[held(ask, machine, brand=brand).image]
    image.requirements = {"min_ram": 512, "max_ram": 4096}

    answer = ask.act(machine, "resize", package=package)
    assert (answer.status_code, answer.json()["message"]) == (409, message)


@pytest.mark.parametrize(
    ("requirements", "words"),
    [
        ({"min_ram": 1024, "max_ram": 1024}, None),
        ({"min_ram": 1025}, "Package RAM (1024) is less than allowed by the image (1025)"),
        ({"max_ram": 1023}, "Package RAM (1024) is more than allowed by the image (1023)"),
    ],
)
def test_resize_takes_just_what_the_image_allows(
    ask: Asker, machine: str, requirements: dict[str, int], words: str | None
) -> None:
    """A MiB less or more is refused."""
    ask.cloud.state.images[held(ask, machine).image].requirements = dict(requirements)

    answer = ask.act(machine, "resize", package="g1-small")
    assert (answer.status_code, answer.json()["message"] if words else None) == (409 if words else 202, words)


def test_resize_knows_no_limits_of_a_lost_image(ask: Asker, machine: str) -> None:
    """A custom image may be deleted under its machines."""
    held(ask, machine, image=UNKNOWN)

    assert ask.act(machine, "resize", package="g1-nano").status_code == 202


def test_stopped_bhyve_machine_is_resized(ask: Asker, machine: str) -> None:
    """It only has to stand still."""
    held(ask, machine, brand="bhyve", state="stopped")

    assert ask.act(machine, "resize", package="b1-small").status_code == 202


def test_running_bhyve_machine_keeps_memory_and_processors(ask: Asker, machine: str) -> None:
    """A package that has as much of them may be had at once."""
    package = ask.cloud.state.package_named("b1-small")
    assert package
    held(ask, machine, brand="bhyve", package=package.id)

    assert ask.act(machine, "resize", package="b1-small").status_code == 202
    assert ask.get(f"/my/machines/{machine}").json()["flexible"] is True


def test_bhyve_machine_keeps_its_disks(ask: Asker, machine: str) -> None:
    """A package must hold them all, and may be full."""
    held(ask, machine, brand="bhyve", state="stopped", disks=[{"size": 51_200}, {"size": 1}])

    answer = ask.act(machine, "resize", package="b1-small")
    assert refusal(answer) == VALIDATION
    assert "existing disk usage (51201) exceeds the flexible disk size (51200)" in answer.json()["message"]
    held(ask, machine, disks=[{"size": 51_199}, {"size": 1}])
    assert ask.act(machine, "resize", package="b1-small").status_code == 202


# Jobs


def test_jobs_end_after_reads(ask: Asker, machine: str) -> None:
    """So many reads show the machine as it is, and the next one the outcome."""
    ask.cloud.transitions.policy = AfterReads(2)
    ask.act(machine, "stop")

    assert [ask.state(machine) for _ in range(4)] == ["stopping", "stopping", "stopped", "stopped"]


def test_lists_are_reads(ask: Asker, machine: str) -> None:
    """A waiting client may look at all machines at once."""
    ask.cloud.transitions.policy = AfterReads(1)
    ask.act(machine, "reboot")

    assert [ask.get("/my/machines").json()[0]["state"] for _ in range(2)] == ["ready", "running"]


def test_jobs_end_after_seconds(ask: Asker) -> None:
    """Of the emulator's clock, one job after the other."""
    ask.cloud.transitions.policy = AfterSeconds(10)
    machine = ask.create()
    ask("DELETE", f"/my/machines/{machine}")

    states = []
    for _ in range(4):
        states.append(ask.state(machine))
        ask.cloud.clock.sleep(5)
    assert states == ["provisioning", "provisioning", "running", "running"]
    assert ask.state(machine) == "deleted"
    ask.cloud.clock.sleep(100)
    entries = ask.get(f"/my/machines/{machine}/audit").json()
    assert [entry["time"][14:19] for entry in entries] == ["00:20", "00:10"]


def test_actions_can_have_policies_of_their_own(ask: Asker, machine: str) -> None:
    """A slow start beside quick stops."""
    ask.cloud.transitions.policies["start"] = ByScript()
    ask.act(machine, "stop")
    ask.act(machine, "start")

    assert ask.state(machine) == "stopped"
    assert ask.cloud.transitions.release() == 1
    assert ask.state(machine) == "running"


def test_script_releases_what_it_names(ask: Asker) -> None:
    """All machines, or one, or the jobs of one action."""
    ask.cloud.transitions.policy = ByScript()
    first, second, third = (machine.id for machine in ask.cloud.populate(3))
    ask.act(first, "stop")
    ask.act(second, "stop")
    ask.act(third, "reboot")
    release = ask.cloud.transitions.release

    assert release(first) == 1
    assert [ask.state(machine) for machine in (first, second, third)] == ["stopped", "stopping", "ready"]
    assert release(action="reboot") == 1
    assert ask.state(third) == "running"
    assert (release(), release()) == (1, 0)


def test_jobs_fail_on_request(ask: Asker, machine: str) -> None:
    """So many times, with the state as it was before."""
    ask.cloud.transitions.fail("stop", times=2)
    for _ in range(3):
        ask.act(machine, "stop")

    assert ask.audit(machine) == [("stop", "yes"), ("stop", "no"), ("stop", "no")]
    assert ask.state(machine) == "stopped"


def test_failure_waits_for_its_action(ask: Asker, machine: str) -> None:
    """Other jobs go well."""
    ask.cloud.transitions.fail("reboot")
    ask.act(machine, "stop")

    assert ask.audit(machine) == [("stop", "yes")]


def test_unfinished_jobs_are_not_in_the_audit(ask: Asker, machine: str) -> None:
    """It lists what is over, newest first."""
    ask.cloud.transitions.policy = ByScript()
    ask.act(machine, "stop")

    assert ask.audit(machine) == []
    assert ask("HEAD", f"/my/machines/{machine}/audit").status_code == 200
