"""The real service from outside: it calls nobody by itself, and its log and figures hold nobody's words or secrets."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import aiohttp
from fake_telegram import TOKEN, FakeTelegram
from fleet_parts import free_port, until

from bot.links import Links

GUARD = """
import os, sys

def _look(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        where = args[0] if event == "socket.getaddrinfo" else args[1]
        with open(os.environ["CALLS"], "a") as file:
            file.write(f"{event} {where!r}\\n")

sys.addaudithook(_look)
sys.modules["uvloop"] = None  # it calls past Python's sockets, where nobody could see it
"""
SECRET = "a-webhook-secret-of-some-length"
API = "earful_api-token-of-nobody"
PASSWORD = "four-loud-green-parrots"
WORDS = ("Mirabelle", "13800138047", "mirabelle@example.org", "退款给我", "qzx-7781")
"""Of what the customer writes, by whatever way."""


async def test_the_service_calls_nobody_by_itself_and_tells_nobodys_words(tmp_path: Path) -> None:
    """Invariants 10 and 11. With every account set and the log at its most talkative: until somebody is to be answered
    nothing is looked up or connected to; then neither log nor figures have a word, an address, a link, a password or a
    token in them."""
    async with FakeTelegram() as telegram, aiohttp.ClientSession() as http:
        telegram.chats.add(914773305)
        port, calls = free_port(), tmp_path / "calls.txt"
        environment = _place(tmp_path, telegram.url, calls)
        command = [str(Path(sys.executable).parent / "earful"), "serve", "--port", str(port)]
        with (tmp_path / "log.txt").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=tmp_path, env=environment, stdout=log, stderr=asyncio.subprocess.STDOUT
            )
        try:
            here = f"http://127.0.0.1:{port}"

            async def ready() -> bool:
                assert process.returncode is None, (tmp_path / "log.txt").read_text()
                return "/desk" in (tmp_path / "log.txt").read_text()

            await until(ready, 120, "it is ready")
            assert not calls.exists(), calls.read_text()
            said = " ".join(WORDS)
            hook = f"{here}/hooks/telegram/main"
            for text in (
                f"快递三天没到，客服也不理我 {said}",
                f"my parcel is three days late, {said}",
                "9分",
                f"/start {said}",
            ):
                update = telegram.write(914773305, text)
                async with http.post(hook, json=update, headers={"X-Telegram-Bot-Api-Secret-Token": SECRET}) as answer:
                    assert answer.status == 200
            async with http.post(hook, json={"message": said}, headers={"X-Telegram-Bot-Api-Secret-Token": "w"}) as no:
                assert no.status == 401

            async def answered() -> bool:
                return any("编号" in each.text for each in telegram.sent)

            await until(answered, 60, "the case has its number")
            link = Links(here, (tmp_path / "data" / "secret.key").read_bytes()).case(1)
            async with http.get(f"{link}?note={WORDS[4]}") as page:
                nonce = re.search(r'name="nonce" value="([^"]+)"', await page.text())
                assert nonce
            async with http.post(link, data={"nonce": nonce[1], "text": said}) as page:
                assert page.status == 200
            async with http.post(
                f"{here}/api/v1/feedback", json={"text": said, "x": said}, headers={"Authorization": f"Bearer {API}"}
            ) as refused:
                assert refused.status in (400, 422), await refused.text()
            async with http.post(f"{here}/desk/sign-in", data={"login": WORDS[2], "password": PASSWORD}) as refused:
                assert refused.status in (400, 401, 403, 404)
            async with http.get(f"{here}/metrics") as answer:
                figures = await answer.text()
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), 40)
        seen = (tmp_path / "log.txt").read_text() + figures
        assert "turn " in seen
        assert "earful_turns_total" in seen
        secrets = (*WORDS, link.rpartition("/")[2], nonce[1], TOKEN, SECRET, API, PASSWORD, "914773305")
        assert [each for each in secrets if each in seen] == []
        assert all("127.0.0.1" in line for line in calls.read_text().splitlines()), calls.read_text()


def _place(place: Path, api_base: str, calls: Path) -> dict[str, str]:
    """Settings with an account on every platform, and Python's eyes on every socket."""
    (place / "guard").mkdir()
    (place / "guard" / "sitecustomize.py").write_text(GUARD)
    (place / "earful.toml").write_text(
        f'log_level = "debug"\napi_token = "{API}"\nadmin_password = "{PASSWORD}-of-lin"\n'
        f'[channels.telegram.main]\ntoken = "{TOKEN}"\nsecret_token = "{SECRET}"\napi_base = "{api_base}"\n'
        f'[channels.twilio.main]\naccount_sid = "AC{"0" * 32}"\nauth_token = "{SECRET}"\nfrom_number = "+15005550006"\n'
        f'[channels.meta.main]\napp_secret = "{SECRET}"\nverify_token = "{SECRET}"\npage_access_token = "{SECRET}"\n'
        'page_id = "102"\n'
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("EARFUL_")}
    path = os.pathsep.join(filter(None, (str(place / "guard"), clean.get("PYTHONPATH"))))
    return clean | {"PYTHONPATH": path, "CALLS": str(calls)}
