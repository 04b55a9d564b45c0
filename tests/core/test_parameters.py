"""`parameters_of`: a method has the parameters of a dataclass as its own, for Python and for who reads signatures."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import get_type_hints

import pytest

from smartdc import DataCenter, Machine
from smartdc.core.parameters import parameters_of


@dataclass(frozen=True)
class Colours:
    """Parameters, one of which has to be given by name."""

    wall: str
    door: str | None = None
    roof: str | None = field(default=None, kw_only=True)


class House:
    """Something with a method of many parameters."""

    @parameters_of(Colours)
    def paint(self, colours: Colours) -> tuple[str, str | None, str | None]:
        """Paint the house."""
        return colours.wall, colours.door, colours.roof


def test_arguments_by_position_and_by_name() -> None:
    """Arguments go where the dataclass has them, and what is not given has its default."""
    assert House().paint("red", "green", roof="blue") == ("red", "green", "blue")
    assert House().paint(door="green", wall="red") == ("red", "green", None)


def test_signature_and_documentation_are_those_of_a_plain_method() -> None:
    """``help``, editors and documentation see each parameter with its type and default."""
    assert str(inspect.signature(House.paint)) == (
        "(self, wall: 'str', door: 'str | None' = None, *, roof: 'str | None' = None)"
        " -> 'tuple[str, str | None, str | None]'"
    )
    assert list(inspect.signature(House().paint).parameters) == ["wall", "door", "roof"]
    assert (House.paint.__doc__, House.paint.__name__) == ("Paint the house.", "paint")


@pytest.mark.parametrize(
    ("arguments", "keywords", "words"),
    [
        ((), {}, r"House.paint\(\) missing 1 required positional argument: 'wall'"),
        (
            ("red",),
            {"dor": "green"},
            r"House.paint\(\) got an unexpected keyword argument 'dor'. Did you mean 'door'\?",
        ),
        (("red",), {"wall": "green"}, r"House.paint\(\) got multiple values for argument 'wall'"),
        (("red", "green", "blue"), {}, r"House.paint\(\) takes from 2 to 3 positional arguments but 4 were given"),
    ],
)
def test_wrong_arguments_are_refused_as_python_does(
    arguments: tuple[str, ...], keywords: dict[str, str], words: str
) -> None:
    """The error names the method, as that of a plain method does."""
    with pytest.raises(TypeError, match=f"^{words}$"):
        House().paint(*arguments, **keywords)


def test_an_error_within_the_method_stays_as_it_is() -> None:
    """Only what is wrong with the arguments is worded anew."""

    class Shed:
        @parameters_of(Colours)
        def paint(self, _: Colours) -> None:
            raise TypeError("Colours.__init__() is not to blame")

    with pytest.raises(TypeError, match=r"Colours\.__init__"):
        Shed().paint("red")


ORIGINAL = {
    "machines": "machine_type name dataset state memory tombstone tags credentials paged limit offset",
    "num_machines": "machine_type dataset state memory tombstone tags",
    "update_account": "email company_name first_name last_name address postal_code city state country phone",
    "create_user": "login email password company_name first_name last_name address postal_code city state country phone",
    "create_image_from_machine": "machine name version",
    "images": "name os version public state owner type",
    "delete_image": "identifier",
    "create_machine": "name package dataset metadata tags boot_script credentials image networks",
}


@pytest.mark.parametrize("method", ORIGINAL)
def test_positions_are_those_of_the_original(method: str) -> None:
    """Scripts that give arguments by position keep their meaning."""
    parameters = inspect.signature(getattr(DataCenter, method)).parameters.values()

    assert [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD] == [
        "self",
        *ORIGINAL[method].split(),
    ]


def test_types_of_the_parameters_can_be_read() -> None:
    """The annotations are those of the dataclass, which tools can resolve."""
    annotations = {each.name: each.annotation for each in inspect.signature(House.paint).parameters.values()}

    assert annotations["door"] == Colours.__annotations__["door"]
    assert get_type_hints(Colours)["door"] == str | None


def test_a_misspelt_filter_is_refused(offline: DataCenter) -> None:
    """A filter that does not exist must not list everything."""
    with pytest.raises(TypeError, match=r"machines\(\) got an unexpected keyword argument 'nmae'"):
        offline.machines(nmae="web")  # type: ignore[call-arg]


def test_a_misspelt_filter_of_a_fleet_is_refused(offline: DataCenter) -> None:
    """In words of what was called."""
    with pytest.raises(
        TypeError, match=r"^fleet\(\) got an unexpected keyword argument 'nmae'. Did you mean 'name'\?$"
    ):
        offline.fleet(nmae="web")


def test_a_class_method_has_them_too() -> None:
    """``CreateMachine``: the class method takes what `DataCenter.create_machine` takes, after the data centre."""
    of_class = list(inspect.signature(Machine.create_in_datacenter).parameters.values())
    of_datacenter = list(inspect.signature(DataCenter.create_machine).parameters.values())

    assert of_class[0].name == "datacenter"
    assert of_class[1:] == of_datacenter[1:]
