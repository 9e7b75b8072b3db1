"""A place in a program's tokens: what the grammar's functions read from, make nodes with, and complain through."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TypeVar

from sqlglot import exp

from millstream.analytics.language import words
from millstream.analytics.language.errors import Span, SqlError
from millstream.analytics.language.nodes import span_of
from millstream.analytics.language.tokens import Kind, Source, Token, tokenize

# The parser's own recursion, and that of everything that walks its trees, stays far below Python's limit.
NESTING_MAX = 64
HEIGHT_MAX = 200

_FLATTER = "split the query: do a part of it in a subquery, or in a stream of its own"
_SHOWN_MAX = 40
_TYPO_LENGTH_MIN = 4  # shorter keywords are like too many names
_NAME_FOLLOWERS = (",", ".", ")", ";", "AS", "=", "FROM")

Node = TypeVar("Node", bound=exp.Expression)


class Cursor:
    """Reads tokens one after the other. Remembers what the grammar looked for at this place, so that an error can
    name the word that was meant, and which parentheses are open."""

    def __init__(self, text: str) -> None:
        self.source = Source(text)
        self._tokens = tokenize(self.source)
        self._at = 0
        self._sought: set[str] = set()
        self._open: list[Token] = []
        self._nesting = 0
        self._heights: dict[int, int] = {}

    # --- reading

    @property
    def token(self) -> Token:
        """The token to be read next."""
        return self._tokens[self._at]

    @property
    def previous(self) -> Token:
        """The token that was read last."""
        return self._tokens[max(0, self._at - 1)]

    def ahead(self, count: int = 1) -> Token:
        """The token that comes `count` tokens after the next one."""
        return self._tokens[min(self._at + count, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Reads the next token."""
        token = self.token
        if token.kind is not Kind.END:
            self._at += 1
        self._sought = set()
        return token

    def at(self, *texts: str) -> bool:
        """Whether the next token is one of these words or signs."""
        self._sought.update(texts)
        return is_one_of(self.token, texts)

    def at_phrase(self, *texts: str) -> bool:
        """Whether these words come next, in this order."""
        self._sought.add(texts[0])
        return all(is_one_of(self.ahead(index), (text,)) for index, text in enumerate(texts))

    def accept(self, *texts: str) -> Token | None:
        """Reads the next token if it is one of these."""
        return self.advance() if self.at(*texts) else None

    def accept_phrase(self, *texts: str) -> bool:
        """Reads these words if all of them come next."""
        if not self.at_phrase(*texts):
            return False
        for _ in texts:
            self.advance()
        return True

    def accept_with_by(self, word: str) -> bool:
        """Reads GROUP BY, ORDER BY or PARTITION BY if its first word comes next; BY must follow."""
        if not self.accept(word):
            return False
        self.expect("BY")
        return True

    def expect(self, *texts: str) -> Token:
        """Reads one of these words or signs, or raises SqlError."""
        if self.at(*texts):
            return self.advance()
        raise self.unexpected(" or ".join(texts))

    def open(self) -> Token:
        """Reads "("."""
        token = self.expect("(")
        self._open.append(token)
        return token

    def close(self) -> Token:
        """Reads the ")" of the "(" that was read last."""
        if not self.at(")"):
            raise self.unexpected('")"')
        self._open.pop()
        return self.advance()

    def name(self, what: str, *, alias: bool = False) -> exp.Identifier:
        """Reads a name, of what the error says otherwise."""
        token = self.token
        if token.kind is Kind.QUOTED or (token.kind is Kind.WORD and token.text not in words.RESERVED):
            self.advance()
            return self.make(exp.Identifier, token.start, this=token.text, quoted=token.kind is Kind.QUOTED)
        if token.kind is Kind.STRING:
            hint = f'names are quoted with double quotes: "{token.text}"'
            raise self.error(f"expected {what}, but found a string", token, hint)
        if token.kind is Kind.WORD and (alias or is_one_of(self.ahead(), (",", ")", ".", ";"))):
            hint = f'to use it as a name, quote it: "{token.text}"'
            raise self.error(f"{token.text} is a reserved word, no name", token, hint)
        raise self.unexpected(what)

    def string(self, what: str) -> Token:
        """Reads a string."""
        token = self.token
        if token.kind is Kind.STRING:
            return self.advance()
        if token.kind is Kind.QUOTED:
            raise self.error(f"expected {what}, but found a quoted name", token, _single_quotes(token))
        raise self.unexpected(what)

    # --- making

    def make(self, kind: type[Node], start: int, /, *, end: int | None = None, **args: object) -> Node:
        """A node of this kind that stands from offset `start` to the last token read (or to offset `end`)."""
        node = kind(**args)
        span = self.source.span(start, self.previous.end if end is None else end)
        node.meta["span"] = span
        height = 1 + max((self._height(value) for value in args.values()), default=0)
        if height > HEIGHT_MAX:
            raise SqlError(
                f"this is more than {HEIGHT_MAX} operations deep", span, text=self.source.text, hint=_FLATTER
            )
        self._heights[id(node)] = height
        return node

    def _height(self, value: object) -> int:
        if isinstance(value, exp.Expression):
            return self._heights.get(id(value), 0)
        return max(map(self._height, value), default=0) if isinstance(value, list) else 0

    def enter(self) -> None:
        """Goes one level deeper into nested expressions or queries; each call is matched by one of `leave`."""
        self._nesting += 1
        if self._nesting > NESTING_MAX:
            raise self.error(f"this is nested more than {NESTING_MAX} levels deep", self.token, _FLATTER)

    def leave(self) -> None:
        """Comes back from that level."""
        self._nesting -= 1

    # --- complaining

    def error(self, message: str, about: Token | exp.Expression, hint: str = "") -> SqlError:
        """An SqlError about a token or a node."""
        span = span_of(about) if isinstance(about, exp.Expression) else self.source.span(about.start, about.end)
        return SqlError(message, span, text=self.source.text, hint=hint)

    def unexpected(self, wanted: str) -> SqlError:
        """The error that something else was wanted than what comes next."""
        token = self.token
        if self._open and (token.kind is Kind.END or is_one_of(token, (";",))):
            return self.error('this "(" is never closed', self._open[-1], 'add the missing ")"')
        if token.kind is Kind.END:
            last = self.previous
            return self.error(f"the program ends where {wanted} is expected", last)
        if token.kind is Kind.WORD and token.text in words.FOREIGN:
            return self.error(words.FOREIGN[token.text].message, token, words.FOREIGN[token.text].hint)
        return self._typo(wanted) or self.error(
            f"expected {wanted}, but found {self._shown(token)}", token, self._hint()
        )

    def _typo(self, wanted: str) -> SqlError | None:
        """The error that the next word, or the name just read, is a misspelt keyword that fits here."""
        for token in (self.token, self.previous):
            if token.kind is Kind.WORD and token.text not in words.RESERVED:
                meant = get_close_matches(token.text, self._long_words_sought(), 1, 0.7)
                if meant and meant[0] != token.text:
                    message = f"expected {wanted}, but found {self._shown(token)}"
                    return self.error(message, token, f"did you mean {meant[0]}?")
        return None

    def _long_words_sought(self) -> list[str]:
        return [word for word in self._sought if word.isalpha() and len(word) >= _TYPO_LENGTH_MIN]

    def _hint(self) -> str:
        token, opened = self.token, self._open[-1] if self._open else None
        if token.kind is Kind.SYMBOL and token.text in words.SYMBOLS and not (token.text == ")" and opened):
            return words.SYMBOLS[token.text]
        if ")" in self._sought and opened is not None:
            span = self.source.span(opened.start, opened.end)
            return f'the "(" at line {span.line}, column {span.column} is still open'
        if self.previous.text == "," and self.previous.kind is Kind.SYMBOL and token.kind is Kind.WORD:
            return "is there a comma too many before it?"
        if token.kind is Kind.WORD and token.text in words.RESERVED and is_one_of(self.ahead(), _NAME_FOLLOWERS):
            return f'to use it as a name, quote it: "{token.text}"'
        return ""

    def _shown(self, token: Token) -> str:
        written = self.source.text[token.start : token.end]
        return written if len(written) <= _SHOWN_MAX else f"{written[:_SHOWN_MAX]}…"


def is_one_of(token: Token, texts: tuple[str, ...]) -> bool:
    """Whether the token is one of these words or signs (a quoted name is neither)."""
    return token.text in texts and token.kind in (Kind.WORD, Kind.SYMBOL)


def start_of(node: exp.Expression) -> int:
    """The offset at which the node begins."""
    return _span(node).start


def end_of(node: exp.Expression) -> int:
    """The offset at which the node ends."""
    return _span(node).end


def _span(node: exp.Expression) -> Span:
    span = span_of(node)
    assert span is not None, "every node is made by Cursor.make"
    return span


def _single_quotes(token: Token) -> str:
    return f"strings are written with single quotes: '{token.text}'"
