from pipeline.report_blocks import (
    Link,
    Panel,
    Section,
    cell_text,
    make_table,
    section_markdown,
    table_markdown,
)

LINK = Link(text="a [b] | c", address="file:///a%20b.mp4#t=1.00,2.00")


def test_cells_cannot_break_a_table():
    table = make_table("t", ["one", "two"], [["a|b", "two\nlines"], [LINK, "x"]])
    assert table_markdown(table).splitlines() == [
        "| one | two |",
        "| --- | --- |",
        r"| a\|b | two lines |",
        r"| [a (b) \| c](<file:///a%20b.mp4#t=1.00,2.00>) | x |",
    ]
    assert cell_text(LINK) == "a [b] | c"
    assert cell_text("x") == "x"


def test_a_table_without_rows_is_not_shown():
    empty = make_table("nothing", ["one"], [], note="never")
    assert table_markdown(empty) == ""
    full = make_table("something", ["one"], [["1"]], note="so it is")
    panel = Panel(caption="Curve", description="It falls.", data=[], layout={})
    section = Section(title="Here", text="Text.", tables=(empty, full), panels=(panel,))
    assert section_markdown(section, level=3).split("\n\n") == [
        *("### Here", "Text.", "*something*", "| one |\n| --- |\n| 1 |", "so it is"),
        "Figure: Curve. It falls.",
    ]
