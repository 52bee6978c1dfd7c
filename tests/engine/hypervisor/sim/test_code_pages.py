"""Who must forget code, and who must ask again before writing it."""

from engine.hypervisor.sim.code_pages import CodePages

PAGE = 3


def test_a_write_makes_the_code_stale_where_another_vcpu_has_executed_it() -> None:
    code = CodePages(8, 2)
    code.fetched(0, PAGE)
    code.written(1, PAGE)
    assert code.take(0) == {PAGE}
    assert code.take(1) == set()


def test_the_writer_is_never_trusted_with_a_page_another_executes() -> None:
    code = CodePages(8, 2)
    code.written(1, PAGE)
    assert code.may_write(1, PAGE)
    code.fetched(0, PAGE)
    assert not code.may_write(1, PAGE)
    assert code.take(1) == set()


def test_after_forgetting_the_next_write_is_news_again_only_once_it_is_fetched() -> None:
    code = CodePages(8, 2)
    code.fetched(0, PAGE)
    code.host_wrote(PAGE)
    assert code.take(0) == {PAGE}
    code.host_wrote(PAGE)
    assert code.take(0) is None
    code.fetched(0, PAGE)
    code.host_wrote(PAGE)
    assert code.take(0) == {PAGE}


def test_ones_own_store_concerns_nobody() -> None:
    code = CodePages(8, 2)
    code.fetched(0, PAGE)
    code.written(0, PAGE)
    assert code.take(0) is None
    assert code.may_write(0, PAGE)


def test_the_vmms_store_into_data_concerns_nobody() -> None:
    code = CodePages(8, 2)
    code.written(0, PAGE)
    code.host_wrote(PAGE)
    assert code.take(0) is None
