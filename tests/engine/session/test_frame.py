from hypothesis import given
from hypothesis import strategies as st

from engine.session.frame import Header, Section, decode_frame, encode_frame

headers = st.builds(
    Header,
    flags=st.integers(0, 3),
    seq=st.integers(0, 2**32 - 1),
    time=st.integers(0, 2**64 - 1),
    pages=st.integers(0, 2**20),
    first_seq=st.integers(0, 2**32 - 1),
    left_out=st.integers(0, 2**32 - 1),
    host_ns=st.integers(0, 2**64 - 1),
)
sections = st.lists(
    st.builds(
        Section,
        kind=st.integers(1, 6),
        encoding=st.integers(0, 1),
        raw_size=st.integers(0, 2**32 - 1),
        payload=st.binary(max_size=64),
    ),
    max_size=6,
)


@given(headers, sections)
def test_decoding_is_the_inverse_of_encoding(header: Header, parts: list[Section]) -> None:
    assert decode_frame(encode_frame(header, parts)) == (header, parts)


@given(headers, sections)
def test_every_payload_starts_at_a_multiple_of_four(header: Header, parts: list[Section]) -> None:
    assert len(encode_frame(header, parts)) % 4 == 0
