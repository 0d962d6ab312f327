"""`townsquare accounts ...` and `townsquare tokens ...`.

Box: cli.
"""

import secrets
from typing import Any

import click
import msgspec

from townsquare.cli.options import Context, WrongUse, data_option, json_option
from townsquare.cli.session import show, table, with_ports
from townsquare.kit.clock import iso
from townsquare.model.account import Account, Role, User
from townsquare.model.errors import NotFound
from townsquare.model.scopes import read_scopes
from townsquare.social import accounts as verbs
from townsquare.social import tokens, users
from townsquare.social.ports import Ports
from townsquare.store.tables import ACCOUNTS, HANDLES, USERS
from townsquare.store.walk import pages

_ROLES = click.Choice([role.value for role in Role])


@click.group()
def accounts() -> None:
    """Make, list, change and delete accounts."""


@accounts.command()
@click.argument("name")
@click.option("--email", required=True, help="E-mail address.")
@click.option("--password", help="Password; made and printed if not given.")
@click.option("--role", type=_ROLES, default=Role.USER.value, show_default=True, help="What the account may do.")
@click.option("--confirmed", is_flag=True, help="Take the address as confirmed: no mail is sent.")
@click.option("--scopes", help='Make a token too, e.g. "read write follow".')
@data_option
@json_option
@click.pass_obj
def create(
    context: Context,
    name: str,
    email: str,
    password: str | None,
    role: str,
    confirmed: bool,
    scopes: str | None,
    data: str | None,
    as_json: bool,
) -> None:
    """Make an account; with --scopes also a token for it."""
    made_password = password or secrets.token_urlsafe(12)

    async def act(ports: Ports) -> dict[str, str]:
        wanted = read_scopes(scopes) if scopes else ()
        account, _ = await users.sign_up(
            ports, username=name, email=email, password=made_password, agreed=True, role=Role(role), confirmed=confirmed
        )
        made = {"id": str(account.account_id), "username": account.username}
        if wanted:
            made["token"], _ = await tokens.issue_token(ports, account_id=account.account_id, app=None, scopes=wanted)
        if password is None:
            made["password"] = made_password
        return made

    made = with_ports(context.settings(data=data), act, new=True)
    show(made, as_json=as_json, text="\n".join(f"{key}: {value}" for key, value in made.items()))


@accounts.command("list")
@click.option("--role", type=_ROLES, help="Only these.")
@data_option
@json_option
@click.pass_obj
def list_accounts(context: Context, role: str | None, data: str | None, as_json: bool) -> None:
    """List the local accounts."""

    async def act(ports: Ports) -> list[dict[str, Any]]:
        found = []
        async for rows in pages(ports.store, ACCOUNTS):
            logins = await ports.store.get_many(USERS, [(row.account_id,) for row in rows])
            found += [
                _facts(row, user)
                for row, user in zip(rows, logins, strict=True)
                if user is not None and not row.deleted and role in (None, row.role.value)
            ]
        return sorted(found, key=lambda each: int(each["id"]))

    found = with_ports(context.settings(data=data), act)
    if as_json:
        show(found, as_json=True, text="")
        return
    columns = ("id", "username", "email", "role", "state", "created_at")
    table(columns, [tuple(str(each[column]) for column in columns) for each in found])


@accounts.command()
@click.argument("name")
@click.option("--role", type=_ROLES, help="What the account may do from now on.")
@click.option("--email", help="Another e-mail address.")
@click.option("--confirm", is_flag=True, default=None, help="Take the address as confirmed.")
@click.option("--disable/--enable", default=None, help="Close or open the log-in.")
@click.option("--suspend/--unsuspend", default=None, help="Hide the account and all it wrote, or show it again.")
@data_option
@json_option
@click.pass_obj
def modify(context: Context, /, name: str, data: str | None, as_json: bool, **changes: Any) -> None:
    """Change an account."""
    if all(value is None for value in changes.values()):
        raise WrongUse("Say what to change; see `townsquare accounts modify --help`.")

    async def act(ports: Ports) -> dict[str, Any]:
        account = await _find(ports, name)
        if changes["email"]:
            await users.change_email(ports, account.account_id, changes["email"])
        if changes["confirm"]:
            await users.change_user(
                ports, account.account_id, lambda user: msgspec.structs.replace(user, confirmed=True)
            )
        if changes["role"]:
            await verbs.change_account(
                ports, account.account_id, lambda old: msgspec.structs.replace(old, role=Role(changes["role"]))
            )
        if changes["suspend"] is not None:
            await verbs.suspend(ports, account.account_id, suspended=changes["suspend"])
        if changes["disable"] is not None:
            await users.change_user(
                ports, account.account_id, lambda user: msgspec.structs.replace(user, disabled=changes["disable"])
            )
            if changes["disable"]:
                await tokens.revoke_all(ports, account.account_id)
        account = await _find(ports, name)
        user = await ports.store.get(USERS, (account.account_id,))
        return _facts(account, user)

    changed = with_ports(context.settings(data=data), act)
    show(changed, as_json=as_json, text=f"{changed['username']}: {changed['role']}, {changed['state']}")


@accounts.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
@json_option
@click.pass_obj
def delete(context: Context, name: str, yes: bool, data: str | None, as_json: bool) -> None:
    """Delete an account with all it wrote. Its name is never given again."""
    if not yes:
        click.confirm(f"Delete {name} with all posts and pictures? This cannot be undone", abort=True)

    async def act(ports: Ports) -> int:
        account = await _find(ports, name)
        await verbs.delete(ports, account.account_id)
        return account.account_id

    account_id = with_ports(context.settings(data=data), act)
    show({"id": str(account_id), "deleted": True}, as_json=as_json, text=f"{name} is deleted.")


@accounts.command("reset-password")
@click.argument("name")
@click.option("--password", help="The new password; made and printed if not given.")
@data_option
@json_option
@click.pass_obj
def reset_password(
    context: Context,
    name: str,
    password: str | None,
    data: str | None,
    as_json: bool,
) -> None:
    """Give an account a new password; all its sessions and tokens end."""
    new = password or secrets.token_urlsafe(12)

    async def act(ports: Ports) -> None:
        await users.set_password(ports, (await _find(ports, name)).account_id, new)

    with_ports(context.settings(data=data), act)
    show({"username": name, "password": new}, as_json=as_json, text=f"The new password of {name}: {new}")


@click.group("tokens")
def tokens_group() -> None:
    """Make tokens for programs."""


@tokens_group.command("create")
@click.argument("name")
@click.option("--scopes", default="read write follow", show_default=True, help="What it may be used for.")
@data_option
@json_option
@click.pass_obj
def create_token(context: Context, name: str, scopes: str, data: str | None, as_json: bool) -> None:
    """Make a token of an account."""
    if not scopes.split():
        raise WrongUse('A token needs scopes, such as --scopes "read write".')

    async def act(ports: Ports) -> str:
        account = await _find(ports, name)
        secret, _ = await tokens.issue_token(ports, account_id=account.account_id, app=None, scopes=read_scopes(scopes))
        return secret

    token = with_ports(context.settings(data=data), act)
    show({"token": token, "scopes": scopes}, as_json=as_json, text=token)


async def _find(ports: Ports, name: str) -> Account:
    handle = await ports.store.get(HANDLES, ("", name.removeprefix("@").lower()))
    account = await ports.store.get(ACCOUNTS, (handle.account_id,)) if handle else None
    if account is None or account.deleted:
        raise NotFound(f"There is no account {name}.")
    return account


def _facts(account: Account, user: User | None) -> dict[str, Any]:
    states = [
        word
        for word, on in (
            ("suspended", account.suspended),
            ("disabled", user is not None and user.disabled),
            ("unconfirmed", user is not None and not user.confirmed),
        )
        if on
    ]
    return {
        "id": str(account.account_id),
        "username": account.username,
        "email": user.email if user else "",
        "role": account.role.value,
        "state": ", ".join(states) or "active",
        "created_at": iso(account.created_ms),
    }
