"""Sign up, log in, change passwords and addresses; over a store that is as disorderly as a cluster."""

import asyncio
import random
import secrets
from statistics import median
from time import perf_counter

import msgspec
import pytest

from tests.api.conftest import NOW_MS, memory_ports
from townsquare.kit.clock import SetClock
from townsquare.kit.emails import email_hash
from townsquare.model.account import Account, Role, User
from townsquare.model.errors import Forbidden, Invalid, NotFound
from townsquare.model.tasks import IndexAccount, RecordFacts, SendMail, decode_task
from townsquare.social import accounts, links, sign_up_form, tokens, users
from townsquare.social.facts import sign_up_fact
from townsquare.social.passwords import NOBODY, Passwords
from townsquare.social.ports import Ports
from townsquare.social.sessions import find_session, session_key
from townsquare.store.port import Put
from townsquare.store.tables import ACCOUNTS, HANDLES, LOGINS, OUTBOX, SECRETS, USERS, HandleRow, LoginRow

PASSWORD = "correct horse"


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW_MS)


@pytest.fixture
def ports(clock: SetClock) -> Ports:
    return memory_ports(clock, chaos=True)


@pytest.fixture(scope="module")
def password_hash() -> str:
    return asyncio.run(Passwords().hash(PASSWORD))


async def make(
    ports: Ports, name: str, password_hash: str = "none", *, email: str = "", confirmed: bool = True
) -> tuple[Account, User]:
    form = sign_up_form.SignUp(username=name, email=email or f"{name}@example.org", locale="en")
    return await users.create_user(ports, form, password_hash=password_hash, confirmed=confirmed)


async def tasks_of(ports: Ports) -> list[object]:
    rows, _ = await ports.store.scan(OUTBOX, limit=1000)
    return [decode_task(task) for row in rows for task in row.tasks]


def codes(error: Invalid) -> dict[str, str]:
    return {name: faults[0][0] for name, faults in (error.details or {}).items()}


async def test_signing_up_makes_all_rows_and_leaves_the_tasks(ports: Ports) -> None:
    account, user = await users.sign_up(
        ports, username="Ann_1", email="Ann@Example.org", password=PASSWORD, agreed=True, locale="de"
    )
    assert (account.username, user.email, user.locale) == ("Ann_1", "Ann@example.org", "de")
    assert not user.confirmed
    assert user.password_hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await ports.store.get(ACCOUNTS, (account.account_id,)) == account
    assert await ports.store.get(USERS, (account.account_id,)) == user
    assert await ports.store.get(HANDLES, ("", "ann_1")) is not None
    index, facts, mail = await tasks_of(ports)
    assert index == IndexAccount(account_id=account.account_id)
    assert facts == RecordFacts((sign_up_fact(account),))
    assert isinstance(mail, SendMail)
    assert (mail.kind, mail.to) == ("confirm", "Ann@example.org")


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"username": ""}, ("username", "ERR_BLANK")),
        ({"username": "an n"}, ("username", "ERR_INVALID")),
        ({"username": "ann\n"}, ("username", "ERR_INVALID")),
        ({"username": "añn"}, ("username", "ERR_INVALID")),
        ({"username": "a" * 31}, ("username", "ERR_TOO_LONG")),
        ({"username": "Admin"}, ("username", "ERR_RESERVED")),
        ({"email": " "}, ("email", "ERR_BLANK")),
        ({"email": "ann"}, ("email", "ERR_INVALID")),
        ({"email": "ann@example.org\r\nBcc: x@y.org"}, ("email", "ERR_INVALID")),
        ({"email": "a" * 1_000_000 + "@example.org"}, ("email", "ERR_INVALID")),
        ({"password": ""}, ("password", "ERR_BLANK")),
        ({"password": "1234567"}, ("password", "ERR_TOO_SHORT")),
        ({"password": "1" * 257}, ("password", "ERR_TOO_LONG")),
        ({"agreed": False}, ("agreement", "ERR_ACCEPTED")),
        ({"locale": "x" * 1_000_000}, ("locale", "ERR_INCLUSION")),
    ],
)
async def test_each_fault_has_its_code(ports: Ports, changed: dict[str, object], fault: tuple[str, str]) -> None:
    form: dict[str, object] = {"username": "ann", "email": "ann@example.org", "password": PASSWORD, "agreed": True}
    with pytest.raises(Invalid) as caught:
        await users.sign_up(ports, **(form | changed))  # type: ignore[arg-type]  # a form in pieces
    assert codes(caught.value) == dict([fault])
    assert (await ports.store.scan(ACCOUNTS, limit=10))[0] == []
    assert (await ports.store.scan(LOGINS, limit=10))[0] == []


async def test_all_faults_are_told_at_once(ports: Ports) -> None:
    with pytest.raises(Invalid) as caught:
        await users.sign_up(ports, username="", email="", password="", agreed=False)
    assert set(codes(caught.value)) == {"username", "email", "password", "agreement"}
    assert "Username can't be blank" in str(caught.value)


async def test_names_and_addresses_are_taken_once(ports: Ports) -> None:
    await make(ports, "ann")
    with pytest.raises(Invalid) as caught:
        await make(ports, "ANN", email="other@example.org")
    assert codes(caught.value) == {"username": "ERR_TAKEN"}
    with pytest.raises(Invalid) as caught:
        await make(ports, "bob", email="ann@example.org")
    assert codes(caught.value) == {"email": "ERR_TAKEN"}


@pytest.mark.parametrize("email", ["a.nn@gmail.com", "ANN@GMAIL.COM", "ann+2@gmail.com", "a.n.n+x+y@googlemail.com"])
async def test_block_evasion_by_another_spelling_of_the_address(ports: Ports, email: str) -> None:
    account, _ = await make(ports, "ann", email="ann@gmail.com")
    await ports.store.write([Put(ACCOUNTS, msgspec.structs.replace(account, suspended=True))])
    with pytest.raises(Invalid) as caught:
        await make(ports, "bob", email=email)
    assert codes(caught.value) == {"email": "ERR_TAKEN"}


async def test_a_deleted_account_leaves_its_address_free_and_keeps_nothing(ports: Ports) -> None:
    account, _ = await make(ports, "ann")
    await accounts.delete(ports, account.account_id)
    user = await ports.store.get(USERS, (account.account_id,))
    assert user is not None
    assert (user.email, user.disabled) == ("", True)
    await make(ports, "bob", email="ann@example.org")


async def test_block_evasion_by_deleting_a_suspended_account(ports: Ports) -> None:
    account, _ = await make(ports, "ann")
    await accounts.suspend(ports, account.account_id)
    await accounts.delete(ports, account.account_id)
    with pytest.raises(Invalid):
        await make(ports, "bob", email="ann@example.org")


async def test_pleroma_2_0_3_the_name_of_a_deleted_account_stays_taken(ports: Ports, clock: SetClock) -> None:
    account, _ = await make(ports, "ann")
    await ports.store.write([Put(ACCOUNTS, msgspec.structs.replace(account, deleted=True))])
    clock.advance(seconds=10_000_000)
    with pytest.raises(Invalid) as caught:
        await make(ports, "Ann", email="new@example.org")
    assert codes(caught.value) == {"username": "ERR_TAKEN"}


async def test_ghsa_8q93_many_at_once_make_one_account(ports: Ports) -> None:
    made = await asyncio.gather(
        *(make(ports, "ann", email=f"ann{n}@example.org") for n in range(50)), return_exceptions=True
    )
    assert len([one for one in made if not isinstance(one, BaseException)]) == 1
    made = await asyncio.gather(
        *(make(ports, f"bob{n}", email="bob@example.org") for n in range(50)), return_exceptions=True
    )
    assert len([one for one in made if not isinstance(one, BaseException)]) == 1
    assert all(isinstance(one, Invalid | tuple) for one in made)


@pytest.mark.parametrize("seconds", [1, 3600])
async def test_a_sign_up_that_died_on_its_way_can_be_repeated(ports: Ports, clock: SetClock, seconds: int) -> None:
    dead = ports.new_id()
    await ports.store.slow_put_if_absent(LOGINS, LoginRow(email_hash=email_hash("ann@example.org"), account_id=dead))
    await ports.store.slow_put_if_absent(HANDLES, HandleRow(domain="", name="ann", account_id=dead))
    clock.advance(seconds=seconds)
    account, _ = await make(ports, "ann")
    handle = await ports.store.get(HANDLES, ("", "ann"))
    assert handle is not None
    assert handle.account_id == account.account_id


async def test_a_sign_up_that_died_before_its_last_write_is_finished(ports: Ports, clock: SetClock) -> None:
    account, user = await make(ports, "ann")
    await ports.store.drop(USERS, (account.account_id,))
    clock.advance(seconds=3600)
    again, _ = await make(ports, "ann")
    assert again == account
    assert (await ports.store.get(USERS, (account.account_id,)) or user).email == user.email


async def test_a_name_claimed_by_nobody_is_free_again(ports: Ports, clock: SetClock) -> None:
    await ports.store.slow_put_if_absent(HANDLES, HandleRow(domain="", name="ann", account_id=ports.new_id()))
    with pytest.raises(Invalid):
        await make(ports, "ann", email="first@example.org")
    clock.advance(seconds=61)
    await make(ports, "ann", email="second@example.org")


async def test_logging_in_by_name_and_address(ports: Ports, password_hash: str) -> None:
    account, _ = await make(ports, "Ann", password_hash)
    for login in ("ann", "@ANN", "ann@example.org", "ANN@EXAMPLE.ORG"):
        assert (await users.authenticate(ports, login=login, password=PASSWORD))[0] == account


@pytest.mark.slow
async def test_a_wrong_password_and_an_unknown_name_are_one_answer(ports: Ports, password_hash: str) -> None:
    await make(ports, "ann", password_hash)
    words = set()
    for login in ("ann", "nobody", "nobody@example.org", "", "\0", "a" * 1_000_000):
        with pytest.raises(Invalid) as caught:
            await users.authenticate(ports, login=login, password="wrong")
        words.add(str(caught.value))
    assert len(words) == 1


@pytest.mark.slow
async def test_ghsa_xgg7_8hvq_8m65_a_log_in_takes_as_long_for_nobody(ports: Ports, password_hash: str) -> None:
    assert NOBODY.rsplit("$", 2)[0] == password_hash.rsplit("$", 2)[0], "the same parameters, so the same work"
    await make(ports, "ann", password_hash)
    times: dict[str, list[float]] = {"ann": [], "nobody": []}
    for _ in range(3):
        for login, spent in times.items():
            start = perf_counter()
            with pytest.raises(Invalid):
                await users.authenticate(ports, login=login, password="wrong")
            spent.append(perf_counter() - start)
    # Coarse, since others share the machine: without the hash it would be a hundredth.
    assert 0.33 < median(times["ann"]) / median(times["nobody"]) < 3


@pytest.mark.parametrize("state", [{"disabled": True}, {"confirmed": False}, {"approved": False}])
async def test_cve_2023_32682_a_closed_log_in_is_refused(
    ports: Ports, password_hash: str, state: dict[str, bool]
) -> None:
    account, _ = await make(ports, "ann", password_hash)
    await users.change_user(ports, account.account_id, lambda user: msgspec.structs.replace(user, **state))
    with pytest.raises(Forbidden):
        await users.authenticate(ports, login="ann", password=PASSWORD)
    with pytest.raises(Invalid):  # who does not know the password learns nothing
        await users.authenticate(ports, login="ann", password="wrong")


async def test_cve_2023_32682_a_deleted_account_is_as_unknown(ports: Ports, password_hash: str) -> None:
    account, _ = await make(ports, "ann", password_hash)
    await ports.store.write([Put(ACCOUNTS, msgspec.structs.replace(account, deleted=True))])
    with pytest.raises(Invalid):
        await users.authenticate(ports, login="ann", password=PASSWORD)


async def test_cve_2025_62174_after_a_reset_all_sessions_are_dead(ports: Ports, clock: SetClock) -> None:
    account, user = await make(ports, "ann")
    old = [await tokens.issue_token(ports, account_id=account.account_id, app=None, scopes=("read",)) for _ in range(3)]
    for secret, _ in old:
        assert await find_session(ports, session_key(secret)) is not None
    link = await links.make_link(ports, kind=links.RESET, account_id=account.account_id, email=user.email)
    other = await links.make_link(ports, kind=links.RESET, account_id=account.account_id, email=user.email)
    clock.advance(seconds=1)
    await links.reset_password(ports, secret=link.rpartition("=")[2], password="another one")
    for secret, _ in old:
        rows = await find_session(ports, session_key(secret))
        assert rows is not None
        assert rows.token.revoked
    with pytest.raises(NotFound):  # once, and no other link from before
        await links.reset_password(ports, secret=link.rpartition("=")[2], password="a third one")
    with pytest.raises(NotFound):
        await links.reset_password(ports, secret=other.rpartition("=")[2], password="a third one")
    await users.authenticate(ports, login="ann", password="another one")


async def test_the_present_session_can_be_kept(ports: Ports) -> None:
    account, _ = await make(ports, "ann")
    mine, present = await tokens.issue_token(ports, account_id=account.account_id, app=None, scopes=("read",))
    secret, _ = await tokens.issue_token(ports, account_id=account.account_id, app=None, scopes=("read",))
    await users.set_password(ports, account.account_id, "another one", keep_hash=present.token_hash)
    for each, is_dead in ((secret, True), (mine, False)):
        rows = await find_session(ports, session_key(each))
        assert rows is not None
        assert rows.token.revoked is is_dead


async def test_email_confirmation_bypass(ports: Ports, clock: SetClock) -> None:
    account, user = await make(ports, "ann", confirmed=False)
    bob, _ = await make(ports, "bob", confirmed=False)
    first = (await links.make_link(ports, kind=links.CONFIRM, account_id=account.account_id, email=user.email))[-43:]
    await users.change_email(ports, account.account_id, "second@example.org")
    with pytest.raises(NotFound):  # the link of the first address does not confirm the second
        await links.confirm_email(ports, secret=first)
    second = (
        await links.make_link(ports, kind=links.CONFIRM, account_id=account.account_id, email="second@example.org")
    )[-43:]
    with pytest.raises(NotFound):  # nor does a link of one kind do the work of another
        await links.reset_password(ports, secret=second, password=PASSWORD)
    assert (await links.confirm_email(ports, secret=second)).confirmed
    with pytest.raises(NotFound):
        await links.confirm_email(ports, secret=second)
    stranger = await ports.store.get(USERS, (bob.account_id,))
    assert stranger is not None
    assert not stranger.confirmed
    late = (await links.make_link(ports, kind=links.CONFIRM, account_id=bob.account_id, email="bob@example.org"))[-43:]
    clock.advance(seconds=8 * 86_400)
    with pytest.raises(NotFound):
        await links.confirm_email(ports, secret=late)


async def test_an_address_that_was_left_is_free(ports: Ports) -> None:
    account, _ = await make(ports, "ann")
    await make(ports, "bob")
    with pytest.raises(Invalid):
        await users.change_email(ports, account.account_id, "bob@example.org")
    await users.change_email(ports, account.account_id, "new@example.org")
    await make(ports, "carl", email="ann@example.org")


async def test_exactly_one_becomes_the_owner(ports: Ports) -> None:
    link = await links.owner_link(ports)
    assert link is not None
    secret = link.rpartition("/")[2]
    with pytest.raises(Invalid):
        await links.become_owner(ports, secret=secret, username="", email="", password="", agreed=False)
    form = {"password": PASSWORD, "agreed": True}
    made = await asyncio.gather(
        *(links.become_owner(ports, secret=secret, username=f"o{n}", email=f"o{n}@a.org", **form) for n in range(3)),
        return_exceptions=True,
    )
    (owner,) = [one for one in made if not isinstance(one, BaseException)]
    assert owner[0].role is Role.OWNER
    assert owner[1].confirmed
    assert await links.owner_link(ports) is None


async def test_cve_2019_11842_secrets_come_from_the_system(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    made = set()
    for _ in range(1000):
        random.seed(7)
        made.add((await tokens.issue_token(ports, account_id=0, app=None, scopes=()))[0])
    assert len(made) == 1000
    assert all(len(secret) == 43 for secret in made)  # 256 bits
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size: f"{size} bytes asked for")
    assert (await tokens.issue_token(ports, account_id=0, app=None, scopes=()))[0] == "32 bytes asked for"


async def test_cve_2023_41335_nothing_kept_holds_a_secret(ports: Ports) -> None:
    account, user = await users.sign_up(
        ports, username="ann", email="ann@example.org", password="my own password", agreed=True
    )
    token, _ = await tokens.issue_token(ports, account_id=account.account_id, app=None, scopes=("read",))
    link = await links.make_link(ports, kind=links.RESET, account_id=account.account_id, email=user.email)
    kept = b""
    for table in (ACCOUNTS, USERS, SECRETS, OUTBOX, LOGINS, HANDLES, tokens.TOKENS, tokens.ACCOUNT_TOKENS):
        rows, _ = await ports.store.scan(table, limit=1000)
        kept += msgspec.msgpack.encode(rows)
    for secret in ("my own password", token, link[-43:]):
        assert secret.encode() not in kept


async def test_too_many_log_ins_at_once_are_refused_not_kept_waiting(password_hash: str) -> None:
    passwords = Passwords()
    tries = [asyncio.create_task(passwords.is_right(password_hash, "x")) for _ in range(210)]
    await asyncio.sleep(0)
    refused = [one for one in tries if one.done()]
    assert len(refused) == 10
    for one in tries:
        one.cancel()
    await asyncio.gather(*tries, return_exceptions=True)
