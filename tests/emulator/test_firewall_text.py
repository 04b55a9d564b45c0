"""The language of firewall rules in the emulator: what it takes, how it writes it, and what it says of the rest.

The texts and messages are those of the npm package ``fwrule`` 2.1.1, which FWAPI uses, as its version 4.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartdc.emulator.grammar.firewall_text import read_rule
from smartdc.emulator.grammar.firewall_tokens import RuleError

VM = "0abeae82-c040-4080-ac60-b60d3e3890a7"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("FROM any TO all vms ALLOW tcp port 80", "FROM any TO all vms ALLOW tcp PORT 80"),
        ("from ( any ) to (ALL VMS) block udp (port all)", "FROM any TO all vms BLOCK udp PORT all"),
        (
            f"FROM vm {VM} TO subnet 10.9.9.0/24 BLOCK tcp port 25",
            f"FROM vm {VM} TO subnet 10.9.9.0/24 BLOCK tcp PORT 25",
        ),
        (
            "FROM ip 10.9.9.7 TO (tag www OR tag testwww) ALLOW tcp (port 80 AND port 443)",
            'FROM ip 10.9.9.7 TO (tag "testwww" OR tag "www") ALLOW tcp (PORT 80 AND PORT 443)',
        ),
        (
            "FROM tag group=www TO tag group = mon ALLOW udp port 514",
            'FROM tag "group" = "www" TO tag "group" = "mon" ALLOW udp PORT 514',
        ),
        ("FROM all vms TO tag a-b ALLOW tcp ports 80, 22", 'FROM all vms TO tag "a-b" ALLOW tcp (PORT 22 AND PORT 80)'),
        ("FROM any TO all vms ALLOW tcp PORTS 8000-8100, 443", "FROM any TO all vms ALLOW tcp PORTS 443, 8000 - 8100"),
        ("FROM any TO all vms ALLOW tcp PORTS 80 - 80", "FROM any TO all vms ALLOW tcp PORT 80"),
        ("FROM any TO all vms ALLOW tcp PORTS 80, 1-65535", "FROM any TO all vms ALLOW tcp PORT all"),
        ("FROM any TO all vms ALLOW icmp TYPE 8 CODE 0", "FROM any TO all vms ALLOW icmp TYPE 8 CODE 0"),
        ("FROM any TO all vms ALLOW icmp6 (type 8 AND type 1)", "FROM any TO all vms ALLOW icmp6 (TYPE 1 AND TYPE 8)"),
        ("FROM any TO all vms ALLOW icmp TYPE ALL", "FROM any TO all vms ALLOW icmp TYPE all"),
        ("FROM any TO all vms ALLOW AH", "FROM any TO all vms ALLOW ah"),
        ("FROM any TO all vms ALLOW esp priority 0", "FROM any TO all vms ALLOW esp"),
        ("FROM any TO all vms ALLOW esp PRIORITY 100", "FROM any TO all vms ALLOW esp PRIORITY 100"),
        (
            f"FROM any TO (vm {VM} OR tag b = 2 OR tag b = 1 OR subnet fd00::/64 OR ip 10.0.0.9 OR ip 10.0.0.10) BLOCK ah",
            f'FROM any TO (ip 10.0.0.10 OR ip 10.0.0.9 OR subnet fd00::/64 OR tag "b" = "1" OR tag "b" = "2" OR vm {VM}) BLOCK ah',
        ),
        (
            "FROM (tag x = 1 OR tag x OR tag y OR tag y) TO any BLOCK tcp PORT 1",
            'FROM (tag "x" OR tag "y") TO any BLOCK tcp PORT 1',
        ),
        (
            r'FROM tag "a \"b\" (c)\t\\" = "\u2003\/é" TO any BLOCK tcp PORT 1',
            r'FROM tag "a \"b\" \(c\)\t\\" = "\u2003/é" TO any BLOCK tcp PORT 1',
        ),
    ],
)
def test_rule_is_written_in_one_way(text: str, written: str) -> None:
    """Targets are sorted and bare of doubles, tags are quoted, and keywords are in capitals."""
    assert str(read_rule(text)) == written
    assert str(read_rule(written)) == written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Error at character 0: '', expected: 'FROM', found: EOF"),
        ("invalid", "Error at character 0: 'invalid', expected: 'FROM', found: word"),
        ("From any TO all vms ALLOW tcp PORT 1", "Error at character 0: 'From', expected: 'FROM', found: word"),
        (
            "FROM foo TO ip 8.8.8.8 ALLOW udp port 53",
            "Error at character 4: 'foo', expected: '(', 'all', 'any', 'ip', 'subnet', 'vm', 'tag', found: word",
        ),
        (
            "FROM ip 10.99.99.99.254 TO tag role ALLOW tcp port 22",
            "Error at character 19: '.254 TO tag role ALL', found: unexpected text",
        ),
        ("FROM (all vms OR tag x) TO any ALLOW udp PORT 1", "Error at character 13: 'OR', expected: ')', found: OR"),
        ("FROM (any OR tag x) TO any ALLOW udp PORT 1", "Error at character 9: 'OR', expected: ')', found: OR"),
        ("FROM tag all TO any ALLOW udp PORT 1", "Error at character 8: 'all', expected: 'WORD', 'STRING', found: ALL"),
        (
            "FROM tag x TO any ALLOW udp (port 53 AND port ALL)",
            "Error at character 45: 'ALL', expected: 'WORD', found: ALL",
        ),
        ("FROM all vms TO any ALLOW tcp", "Error at character 29: '', expected: '(', 'PORT', 'PORTS', found: EOF"),
        ("FROM tag x TO ip 10.288.0.0 ALLOW udp port 1", 'IPv4 address "10.288.0.0" is invalid'),
        ("FROM tag x TO ip 0.0.0.0 ALLOW udp port 1", 'IPv4 address "0.0.0.0" is invalid'),
        ("FROM tag x TO ip 255.255.255.255 ALLOW udp port 1", 'IPv4 address "255.255.255.255" is invalid'),
        ("FROM tag x TO ip fd00::12345 ALLOW udp port 1", 'IPv6 address "fd00::12345" is invalid'),
        (
            "FROM tag x TO subnet 10.350.0.0/24 ALLOW udp port 1",
            'Subnet "10.350.0.0/24" is invalid (bad address component)',
        ),
        ("FROM tag x TO subnet 10.8.0.0/33 ALLOW udp port 1", 'Subnet "10.8.0.0/33" is invalid (bad prefix length)'),
        (
            "FROM tag x TO subnet 10.8.0.0/5 ALLOW udp port 1",
            'Subnet "10.8.0.0/5" is invalid (bits set to right of mask)',
        ),
        ("FROM tag x TO subnet fd00::/130 ALLOW udp port 1", 'Subnet "fd00::/130" is invalid (bad prefix length)'),
        ("FROM tag x TO any ALLOW udp port 0", 'Port number "0" is invalid'),
        ("FROM tag x TO any ALLOW udp port 65536", 'Port number "65536" is invalid'),
        ("FROM tag x TO any ALLOW tcp ports 1-20-30", '"1-20-30" is not a valid port number or range'),
        ("FROM tag x TO any ALLOW tcp ports 20-bar", 'Port number "bar" is invalid'),
        ("FROM tag x TO any ALLOW tcp ports 20 - 10", "The end of the range (10) cannot be less than the start (20)"),
        ("FROM vm asdf TO any ALLOW udp port 50", 'UUID "asdf" is invalid'),
        ("FROM tag x TO any ALLOW tcp PORT all PRIORITY 101", 'Priority level "101" is invalid'),
        ("FROM tag x TO any ALLOW tcp PORT all PRIORITY now", 'Priority level "now" is invalid'),
        ("FROM all vms TO any BLOCK ICMP TYPE 256", 'ICMP type "256" is invalid'),
        ("FROM all vms TO any BLOCK ICMP TYPE 8 CODE 256", 'ICMP code "256" is invalid'),
        ("FROM all vms TO ip fd00::45 BLOCK ICMP TYPE 8", "rule affects ICMPv4 but contains a non-IPv4 address"),
        ("FROM all vms TO subnet fe80::/64 BLOCK ICMP TYPE 8", "rule affects ICMPv4 but contains a non-IPv4 subnet"),
        ("FROM all vms TO ip 1.2.3.4 BLOCK ICMP6 TYPE 8", "rule affects ICMPv6 but contains a non-IPv6 address"),
        ("FROM any TO any ALLOW TCP port 53", "rule does not affect VMs"),
        ("FROM ip 10.9.0.1 TO subnet 10.9.0.0/16 ALLOW TCP port 53", "rule does not affect VMs"),
        (
            f"FROM ({' OR '.join(f'ip 10.0.0.{n}' for n in range(1, 26))}) TO all vms ALLOW TCP port 53",
            "maximum of 24 targets allowed per side",
        ),
        (
            f"FROM all vms TO any BLOCK TCP ({' AND '.join(f'port {n}' for n in range(1, 26))})",
            "maximum of 24 ports allowed",
        ),
        (
            f"FROM all vms TO any BLOCK ICMP ({' AND '.join(f'type {n}' for n in range(25))})",
            "maximum of 24 types allowed",
        ),
    ],
)
def test_rule_is_refused(text: str, message: str) -> None:
    """What is wrong with a rule is told in FWAPI's words, with the place where its text breaks off."""
    with pytest.raises(RuleError) as caught:
        read_rule(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text",
    [
        f"FROM ({' OR '.join(f'ip 10.0.0.{n}' for n in range(1, 25))}) TO all vms ALLOW tcp PORT 53",
        f"FROM all vms TO ({' OR '.join(f'ip 10.0.0.{n}' for n in range(1, 25))}) ALLOW tcp PORT 53",
        f"FROM all vms TO any BLOCK tcp ({' AND '.join(f'PORT {n}' for n in range(1, 25))})",
        f"FROM all vms TO any BLOCK tcp PORTS 1 - 2, {', '.join(f'{n}' for n in range(3, 26))}",
        f"FROM all vms TO any BLOCK icmp ({' AND '.join(f'TYPE {n}' for n in range(24))})",
        "FROM all vms TO any BLOCK tcp (PORT 1 AND PORT 65535)",
        "FROM all vms TO any BLOCK icmp (TYPE 0 CODE 0 AND TYPE 255 CODE 255)",
    ],
)
def test_limit_of_a_rule_is_allowed(text: str) -> None:
    """24 targets on a side, 24 ports or types, and the lowest and highest numbers are taken; the next are refused above."""
    rule = read_rule(text)
    sides = len(rule.sources), len(rule.destinations), len(rule.ports)
    assert 24 in sides or len(rule.ports) == 2
    assert read_rule(str(rule)) == rule


def test_rule_that_is_no_text_is_refused() -> None:
    """A number is no rule."""
    with pytest.raises(RuleError, match="must be a string"):
        read_rule(7)


names = st.text(min_size=1, max_size=12)


@given(names, st.none() | names)
def test_any_tag_survives(name: str, value: str | None) -> None:
    """Whatever a tag is called, its rule can be written and read again, and is for the machines that have the tag."""
    quoted = [None if text is None else "".join(f"\\u{unit:04x}" for unit in _units(text)) for text in (name, value)]
    wanted = "" if value is None else f' = "{quoted[1]}"'
    rule = read_rule(f'FROM any TO tag "{quoted[0]}"{wanted} ALLOW tcp PORT 1')
    again = read_rule(str(rule))
    assert again == rule
    assert again.concerns(VM, {_units_as_text(name): "" if value is None else _units_as_text(value)})
    assert not again.concerns(VM, {})


def _units(text: str) -> list[int]:
    """Return a text as UTF-16 has it, which is what JavaScript counts in."""
    raw = text.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(raw[place : place + 2]) for place in range(0, len(raw), 2)]


def _units_as_text(text: str) -> str:
    return "".join(map(chr, _units(text)))


@given(st.text(alphabet='FROMTOalvmsnyLWipb.:/0129()"\\- ,=', max_size=60))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    """Nothing breaks the reader."""
    try:
        rule = read_rule(text)
    except RuleError:
        return
    assert read_rule(str(rule)) == rule
