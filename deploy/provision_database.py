"""PostgreSQL as the services need it: one database, and for each service a schema, an owner and a login.

An owner cannot log in, a login owns nothing: a service that is broken into cannot change its own tables. What a
login may do with each table is granted by the migrations of the service.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg

DATABASE = "ruta"
OPERATOR = "ruta_operator"


@dataclass(frozen=True)
class Schema:
    """A schema, the role that owns it (no login), the role that uses it (login), the folder of its migrations below
    ``services/``, and whether the operator reads it."""

    name: str
    owner: str
    login: str
    migrations: str
    operator_reads: bool = True


SCHEMAS = (
    Schema("referrals", "referrals_owner", "referrals_app", "referrals/migrations"),
    Schema("notifications", "notifications_owner", "notifications_app", "notifications/migrations"),
    Schema("pgqueuer", "notifications_owner", "notifications_app", "notifications/migrations_pgqueuer"),
    Schema("audit", "audit_owner", "audit_app", "audit/migrations"),
    # The keys that make the log readable: destroyed to erase, and read by nobody but their own login.
    Schema("audit_keys", "audit_keys_owner", "audit_keys_app", "audit/migrations_keys", operator_reads=False),
)
LOGINS = (*dict.fromkeys(schema.login for schema in SCHEMAS), OPERATOR)


@dataclass(frozen=True)
class Existing:
    """What the server has: role → may log in; schema → owner; (role, schema) with USAGE; role → search_path."""

    roles: dict[str, bool]
    schemas: dict[str, str]
    usage: frozenset[tuple[str, str]]
    search_paths: dict[str, str]
    connect: frozenset[str]
    readable_owners: frozenset[str]


@dataclass(frozen=True)
class Change:
    """One statement, and the same for people (the statement may hold a password)."""

    text: str
    statement: str


def plan(have: Existing, passwords: dict[str, str]) -> tuple[Change, ...]:
    """The statements that are missing. `passwords`: logins whose password has to be set.

    Names and passwords come from this file and from our own generator: no quote can be in them.
    """
    return (*_roles(have, passwords), *_connections(have), *_schemas(have))


def _roles(have: Existing, passwords: dict[str, str]) -> Iterable[Change]:
    for owner in dict.fromkeys(schema.owner for schema in SCHEMAS):
        if owner not in have.roles:
            yield Change(f"+ role {owner}", f"CREATE ROLE {owner} NOLOGIN")
    for login in LOGINS:
        if login not in have.roles:
            yield Change(f"+ login {login}", f"CREATE ROLE {login} LOGIN PASSWORD '{passwords[login]}'")
        elif login in passwords:
            yield Change(f"~ password of {login}", f"ALTER ROLE {login} LOGIN PASSWORD '{passwords[login]}'")


def _connections(have: Existing) -> Iterable[Change]:
    if "public" in have.connect:
        yield Change("- everybody may connect", f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
    for login in LOGINS:
        if login not in have.connect:
            grant = f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO {login}"
            yield Change(f"+ {login} may connect", grant)


def _schemas(have: Existing) -> Iterable[Change]:
    paths = {schema.login: schema.name for schema in reversed(SCHEMAS)}  # the first schema of a login is its own
    for schema in SCHEMAS:
        name, owner = schema.name, schema.owner
        if name not in have.schemas:
            yield Change(f"+ schema {name}", f"CREATE SCHEMA {name} AUTHORIZATION {owner}")
        elif have.schemas[name] != owner:
            yield Change(f"~ owner of schema {name}: {owner}", f"ALTER SCHEMA {name} OWNER TO {owner}")
        users = (schema.login, OPERATOR) if schema.operator_reads else (schema.login,)
        for user in users:
            if (user, name) not in have.usage:
                yield Change(f"+ {user} may use schema {name}", f"GRANT USAGE ON SCHEMA {name} TO {user}")
    for login, path in paths.items():
        if have.search_paths.get(login) != path:
            yield Change(
                f"~ search path of {login}: {path}",
                f"ALTER ROLE {login} IN DATABASE {DATABASE} SET search_path = {path}",
            )
    for owner in dict.fromkeys(schema.owner for schema in SCHEMAS if schema.operator_reads):
        if owner not in have.readable_owners:
            yield Change(
                f"+ {OPERATOR} may read what {owner} makes",
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT ON TABLES TO {OPERATOR}",
            )


async def read(connection: asyncpg.Connection) -> Existing:
    """What there is, seen from inside the database."""
    roles = await connection.fetch("SELECT rolname, rolcanlogin FROM pg_roles")
    schemas = await connection.fetch(
        "SELECT nspname, pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE nspname !~ '^pg_'"
    )
    usage = await connection.fetch(
        "SELECT coalesce(r.rolname, 'public') AS role, n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a "
        "LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE a.privilege_type = 'USAGE'"
    )
    paths = await connection.fetch(
        "SELECT r.rolname, substr(c, length('search_path=') + 1) AS path FROM pg_db_role_setting s "
        "JOIN pg_roles r ON r.oid = s.setrole JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c "
        "WHERE d.datname = $1 AND c LIKE 'search_path=%'",
        DATABASE,
    )
    connect = await connection.fetch(
        "SELECT coalesce(r.rolname, 'public') AS role FROM pg_database d, "
        "aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a LEFT JOIN pg_roles r ON r.oid = a.grantee "
        "WHERE d.datname = $1 AND a.privilege_type = 'CONNECT'",
        DATABASE,
    )
    readable = await connection.fetch(
        "SELECT pg_get_userbyid(d.defaclrole) AS owner FROM pg_default_acl d, aclexplode(d.defaclacl) a "
        "WHERE d.defaclobjtype = 'r' AND a.privilege_type = 'SELECT' AND a.grantee = to_regrole($1)::oid",
        OPERATOR,
    )
    return Existing(
        roles={row["rolname"]: row["rolcanlogin"] for row in roles},
        schemas={row["nspname"]: row["owner"] for row in schemas},
        usage=frozenset((row["role"], row["nspname"]) for row in usage),
        search_paths={row["rolname"]: row["path"] for row in paths},
        connect=frozenset(row["role"] for row in connect),
        readable_owners=frozenset(row["owner"] for row in readable),
    )
