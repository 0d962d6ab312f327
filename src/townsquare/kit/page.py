"""What an HTML page says of itself: title, description, picture, author.

Box: kit. Source: The Open Graph protocol (https://ogp.me), and the older meta elements. The page is walked once, by
searches that only go forward: the library's own parser takes quadratic time on some pages, and these are foreign.
"""

import codecs
import html
import re

import msgspec

_TAG_MAX = 8192  # characters of one tag; a longer one is passed over
_TAGS_MAX = 2000
_TITLE_MAX = 4096
_OPEN = re.compile(r"<(?:!--|(/?[a-zA-Z][a-zA-Z0-9]{0,15}))")
_ATTRIBUTE = re.compile(r"""(?<![^\s"'<>/])([^\s"'<>/=]++)\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s"'>]++))""")
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s{0,8}=\s{0,8}[\"']?\s{0,8}([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
_RAW = frozenset({"script", "style", "noscript", "template", "svg", "textarea", "iframe"})
_RAW_END = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _RAW}
_CHARSETS = frozenset(
    {
        "utf-8", "ascii", "iso8859-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7",
        "iso8859-8", "iso8859-9", "iso8859-10", "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16", "cp1250",
        "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "koi8-r", "koi8-u",
        "mac-roman", "shift_jis", "cp932", "euc_jp", "iso2022_jp", "euc_kr", "cp949", "gb2312", "gbk", "gb18030",
        "big5", "big5hkscs", "utf-16-le", "utf-16-be", "utf-16",
    }
)  # fmt: skip


class Page(msgspec.Struct, kw_only=True):
    """What was found. `meta`: content by name or property, lower case, the first of each."""

    title: str = ""
    language: str = ""
    meta: dict[str, str]

    def first(self, *names: str) -> str:
        """The content of the first of these that says anything."""
        return next((value for name in names if (value := self.meta.get(name, ""))), "")


def read_page(text: str) -> Page:
    """Read a page, or its beginning. Time grows with its length, whatever is in it."""
    page, at = Page(meta={}), 0
    for _ in range(_TAGS_MAX):
        found = _OPEN.search(text, at)
        if found is None:
            break
        name = (found[1] or "").lower()
        if not name:
            end = text.find("-->", found.end())
            at = end + 3 if end >= 0 else len(text)
            continue
        end = _tag_end(text, found.end())
        if name == "body" or (name == "/head" and page.meta):
            break
        tag, at = text[found.end() : end], end + 1
        if name == "html":
            page.language = page.language or _attributes(tag).get("lang", "")
        elif name == "meta":
            _add_meta(page, tag)
        elif name == "title" and not page.title:
            close = text.find("<", at)
            page.title = html.unescape(text[at : min(close if close >= 0 else len(text), at + _TITLE_MAX)]).strip()
        elif name in _RAW:
            ended = _RAW_END[name].search(text, at)
            if ended is None:
                break
            at = ended.end()
    return page


def _tag_end(text: str, at: int) -> int:
    """Where the tag's `>` stands; quotes are respected. At most `_TAG_MAX` further on."""
    limit, quote = min(len(text), at + _TAG_MAX), ""
    while at < limit:
        char = text[at]
        if quote:
            if char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char == ">":
            return at
        at += 1
    return at


def _attributes(tag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in _ATTRIBUTE.finditer(tag):
        found.setdefault(each[1].lower(), html.unescape(each[2] or each[3] or each[4] or ""))
    return found


def _add_meta(page: Page, tag: str) -> None:
    given = _attributes(tag)
    name = (given.get("property") or given.get("name") or "").strip().lower()
    content = given.get("content", "").strip()
    if name and content:
        page.meta.setdefault(name, content)


def decode_page(data: bytes, charset: str = "") -> str:
    """The page's text: by its byte order mark, else the header's `charset`, else its own word, else UTF-8."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    own = _CHARSET.search(data[:2048])
    for name in (charset, own[1].decode() if own else ""):
        if known := _known_charset(name):
            return data.decode(known, "replace")
    return data.decode("utf-8", "replace")


def _known_charset(name: str) -> str:
    try:
        known = codecs.lookup(name).name if name else ""
    except LookupError:
        return ""
    if known == "iso8859-1":
        return "cp1252"  # as browsers read it
    return known if known in _CHARSETS else ""


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")


def plain(text: str, most: int) -> str:
    """Text in one line without control characters, at most `most` characters."""
    text = " ".join(_CONTROL.sub(" ", text[: most * 4]).split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
