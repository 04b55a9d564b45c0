"""`OwnsResources`: all nouns of an account except machines, as one mix-in of `DataCenter`."""

from __future__ import annotations

from smartdc.resources.access_key import HasAccessKeys
from smartdc.resources.account import HasAccount
from smartdc.resources.config import HasConfig
from smartdc.resources.firewall_rule import CreatesFirewallRules
from smartdc.resources.image import HasImages
from smartdc.resources.info import HasInfo
from smartdc.resources.key import HasKeys
from smartdc.resources.network import HasNetworks
from smartdc.resources.package import HasPackages
from smartdc.resources.policy import HasPolicies
from smartdc.resources.role import HasRoles
from smartdc.resources.role_tag import HasRoleTags, HasTaggedCollections
from smartdc.resources.service import HasServices
from smartdc.resources.user import HasUsers
from smartdc.resources.vlan import HasVlans
from smartdc.resources.volume import HasVolumes

__all__ = ["OwnsResources"]


class OwnsResources(
    HasImages,
    HasPackages,
    HasNetworks,
    HasVlans,
    CreatesFirewallRules,
    HasKeys,
    HasAccount,
    HasServices,
    HasVolumes,
    HasUsers,
    HasRoles,
    HasPolicies,
    HasAccessKeys,
    HasConfig,
    HasInfo,
    HasRoleTags,
    HasTaggedCollections,
):
    """Mix-in for the owner of an account's resources."""

    __slots__ = ()
