"""Text to tokens: sqlglot's tokenizer with the dialect's signs only, strictly checked.

Words are case-insensitive and come in upper case; "quoted" names and 'strings' come decoded (doubled quotes, U&
escapes).
Comments (`-- …`, `// …`, `/* … */`) are dropped.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from enum import Enum, auto
from typing import ClassVar, NamedTuple

from sqlglot import Token as SqlglotToken
from sqlglot import Tokenizer, TokenType
from sqlglot.errors import TokenError

from millstream.analytics.language.errors import Span, SqlError

NAME_LENGTH_MAX = 128

_WORD = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+)?")
_HEX = re.compile(r"([0-9a-fA-F]{2})*")
_CONTROL = re.compile(r"[\x00-\x1f]")
# What may hide other signs, from its beginning to its end; the last three match where the end is missing.
_DELIMITED = re.compile(
    r"""(?:--|//)[^\r\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?P<string>')|(?P<name>")|(?P<comment>/\*)""",
    re.DOTALL,
)
_UNCLOSED = {
    "string": ("this string is never closed", "end it with '; a ' inside is written ''"),
    "name": ("this quoted name is never closed", 'end it with "; a " inside is written ""'),
    "comment": ("this comment is never closed", "end it with */"),
}
_LOOKALIKES = {
    **dict.fromkeys("\u2018\u2019\u201a\u2032", "this is a typographic quote: strings are written with '"),
    **dict.fromkeys("\u201c\u201d\u201e\u2033", 'this is a typographic quote: names are quoted with "'),
    **dict.fromkeys("\u2010\u2013\u2014\u2212", "this is a typographic dash: minus is -, comments begin with --"),
    "$": 'names with other signs than letters, digits and _ are quoted: "name$"',
}


class Kind(Enum):
    """What a token is."""

    WORD = auto()  # a keyword or an unquoted name
    QUOTED = auto()
    STRING = auto()
    NUMBER = auto()
    BINARY = auto()  # X'…'
    SYMBOL = auto()
    END = auto()


class Token(NamedTuple):
    """`text`: a word in upper case, a name or string decoded, a number in upper case, a sign as written, a
    binary's hex digits."""

    kind: Kind
    text: str
    start: int
    end: int


class Source:
    """A program's text, and places in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = [0]
        for line in text.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def span(self, start: int, end: int) -> Span:
        """The Span from offset `start` to before offset `end`."""
        line = bisect_right(self._lines, start, hi=max(1, len(self._lines) - 1))
        return Span(start, end, line, start - self._lines[line - 1] + 1)

    def error(self, message: str, start: int, end: int, hint: str = "") -> SqlError:
        """An SqlError about that piece of the text."""
        return SqlError(message, self.span(start, end), text=self.text, hint=hint)


class _Tokenizer(Tokenizer):
    """Knows no keywords: which words are keywords depends on where they stand, and that is the parser's to say."""

    KEYWORDS: ClassVar[dict[str, TokenType]] = {
        "||": TokenType.DPIPE,
        "<=": TokenType.LTE,
        ">=": TokenType.GTE,
        "<>": TokenType.NEQ,
        "!=": TokenType.NEQ,
        "==": TokenType.EQ,
        "::": TokenType.DCOLON,
        "&&": TokenType.DAMP,
    }
    COMMENTS: ClassVar[list[str | tuple[str, str]]] = ["--", "//", ("/*", "*/")]
    NESTED_COMMENTS = False
    COMMANDS: ClassVar[set[TokenType]] = set()


_Tokenizer._COMMENTS.pop("{#", None)  # sqlglot gives every dialect a template language's comments

_KINDS = {
    TokenType.VAR: Kind.WORD,
    TokenType.IDENTIFIER: Kind.QUOTED,
    TokenType.STRING: Kind.STRING,
    TokenType.NATIONAL_STRING: Kind.STRING,
    TokenType.NUMBER: Kind.NUMBER,
}


def tokenize(source: Source) -> list[Token]:
    """The program's tokens; the last is of kind END, empty, right after the last of the others. Raises SqlError."""
    _check_closed(source)
    try:
        raw = _Tokenizer().tokenize(source.text)
    except TokenError as error:  # what _check_closed lets through; no such text is known
        raise source.error("this text cannot be read as SQL", 0, len(source.text)) from error
    tokens: list[Token] = []
    for token in raw:
        _append(source, tokens, _checked(source, token))
    end = tokens[-1].end if tokens else 0
    return [*tokens, Token(Kind.END, "", end, end)]


def _check_closed(source: Source) -> None:
    """Raises an error if a string, a quoted name or a comment has no end. A quoted name must end on its line; a string
    need not, so that the one before a string without end may be the one to blame."""
    suspect: int | None = None
    for match in _DELIMITED.finditer(source.text):
        first, lines = match[0][0], "\n" in match[0]
        if match.lastgroup is not None or (first == '"' and lines):
            raise _unclosed(source, match.lastgroup or "name", match.start(), suspect)
        if first == "'" and lines and suspect is None:
            suspect = match.start()


def _unclosed(source: Source, kind: str, start: int, suspect: int | None) -> SqlError:
    message, hint = _UNCLOSED[kind]
    if kind == "string" and suspect is not None:
        place = source.span(suspect, suspect)
        hint += f"; or is it the string at line {place.line}, column {place.column} that is not closed?"
    line_end = source.text.find("\n", start)
    return source.error(message, start, line_end if line_end >= 0 else len(source.text), hint)


def _checked(source: Source, raw: SqlglotToken) -> Token:
    start, end = raw.start, raw.end + 1
    kind = _KINDS.get(raw.token_type, Kind.SYMBOL)
    if kind is Kind.WORD:
        match = _WORD.match(raw.text)
        if match is None or match.end() < len(raw.text):
            raise _strange_sign(source, start + (match.end() if match else 0))
        return _checked_name(source, Token(kind, raw.text.upper(), start, end))
    if kind is Kind.NUMBER:
        if _NUMBER.fullmatch(raw.text) is None:
            raise source.error("this is not a number", start, end, "numbers are written 12, 0.5 or 1.5E3")
        return Token(kind, raw.text.upper(), start, end)
    token = Token(kind, raw.text, start, end)
    return _checked_name(source, token) if kind is Kind.QUOTED else token


def _strange_sign(source: Source, at: int) -> SqlError:
    sign = source.text[at]
    shown = sign if sign.isprintable() else f"U+{ord(sign):04X}"
    hint = _LOOKALIKES.get(sign, 'names with other signs than letters, digits and _ are quoted: "name"')
    return source.error(f"the sign {shown} is not expected here", at, at + 1, hint)


def _checked_name(source: Source, token: Token) -> Token:
    if not token.text:
        raise source.error("a name cannot be empty", token.start, token.end, "strings are written with '")
    if len(token.text) > NAME_LENGTH_MAX:
        raise source.error(f"a name has at most {NAME_LENGTH_MAX} characters", token.start, token.end)
    if _CONTROL.search(token.text):
        hint = "is a quote missing, or one too many, before it?"
        raise source.error("a name cannot contain control characters", token.start, token.end, hint)
    return token


def _append(source: Source, tokens: list[Token], token: Token) -> None:
    """Adds the token, joined with those before it where they are one: X'…', U&'…', UESCAPE '…', .5."""
    if not tokens:
        tokens.append(token)
        return
    last = tokens[-1]
    adjacent = last.end == token.start
    if adjacent and last.kind is Kind.NUMBER and token.kind in (Kind.WORD, Kind.QUOTED, Kind.NUMBER):
        hint = f'a name that begins with a digit is quoted: "{source.text[last.start : token.end]}"'
        raise source.error("a number ends where a name goes on", last.start, token.end, hint)
    if token.kind in (Kind.STRING, Kind.QUOTED) and adjacent and _ends_with_unicode_prefix(tokens):
        del tokens[-2:]
        tokens.append(Token(token.kind, "", token.start - 2, token.end))
        tokens[-1] = _decoded(source, tokens[-1], token.text, "\\")
    elif token.kind is Kind.STRING and last == (Kind.WORD, "UESCAPE", last.start, last.end) and len(tokens) > 1:
        del tokens[-1]
        tokens[-1] = _re_escaped(source, tokens[-1], token)
    elif token.kind is Kind.STRING and adjacent and last.kind is Kind.WORD and last.text == "X":
        tokens[-1] = _binary(source, Token(Kind.BINARY, token.text, last.start, token.end))
    elif token.kind is Kind.NUMBER and adjacent and last.text == "." and last.kind is Kind.SYMBOL and _free(tokens):
        tokens[-1] = Token(Kind.NUMBER, f"0.{token.text}", last.start, token.end)
    else:
        tokens.append(token)


def _free(tokens: list[Token]) -> bool:
    """Whether the last token, a dot, follows nothing directly."""
    return len(tokens) < 2 or tokens[-2].end < tokens[-1].start or tokens[-2].kind is Kind.SYMBOL


def _ends_with_unicode_prefix(tokens: list[Token]) -> bool:
    if len(tokens) < 2:
        return False
    letter, sign = tokens[-2:]
    return (letter.kind, letter.text) == (Kind.WORD, "U") and sign.text == "&" and letter.end == sign.start


def _binary(source: Source, token: Token) -> Token:
    if _HEX.fullmatch(token.text) is None:
        hint = "write an even number of digits 0-9 and A-F: X'0AFF'"
        raise source.error("this is not a binary literal", token.start, token.end, hint)
    return token


def _re_escaped(source: Source, literal: Token, escape: Token) -> Token:
    written = source.text[literal.start : literal.end]
    if written[:2].upper() != "U&":
        raise source.error("UESCAPE follows no U&'…' literal", escape.start, escape.end, "write U&'!0041' UESCAPE '!'")
    sign = escape.text
    if len(sign) != 1 or sign in "+'\"" or sign.isspace() or sign in "0123456789abcdefABCDEF":
        hint = "it is one character: no digit, no letter A to F, no sign + ' or \""
        raise source.error("this cannot be an escape character", escape.start, escape.end, hint)
    quote = written[2]
    text = written[3:-1].replace(quote * 2, quote)
    return _decoded(source, Token(literal.kind, "", literal.start, escape.end), text, sign)


def _decoded(source: Source, token: Token, text: str, escape: str) -> Token:
    """The token with U& escapes in its text replaced. An escape that the default sign makes invalid is an error only
    if no UESCAPE follows."""
    sign = re.escape(escape)
    default = escape == "\\"
    pattern = re.compile(rf"{sign}(?:(?P<same>{sign})|(?P<four>[0-9a-fA-F]{{4}})|\+(?P<six>[0-9a-fA-F]{{6}})|)")

    def replacement(match: re.Match[str]) -> str:
        if match["same"]:
            return escape
        digits = match["four"] or match["six"]
        code = int(digits, 16) if digits else -1
        if not (0 <= code <= 0x10FFFF) or 0xD800 <= code <= 0xDFFF:
            if default and _uescape_follows(source, token):
                return match[0]
            hint = f"write {escape}0041 or {escape}+01F600, and {escape}{escape} for {escape} itself"
            raise source.error(f"{escape} is not followed by a character's code", token.start, token.end, hint)
        return chr(code)

    return _checked_decoded(source, token._replace(text=pattern.sub(replacement, text)))


def _checked_decoded(source: Source, token: Token) -> Token:
    return _checked_name(source, token) if token.kind is Kind.QUOTED else token


def _uescape_follows(source: Source, token: Token) -> bool:
    return re.compile(r"\s+UESCAPE\b", re.IGNORECASE).match(source.text, token.end) is not None
