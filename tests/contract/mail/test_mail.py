"""What every mailer promises.

Suite: mail.
"""

import email
import email.policy
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.engines import MAIL, open_mail
from townsquare.mail.log import LogMailer
from townsquare.mail.memory import MemoryMailer
from townsquare.mail.port import Mail, Mailer
from townsquare.model.errors import Unavailable

MAIL_TO_ANN = Mail(
    to="ann@example.com", subject="Willkommen, Ännchen ✉", text="Hallo!\n\nhttps://x.example/t?token=s3cret\n"
)


@pytest.fixture(params=MAIL)
async def mailer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Mailer]:
    engine = open_mail(request.param, tmp_path)
    yield engine
    await engine.close()


async def test_an_honest_mail_is_taken(mailer: Mailer) -> None:
    await mailer.send(MAIL_TO_ANN)
    await mailer.send(Mail(to="ann+tag@sub.example.com", subject="", text=""))


@pytest.mark.parametrize(
    "to",
    [
        "",
        "ann",
        "ann@example.com\nBcc: all@example.com",
        "ann@example.com\r",
        "ann@example.com, ben@example.com",
        "Ann <ann@example.com>",
        "ann@example.com\0",
        "ann@ex ample.com",
        "ann@exa\u2028mple.com",
        "a@b@c",
        "a" * 250 + "@b.example",
    ],
)
async def test_cve_2021_21333_what_is_not_one_address_is_refused(mailer: Mailer, to: str) -> None:
    """CVE-2021-21333."""
    with pytest.raises(ValueError):
        await mailer.send(Mail(to=to, subject="x", text="x"))


@pytest.mark.parametrize("subject", ["a\nBcc: b@example.com", "a\r\n\r\nbody", "a\x85b", "a\0", "a\ud800", "x" * 501])
async def test_cve_2021_21333_a_subject_of_several_lines_is_refused(mailer: Mailer, subject: str) -> None:
    """CVE-2021-21333. There is no part in HTML, so nothing in it can be a link that hides where it leads."""
    with pytest.raises(ValueError):
        await mailer.send(Mail(to="ann@example.com", subject=subject, text="x"))


async def test_memory_keeps_them_in_order() -> None:
    mailer = MemoryMailer()
    await mailer.send(MAIL_TO_ANN)
    assert mailer.sent == [MAIL_TO_ANN]


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def test_log_writes_a_message_that_mail_programs_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await LogMailer(tmp_path / "mail").send(MAIL_TO_ANN)
    (path,) = files_in(tmp_path / "mail")
    assert path.suffix == ".eml"
    assert path.stat().st_mode & 0o077 == 0
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert message["To"] == MAIL_TO_ANN.to
    assert message["Subject"] == MAIL_TO_ANN.subject
    assert message.get_body().get_content().replace("\r\n", "\n") == MAIL_TO_ANN.text
    assert path.name in caplog.text
    for secret in ("s3cret", MAIL_TO_ANN.to, MAIL_TO_ANN.subject):
        assert secret not in caplog.text


async def test_log_says_when_it_cannot_write(tmp_path: Path) -> None:
    taken = tmp_path / "mail"
    with taken.open("w"):
        pass
    with pytest.raises(Unavailable):
        await LogMailer(taken).send(MAIL_TO_ANN)
