import pytest

from datamodel.kernel.errors import BadInputError, FaultError, TransientFault
from pipelines.clients.redcap import RedcapClient, breaks_off
from pipelines.clients.transport import Answer, UnusableAnswerError, check

TOKEN = "A" * 32


def answer(body, status=200, kind="text/csv; charset=utf-8"):
    return Answer(status, {"content-type": kind}, body)


@pytest.mark.parametrize(
    ("given", "wants", "error", "says"),
    [
        (answer(b"<html>500</html>", 500, "text/html"), "csv", UnusableAnswerError, "HTTP 500"),
        (answer(b"x", 504), "csv", UnusableAnswerError, "HTTP 504"),
        (answer(b"x", 413), "csv", UnusableAnswerError, "HTTP 413"),
        (answer(b"<html>hello</html>", 200, "text/html"), "csv", UnusableAnswerError, "web page"),
        (answer(b"\xef\xbb\xbf \n<!DOCTYPE html>"), "json", UnusableAnswerError, "web page"),
        (answer(b'<b>Fatal</b>{"error":"REDCap ran out of server memory."}'), "json", UnusableAnswerError, "memory"),
        (answer(b"<p>Your IP address has been banned.</p>"), "csv", FaultError, "banned this machine"),
        (answer(b"ERROR: bad field", 200), "csv", BadInputError, "bad field"),
        (answer(b'{"error":"You do not have permissions to use the API"}', 403), "json", BadInputError, "permissions"),
        (answer(b"<html>Not Found</html>", 404, "text/html"), "csv", BadInputError, "no REDCap API"),
        (answer(b"", 302), "csv", BadInputError, "another one"),
        (answer(b"not implemented", 501), "csv", BadInputError, "HTTP 501"),
        (answer(b'[{"a": 1}, {"a"'), "json", UnusableAnswerError, "breaks off"),
        (answer(f'{{"error":"token {TOKEN} is odd"}}'.encode(), 400), "json", BadInputError, "(token)"),
    ],
)
def test_each_bad_answer_has_its_error_and_its_sentence(given, wants, error, says):
    with pytest.raises(error) as caught:
        check(given, host="redcap.example", wants=wants, secret=TOKEN)
    assert says in str(caught.value)
    assert "redcap.example" in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert isinstance(caught.value, TransientFault) == issubclass(error, TransientFault)


@pytest.mark.parametrize(
    ("body", "wants"), [(b"a,b\n1,2\n", "csv"), (b"\n", "csv"), (b"[]", "json"), (b'[{"error":"x"}]', "json")]
)
def test_good_answers_pass(body, wants):
    check(answer(body), host="h", wants=wants)


@pytest.mark.parametrize(
    ("body", "is_whole"),
    [
        (b"a,b\n1,2\n", True),
        (b"a,b\n1,2", True),
        (b'a,b\n1,"two\nlines, ""quoted"""\n', True),
        (b"a,b\n1,2\n3", False),
        (b'a,b\n1,"two', False),
        (b"a,b", True),
    ],
)
def test_csv_that_breaks_off_is_seen(body, is_whole):
    assert (breaks_off(body, ends_lines=False) == "") is is_whole


def test_a_missing_last_line_end_counts_once_the_server_is_known_to_write_it():
    assert breaks_off(b"a,b\n1,2", ends_lines=True)


def test_the_token_is_in_no_repr_and_empty_questions_are_refused():
    client = RedcapClient("http://redcap.example/api/", TOKEN)
    assert TOKEN not in repr(client)
    for more in ({"ids": []}, {"ids": ["1"]}):
        with pytest.raises(ValueError, match="takes “none” for “all”"):
            client.records(**more, record_field="record_id")
