"""One's own profile over HTTP."""

from tests.api.conftest import Server


async def test_a_profile_shows_what_was_typed_and_what_is_shown(server: Server) -> None:
    ann = await server.sign_in("ann")
    answer = await server.client.patch(
        "/api/v1/profile",
        headers=ann.headers,
        json={"note": "https://a.example", "avatar_description": "me", "show_media": False},
    )
    assert answer.status_code == 200, answer.text
    page = (await server.client.get("/api/v1/profile", headers=ann.headers)).json()
    assert page == answer.json()
    assert page["note"] == "https://a.example"
    assert "<a " in page["formatted_note"]
    assert (page["avatar"], page["header"]) == (None, None)
    assert (page["avatar_description"], page["show_media"]) == ("me", False)
    answer = await server.client.delete("/api/v1/profile/avatar", headers=ann.headers)
    assert answer.json()["avatar"].startswith("http://localhost:3000/")
    assert answer.json()["avatar_description"] == ""
    assert (await server.client.delete("/api/v1/profile/header", headers=ann.headers)).status_code == 200


async def test_only_the_right_scope_opens_a_profile(server: Server) -> None:
    ann = await server.sign_in("ann", scopes=("read:statuses",))
    for method, path in (("GET", "/profile"), ("PATCH", "/profile"), ("GET", "/accounts/verify_credentials")):
        answer = await server.client.request(method, f"/api/v1{path}", headers=ann.headers)
        assert answer.status_code == 403
    bob = await server.sign_in("bob", scopes=("profile",))
    assert (await server.client.get("/api/v1/accounts/verify_credentials", headers=bob.headers)).status_code == 200
