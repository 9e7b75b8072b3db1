"""Statements: the language's door is `parse_program`."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from sqlglot import exp

from millstream.analytics.language import expressions, literals, queries, words
from millstream.analytics.language.cursor import Cursor, end_of, is_one_of, start_of
from millstream.analytics.language.nodes import (
    AlterPump,
    ColumnDefinition,
    CreateFunction,
    CreatePump,
    CreateStream,
    Drop,
    Explain,
    FunctionParameter,
    InsertInto,
)
from millstream.analytics.language.tokens import Kind, Token


def parse_program(text: str) -> list[exp.Expression]:
    """The statements of a program (CreateStream, CreatePump, …; a bare query or InsertInto is one, too). Raises
    SqlError, nothing else."""
    cursor = Cursor(text)
    statements: list[exp.Expression] = []
    while True:
        while cursor.accept(";"):
            pass
        if cursor.token.kind is Kind.END:
            return statements
        statements.append(_statement(cursor))
        _end_of_statement(cursor)


def _end_of_statement(cursor: Cursor) -> None:
    token = cursor.token
    if cursor.at(";") or token.kind is Kind.END:
        return
    if token.kind is Kind.WORD and token.text in words.STATEMENTS:
        hint = "statements are separated by semicolons"
        raise cursor.error(f'a ";" is missing before {token.text}', token, hint)
    raise cursor.unexpected("the end of the statement")


def _statement(cursor: Cursor) -> exp.Expression:
    token = cursor.token
    if cursor.at("SELECT", "("):
        return queries.query(cursor)
    if cursor.at("INSERT"):
        return _insert(cursor)
    if cursor.at("CREATE", "ALTER", "DROP"):
        cursor.advance()
        return {"CREATE": _create, "ALTER": _alter, "DROP": _drop}[token.text](cursor, token)
    if cursor.at("EXPLAIN"):
        return _explain(cursor)
    raise _no_statement(cursor, token)


def _no_statement(cursor: Cursor, token: Token) -> Exception:
    if token.kind is Kind.WORD and token.text in words.FOREIGN_STATEMENTS:
        advice = words.FOREIGN_STATEMENTS[token.text]
        return cursor.error(advice.message, token, advice.hint)
    return cursor.unexpected("a statement (CREATE, INSERT, SELECT, ALTER, DROP or EXPLAIN)")


def _explain(cursor: Cursor) -> exp.Expression:
    word = cursor.advance()
    if cursor.accept("PLAN"):
        cursor.accept("FOR")
    if cursor.at("EXPLAIN"):
        raise cursor.error("EXPLAIN cannot be explained", cursor.token)
    return cursor.make(Explain, word.start, this=_statement(cursor))


# --- CREATE


def _create(cursor: Cursor, word: Token) -> exp.Expression:
    replace = cursor.accept_phrase("OR", "REPLACE")
    kind = cursor.token
    if not cursor.at(*_CREATABLE):
        raise _not_creatable(cursor, kind)
    cursor.advance()
    if cursor.at_phrase("IF", "NOT", "EXISTS"):
        raise cursor.error("IF NOT EXISTS is not in this dialect", cursor.token, f"write CREATE OR REPLACE {kind.text}")
    return _CREATABLE[kind.text](cursor, word, replace)


def _not_creatable(cursor: Cursor, kind: Token) -> Exception:
    if kind.kind is Kind.WORD and kind.text in ("TABLE", "INDEX", "SCHEMA", "DATABASE"):
        hint = "write CREATE STREAM; reference tables belong to the application's configuration"
        return cursor.error(f"CREATE {kind.text} is not in this dialect", kind, hint)
    if _names_something(kind, cursor.ahead()):
        hint = f"write CREATE OR REPLACE STREAM {cursor.source.text[kind.start : kind.end]}"
        return cursor.error("expected STREAM, PUMP, FUNCTION or VIEW, but found a name", kind, hint)
    return cursor.unexpected("STREAM, PUMP, FUNCTION or VIEW")


def _names_something(token: Token, following: Token) -> bool:
    if token.kind is Kind.QUOTED:
        return True
    named = token.kind is Kind.WORD and is_one_of(following, ("(", "AS"))
    return named and not get_close_matches(token.text, _CREATABLE, 1, 0.7)


def _create_stream(cursor: Cursor, word: Token, replace: bool) -> CreateStream:
    name = _object_name(cursor, "the stream's name")
    columns = _columns(cursor) if cursor.at("(") else []
    description = _description(cursor)
    query = queries.query(cursor) if cursor.accept("AS") else None
    if query is None:
        _require_types(cursor, columns)
    return cursor.make(
        CreateStream, word.start, this=name, columns=columns, replace=replace, description=description, query=query
    )


def _require_types(cursor: Cursor, columns: list[ColumnDefinition]) -> None:
    if not columns:
        cursor.at("(")
        raise cursor.unexpected('"(" and the columns')
    for column in columns:
        if column.args.get("kind") is None:
            hint = "write its type: name VARCHAR(16); only CREATE … AS SELECT takes types from the query"
            raise cursor.error("this column has no type", column, hint)


def _create_view(cursor: Cursor, word: Token, replace: bool) -> CreateStream:
    name = _object_name(cursor, "the view's name")
    columns = _columns(cursor) if cursor.at("(") else []
    description = _description(cursor)
    cursor.expect("AS")
    query = queries.query(cursor)
    return cursor.make(
        CreateStream, word.start, this=name, columns=columns, replace=replace, description=description, query=query
    )


def _columns(cursor: Cursor) -> list[ColumnDefinition]:
    cursor.open()
    columns = [_column(cursor)]
    while cursor.accept(","):
        columns.append(_column(cursor))
    cursor.close()
    return columns


def _column(cursor: Cursor) -> ColumnDefinition:
    name = cursor.name("a column's name", alias=cursor.ahead().kind is Kind.WORD)
    kind = None if cursor.at(",", ")") else literals.type_name(cursor)
    not_null = cursor.accept_phrase("NOT", "NULL")
    if cursor.at("PRIMARY", "DEFAULT", "UNIQUE", "REFERENCES", "CHECK", "GENERATED", "NULL"):
        raise cursor.error(
            f"{cursor.token.text} is not in this dialect", cursor.token, "a column is: name type [NOT NULL]"
        )
    return cursor.make(ColumnDefinition, start_of(name), this=name, kind=kind, not_null=not_null)


def _description(cursor: Cursor) -> str | None:
    return cursor.string("the description").text if cursor.accept("DESCRIPTION") else None


def _object_name(cursor: Cursor, what: str) -> exp.Identifier:
    name = cursor.name(what)
    if cursor.at("."):
        raise cursor.error("an application has one schema", name, f"leave out {name.this} and the dot")
    return name


def _create_pump(cursor: Cursor, word: Token, replace: bool) -> CreatePump:
    name = _object_name(cursor, "the pump's name")
    state = cursor.accept("STOPPED", "STARTED")
    description = _description(cursor)
    cursor.expect("AS")
    if cursor.at("SELECT"):
        raise cursor.error("a pump inserts into a stream", cursor.token, "write AS INSERT INTO stream SELECT STREAM …")
    insert = _insert(cursor)
    stopped = state is not None and state.text == "STOPPED"
    return cursor.make(
        CreatePump, word.start, this=name, replace=replace, stopped=stopped, insert=insert, description=description
    )


def _insert(cursor: Cursor) -> InsertInto:
    word = cursor.expect("INSERT")
    cursor.expect("INTO")
    target = _object_name(cursor, "a stream")
    columns: list[exp.Identifier] = []
    if cursor.at("(") and not is_one_of(cursor.ahead(), ("SELECT", "(")):
        cursor.open()
        columns.append(cursor.name("a column", alias=True))
        while cursor.accept(","):
            columns.append(cursor.name("a column", alias=True))
        cursor.close()
    return cursor.make(InsertInto, word.start, target=target, columns=columns, query=queries.query(cursor))


# --- CREATE FUNCTION


def _create_function(cursor: Cursor, word: Token, replace: bool) -> CreateFunction:
    name = _object_name(cursor, "the function's name")
    cursor.open()
    parameters = [] if cursor.at(")") else [_parameter(cursor)]
    while cursor.accept(","):
        parameters.append(_parameter(cursor))
    cursor.close()
    cursor.expect("RETURNS")
    returns = literals.type_name(cursor)
    null_on_null = _characteristics(cursor)
    cursor.expect("RETURN")
    body = expressions.expression(cursor)
    if null_on_null and parameters:
        body = _null_on_null(cursor, parameters, body)
    return cursor.make(
        CreateFunction, word.start, this=name, parameters=parameters, returns=returns, body=body, replace=replace
    )


def _parameter(cursor: Cursor) -> FunctionParameter:
    name = cursor.name("a parameter", alias=cursor.ahead().kind is Kind.WORD)
    return cursor.make(FunctionParameter, start_of(name), this=name, kind=literals.type_name(cursor))


def _characteristics(cursor: Cursor) -> bool:
    """Reads what is said about the function, and tells whether it was RETURNS NULL ON NULL INPUT."""
    null_on_null = False
    while not cursor.at("RETURN"):
        if cursor.accept("LANGUAGE"):
            if not cursor.accept("SQL"):
                hint = "write LANGUAGE SQL and RETURN expression"
                raise cursor.error("functions are written in SQL only", cursor.token, hint)
        elif cursor.accept("SPECIFIC"):
            cursor.name("the function's specific name")
        elif cursor.accept_phrase("RETURNS", "NULL", "ON", "NULL", "INPUT"):
            null_on_null = True
        elif not any(cursor.accept_phrase(*phrase.split()) for phrase in _CHARACTERISTICS):
            raise cursor.unexpected("RETURN expression")
    return null_on_null


_CHARACTERISTICS = (
    "DETERMINISTIC",
    "NOT DETERMINISTIC",
    "CONTAINS SQL",
    "NO SQL",
    "READS SQL DATA",
    "MODIFIES SQL DATA",
    "CALLED ON NULL INPUT",
)


def _null_on_null(cursor: Cursor, parameters: list[FunctionParameter], body: exp.Expression) -> exp.Expression:
    """The body as RETURNS NULL ON NULL INPUT means it: CASE WHEN a IS NULL THEN NULL … ELSE body END."""
    start, end = start_of(body), end_of(body)
    branches = []
    for parameter in parameters:
        name = cursor.make(
            exp.Identifier, start, end=end, this=parameter.this.this, quoted=parameter.this.args["quoted"]
        )
        column = cursor.make(exp.Column, start, end=end, this=name)
        null = cursor.make(exp.Null, start, end=end)
        test = cursor.make(exp.Is, start, end=end, this=column, expression=null)
        branches.append(cursor.make(exp.If, start, end=end, this=test, true=cursor.make(exp.Null, start, end=end)))
    return cursor.make(exp.Case, start, end=end, ifs=branches, default=body)


_CREATABLE: dict[str, Callable[[Cursor, Token, bool], exp.Expression]] = {
    "STREAM": _create_stream,
    "PUMP": _create_pump,
    "FUNCTION": _create_function,
    "VIEW": _create_view,
}


# --- ALTER, DROP


def _alter(cursor: Cursor, word: Token) -> AlterPump:
    if cursor.at("STREAM", "VIEW", "FUNCTION"):
        kind = cursor.token.text
        raise cursor.error(f"a {kind.lower()} cannot be altered", cursor.token, f"write CREATE OR REPLACE {kind}")
    cursor.expect("PUMP")
    names: list[exp.Identifier] = []
    if not cursor.accept("*"):
        names.append(_object_name(cursor, "a pump's name"))
        while cursor.accept(","):
            names.append(_object_name(cursor, "a pump's name"))
    start = cursor.expect("START", "STOP").text == "START"
    return cursor.make(AlterPump, word.start, names=names, start=start)


def _drop(cursor: Cursor, word: Token) -> Drop:
    kind = cursor.token
    if not cursor.at(*_CREATABLE):
        raise cursor.unexpected("STREAM, PUMP, FUNCTION or VIEW")
    cursor.advance()
    if_exists = cursor.accept_phrase("IF", "EXISTS")
    name = _object_name(cursor, f"the {kind.text.lower()}'s name")
    return cursor.make(Drop, word.start, kind=kind.text, this=name, if_exists=if_exists)
