"""A broker that lets in who has a password, and does for them what is granted and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from worker.devkit.kafka import KafkaBroker, Listener
from worker.devkit.ports import LOOPBACK, free_ports
from worker.settings import Settings
from worker.stream.rights.table import Kind, Operation, Right

USERS = 200
"""Whom the broker knows: as many as there are cases, each with rights of its own."""
PASSWORD = "of-every-user"  # noqa: S105  of a broker that lives for a test
APPLIED_S = 30.0
"""Longest wait until the broker goes by rights that its controller has taken in."""

_LOGINS = " ".join(f'user_u{number}="{PASSWORD}"' for number in range(USERS))
_SETTINGS = {
    "listener.name.secured.sasl.enabled.mechanisms": "PLAIN",
    "listener.name.secured.plain.sasl.jaas.config": (
        f"org.apache.kafka.common.security.plain.PlainLoginModule required {_LOGINS};"
    ),
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "false",
    # The broker's own listener, for itself and for whoever administers it here.
    "super.users": "User:ANONYMOUS",
}
_KINDS = {
    Kind.TOPIC: ResourceType.TOPIC,
    Kind.GROUP: ResourceType.GROUP,
    Kind.TRANSACTIONAL_ID: ResourceType.TRANSACTIONAL_ID,
}
_OPERATIONS = {
    Operation.READ: AclOperation.READ,
    Operation.WRITE: AclOperation.WRITE,
    Operation.CREATE: AclOperation.CREATE,
    Operation.DESCRIBE: AclOperation.DESCRIBE,
    Operation.DESCRIBE_CONFIGS: AclOperation.DESCRIBE_CONFIGS,
}


class Guarded:
    """The broker, and the rights of its users."""

    def __init__(self, broker: KafkaBroker, secured: str, password_file: Path) -> None:
        self.bootstrap = broker.bootstrap
        """Where everything is allowed."""
        self._secured = secured
        self._password_file = password_file
        self._admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        self._names = iter(range(USERS))

    def new_user(self, allowed: Iterable[Right]) -> str:
        """A user that nobody was before, with just these rights."""
        user = f"u{next(self._names)}"
        self.allow(user, allowed)
        return user

    def allow(self, user: str, allowed: Iterable[Right]) -> None:
        """Grant these rights; the broker goes by them when this returns."""
        bindings = [_binding(user, right) for right in allowed]
        if bindings:
            for made in self._admin.create_acls(bindings).values():
                made.result()
            self._await(user, has=bindings)

    def take_away(self, user: str, right: Right) -> None:
        """Take a right away; the broker goes by that when this returns."""
        one = _binding(user, right)
        given = (one.restype, one.name, one.resource_pattern_type, one.principal, one.host, one.operation)
        for gone in self._admin.delete_acls([AclBindingFilter(*given, one.permission_type)]).values():
            gone.result()
        self._await(user, lacks=one)

    def as_user(self, user: str, settings: Settings) -> Settings:
        """The same settings for a process that logs in as the user."""
        given: dict[str, Any] = {name: getattr(settings, name) for name in settings.model_fields_set}
        return Settings(
            **given
            | {
                "bootstrap_servers": self._secured,
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "PLAIN",
                "sasl_username": user,
                "sasl_password_file": self._password_file,
            }
        )

    def _await(self, user: str, *, has: Sequence[AclBinding] = (), lacks: AclBinding | None = None) -> None:
        deadline = time.monotonic() + APPLIED_S
        while time.monotonic() < deadline:
            known = self._admin.describe_acls(_filter(f"User:{user}")).result()
            if set(has) <= set(known) and lacks not in known:
                return
            time.sleep(0.01)
        raise AssertionError(f"the broker did not take the rights of {user} in")


@contextmanager
def guarded_broker(directory: Path) -> Iterator[Guarded]:
    """Such a broker; it ends with this."""
    (port,) = free_ports(1)
    directory.mkdir(parents=True, exist_ok=True)
    password_file = directory / "password"
    password_file.write_text(PASSWORD)
    listener = Listener("SECURED", port, port, "SASL_PLAINTEXT")
    with KafkaBroker(directory / "kafka", listeners=[listener], settings=_SETTINGS) as broker:
        yield Guarded(broker, f"{LOOPBACK}:{port}", password_file)


def _binding(user: str, right: Right) -> AclBinding:
    resource, operation = right
    pattern = ResourcePatternType.PREFIXED if resource.is_prefix else ResourcePatternType.LITERAL
    return AclBinding(
        _KINDS[resource.kind], resource.name, pattern, f"User:{user}", "*", _OPERATIONS[operation],
        AclPermissionType.ALLOW,
    )  # fmt: skip


def _filter(principal: str) -> AclBindingFilter:
    return AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, principal, None, AclOperation.ANY,
        AclPermissionType.ANY,
    )  # fmt: skip
