"""A broker that knows what is allowed, and taking rights away there."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
"""Settings of such a broker; to begin with, everything is allowed."""


def allow_only(bootstrap: str, kind: ResourceType, name: str, operations: Sequence[AclOperation]) -> None:
    """Allow nobody but a stranger anything with a resource, and these operations everyone."""

    def rule(who: str, operation: AclOperation) -> AclBinding:
        literal, everywhere = ResourcePatternType.LITERAL, "*"
        return AclBinding(kind, name, literal, who, everywhere, operation, AclPermissionType.ALLOW)

    rules = [rule("User:stranger", AclOperation.ALL), *[rule("User:*", each) for each in operations]]
    client = AdminClient({"bootstrap.servers": bootstrap})
    for made in client.create_acls(rules).values():
        made.result()
