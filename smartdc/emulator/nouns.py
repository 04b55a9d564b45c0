"""All modules with handlers; importing this one registers the handlers on their routes."""

from importlib import import_module

_NAMES = {
    "machine": "action audit changefeed create disk machine metadata migration nic snapshot tag vnc",
    "pipeline": "redirect",
    "resources": "access_key account config datacenter firewall_rule image image_action ip key network package policy role "
    "role_tag service user vlan volume",
}
NOUNS = tuple(
    import_module(f"smartdc.emulator.{folder}.{name}") for folder, names in _NAMES.items() for name in names.split()
)
