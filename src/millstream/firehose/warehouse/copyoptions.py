"""The options of a COPY command: what may stand in CopyOptions, read into values.

From the Amazon Redshift Database Developer Guide, "COPY" and its pages on data format, data conversion and data load
parameters. Columnar formats, Avro, SHAPEFILE, FIXEDWIDTH and NOLOAD make no sense for a delivery stream's objects and
are refused, as are compressions that delivery streams cannot make, and authorization, which has its own place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from millstream.base.errors import MillstreamError

MAXERROR_MAX = 100_000


class CopyOptionsError(MillstreamError):
    """CopyOptions cannot be understood; the message names the option."""


class CopyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """COPY's options. `json` is "auto", "auto ignorecase" or the s3:// URL of a jsonpaths file."""

    json: str | None = None
    csv: bool = False
    delimiter: str | None = None
    quote: str | None = None
    gzip: bool = False
    date_format: str | None = None  # None: as in Redshift's default, or "auto"
    time_format: str | None = None  # likewise; also "epochsecs", "epochmillisecs"
    null_as: str = "\\N"
    ignore_header: int = 0
    ignore_blank_lines: bool = False
    empty_as_null: bool = False
    blanks_as_null: bool = False
    truncate_columns: bool = False
    trim_blanks: bool = False
    accept_any_date: bool = False
    accept_invalid_characters: str | None = None  # the replacement character
    round_decimals: bool = False
    fill_record: bool = False
    remove_quotes: bool = False
    escape: bool = False
    maxerror: int = 0
    manifest: bool = False
    region: str | None = None

    @property
    def field_delimiter(self) -> str:
        """What separates fields of delimited rows and of CSV."""
        return self.delimiter or ("," if self.csv else "|")


_TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|([A-Za-z_]+)|(\d+)|(\S))")
_UNESCAPED = {"\\t": "\t", "\\n": "\n", "\\\\": "\\"}
_REFUSED = {
    "credentials": "name the role in RoleARN",
    "iam_role": "name the role in RoleARN",
    "access_key_id": "name the role in RoleARN",
    "secret_access_key": "name the role in RoleARN",
    "noload": "it would load nothing",
    "bzip2": "delivery streams compress with GZIP",
    "lzop": "delivery streams compress with GZIP",
    "zstd": "delivery streams compress with GZIP",
    "avro": "use JSON, CSV or DELIMITER",
    "parquet": "use JSON, CSV or DELIMITER",
    "orc": "use JSON, CSV or DELIMITER",
    "shapefile": "use JSON, CSV or DELIMITER",
    "fixedwidth": "use JSON, CSV or DELIMITER",
    "explicit_ids": "identity columns are left to the warehouse",
}


class _Words:
    """The words, strings and numbers of an option text, one after the other."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_TOKEN.finditer(text.strip().rstrip(";")))
        self._next = 0

    def keyword(self) -> str | None:
        """The next keyword in lower case; None at the end. Raises CopyOptionsError if there is something else."""
        if self._next == len(self._tokens):
            return None
        token = self._tokens[self._next]
        self._next += 1
        if token[2] is None:
            raise CopyOptionsError(f"Expected the name of an option, not {token[0].strip()}.")
        return token[2].lower()

    def accept(self, keyword: str) -> bool:
        """Go past a keyword if it is the next."""
        if self._next < len(self._tokens) and (self._tokens[self._next][2] or "").lower() == keyword:
            self._next += 1
            return True
        return False

    def string(self, option: str, default: str | None = None) -> str:
        """The string that follows an option."""
        self.accept("as")
        if self._next < len(self._tokens) and self._tokens[self._next][1] is not None:
            self._next += 1
            return str(self._tokens[self._next - 1][1]).replace("''", "'")
        if default is None:
            raise CopyOptionsError(f"{option.upper()} needs a string in single quotes.")
        return default

    def number(self, option: str) -> int:
        """The number that follows an option, also in quotes."""
        self.accept("as")
        token = self._tokens[self._next] if self._next < len(self._tokens) else None
        digits = token and (token[3] or token[1])
        if not digits or not digits.isdigit():
            raise CopyOptionsError(f"{option.upper()} needs a number.")
        self._next += 1
        return int(digits)


def _character(words: _Words, option: str) -> str:
    text = words.string(option)
    if re.fullmatch(r"\\[0-7]{3}", text):
        text = chr(int(text[1:], 8))
    text = _UNESCAPED.get(text, text)
    if len(text) != 1 or not text.isascii():
        raise CopyOptionsError(f"{option.upper()} needs a single ASCII character, not {text!r}.")
    return text


def _csv(words: _Words, _option: str) -> dict[str, Any]:
    return {"csv": True} | ({"quote": _character(words, "quote")} if words.accept("quote") else {})


def _json(words: _Words, option: str) -> dict[str, Any]:
    text = words.string(option, "auto").strip()
    if text.lower() in ("auto", "auto ignorecase"):
        text = text.lower()
    elif not re.fullmatch(r"s3://[^/]+/.+", text):
        raise CopyOptionsError(f"JSON takes 'auto', 'auto ignorecase' or 's3://bucket/jsonpaths_file', not '{text}'.")
    return {"json": text}


def _format(words: _Words, _option: str) -> dict[str, Any]:
    words.accept("as")
    keyword = words.keyword()
    if keyword not in ("json", "csv"):
        raise CopyOptionsError(f"FORMAT takes JSON or CSV, not {str(keyword).upper()}.")
    return _OPTIONS[keyword](words, keyword)


def _update(words: _Words, _option: str) -> dict[str, Any]:
    """COMPUPDATE, STATUPDATE: for Redshift's own optimizer; read past."""
    for keyword in ("on", "off", "true", "false", "preset"):
        if words.accept(keyword):
            break
    return {}


def _maxerror(words: _Words, option: str) -> dict[str, Any]:
    count = words.number(option)
    if count > MAXERROR_MAX:
        raise CopyOptionsError(f"MAXERROR is at most {MAXERROR_MAX}, not {count}.")
    return {"maxerror": count}


def _encoding(words: _Words, option: str) -> dict[str, Any]:
    words.accept("as")
    name = "utf8" if words.accept("utf") and words.number(option) == 8 else words.string(option, "")
    if name.lower() not in ("utf8", "utf-8"):
        raise CopyOptionsError("ENCODING takes UTF8.")
    return {}


def _flag(field: str) -> Callable[[_Words, str], dict[str, Any]]:
    return lambda _words, _option: {field: True}


def _string(field: str, default: str | None = None) -> Callable[[_Words, str], dict[str, Any]]:
    return lambda words, option: {field: words.string(option, default)}


_OPTIONS: dict[str, Callable[[_Words, str], dict[str, Any]]] = {
    "format": _format,
    "json": _json,
    "csv": _csv,
    "delimiter": lambda words, option: {"delimiter": _character(words, option)},
    "quote": lambda words, option: {"quote": _character(words, option)},
    "gzip": _flag("gzip"),
    "dateformat": _string("date_format"),
    "timeformat": _string("time_format"),
    "null": _string("null_as"),
    "ignoreheader": lambda words, option: {"ignore_header": words.number(option)},
    "ignoreblanklines": _flag("ignore_blank_lines"),
    "emptyasnull": _flag("empty_as_null"),
    "blanksasnull": _flag("blanks_as_null"),
    "truncatecolumns": _flag("truncate_columns"),
    "trimblanks": _flag("trim_blanks"),
    "acceptanydate": _flag("accept_any_date"),
    "acceptinvchars": _string("accept_invalid_characters", "?"),
    "roundec": _flag("round_decimals"),
    "fillrecord": _flag("fill_record"),
    "removequotes": _flag("remove_quotes"),
    "escape": _flag("escape"),
    "maxerror": _maxerror,
    "manifest": _flag("manifest"),
    "region": _string("region"),
    "encoding": _encoding,
    "compupdate": _update,
    "statupdate": _update,
}


def parse_copy_options(text: str) -> CopyOptions:
    """Read CopyOptions. Raises CopyOptionsError for what is unknown, refused, said twice, or in contradiction."""
    words = _Words(text)
    fields: dict[str, Any] = {}
    while (keyword := words.keyword()) is not None:
        if keyword in _REFUSED:
            raise CopyOptionsError(f"{keyword.upper()} cannot be used here: {_REFUSED[keyword]}.")
        if keyword not in _OPTIONS:
            raise CopyOptionsError(f"{keyword.upper()} is not an option of COPY.")
        found = _OPTIONS[keyword](words, keyword)
        if found.keys() & fields.keys():
            raise CopyOptionsError(f"{keyword.upper()} is given twice.")
        fields |= found
    options = CopyOptions(**fields)
    _check(options)
    return options


def _check(options: CopyOptions) -> None:
    if options.json and (options.csv or options.delimiter):
        raise CopyOptionsError("JSON cannot be used with CSV or DELIMITER.")
    if options.csv and (options.remove_quotes or options.escape):
        raise CopyOptionsError("CSV cannot be used with REMOVEQUOTES or ESCAPE.")
    if options.quote and not options.csv:
        raise CopyOptionsError("QUOTE can be used only with CSV.")
    replacement = options.accept_invalid_characters
    if replacement is not None and (len(replacement) != 1 or not replacement.isascii() or replacement == "\0"):
        raise CopyOptionsError("ACCEPTINVCHARS needs a single ASCII character.")
