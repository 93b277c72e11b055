//! XML bodies: what they give out, and what they flag.

use crate::Read;
use fusewall::http::{Kind, ParseLimits, Processor, Report};

fn xml(body: impl AsRef<[u8]>) -> Read {
    crate::read(Processor::Xml, "text/xml", body, ParseLimits::default())
}

#[test]
fn text_is_one_value_and_each_attribute_another() {
    let read = xml(
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c -->\n<r xmlns=\"urn:x\" xmlns:p='urn:p' p:a = 'x&lt;y' \
         b=\"it's\">one&#x26;<e/><![CDATA[<two> ]] & ]]><e f=\"\" /><!-- no --><?no no?>&#51;\n</r >\n",
    );
    assert_eq!(read.values(Kind::XmlText), [("", "\n\none&<two> ]] & 3\n\n")]);
    assert_eq!(read.values(Kind::XmlAttribute), [("p:a", "x<y"), ("b", "it's"), ("f", ""), ("no", "no")]);
    assert_eq!(read.report, Report::default());
    assert!(!xml("").report.error);
}

#[test]
fn line_ends_and_blanks_are_those_of_the_standard() {
    for (body, text, attributes) in [
        ("<a>x\r\ny\rz\n</a>\r\n", "x\ny\nz\n\n", &[][..]),
        ("<a>\r\r\n\n\r</a>\r", "\n\n\n\n\n", &[]),
        ("<a><![CDATA[\r\n]]>\r<b/>\n&#13;&#10;</a>", "\n\n\n\r\n", &[]),
        ("<a b='1\r\n2\t3\n4\r5&#10;6&#9;'\r\nc=''/>", "", &[("b", "1 2 3 4 5\n6\t"), ("c", "")]),
    ] {
        let read = xml(body);
        assert_eq!(read.values(Kind::XmlText), [("", text)], "{body:?}");
        assert_eq!(read.values(Kind::XmlAttribute), attributes, "{body:?}");
        assert!(!read.report.error, "{body:?}: {}", read.message());
    }
    // At the edge of the parser's blocks too.
    for before in 4080..4100 {
        let read = xml(format!("<a>{}\r\n\r</a>", "x".repeat(before)));
        assert!(read.values(Kind::XmlText)[0].1.ends_with("x\n\n"), "{before}");
    }
}

#[test]
fn what_else_may_be_an_attack_is_given_out() {
    let read = xml("<?xml-stylesheet href='a'?><a xmlns='urn:x' xmlns:b='${jndi:x}' c='1'/>");
    let expected = [("xml-stylesheet", "href='a'"), ("xmlns:b", "${jndi:x}"), ("c", "1")];
    assert_eq!(read.values(Kind::XmlAttribute), expected);
    assert!(!read.report.error);
    for (body, message) in [
        (&b"<a b='' c='' b=''/>"[..], "stands twice"),
        (b"<a>\xff</a>", "not UTF-8"),
        (b"<a>\xe2\x82", "not complete"),
        (b"<a>\x0b</a>", "not allowed"),
    ] {
        assert!(xml(body).message().contains(message), "{}: {}", body.escape_ascii(), xml(body).message());
    }
    assert!(!xml(b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xff</a>").report.error);
    let told = crate::read(Processor::Xml, "text/xml; charset=iso-8859-1", b"<a>\xff</a>", ParseLimits::default());
    assert!(!told.report.error);
}

#[test]
fn nothing_is_expanded_and_declarations_are_flagged() {
    let read = xml("<!DOCTYPE html PUBLIC \"-//>\" 'x>y'><html>x</html>");
    assert!(read.report.xml_doctype && !read.report.error);
    assert_eq!(read.values(Kind::XmlText), [("", "x")]);
    let read = xml(
        "<!DOCTYPE l [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;\"><!ENTITY x SYSTEM 'file:///etc/passwd'>]><l>&b;&x;</l>",
    );
    assert!(read.report.xml_doctype && read.message().contains("declarations, which are not read"));
    assert_eq!(read.values(Kind::XmlText), [("", "&b;&x;")]);
}

#[test]
fn what_is_not_well_formed_is_an_error_and_read_all_the_same() {
    for (body, text, attributes, message) in [
        ("<a>x</b>y", "xy", &[][..], "another name"),
        ("<a><b>x</a>", "x", &[], "another name"),
        ("<a>x", "x", &[], "not complete"),
        ("x", "x", &[], "outside of the root"),
        ("<a/>x<b/>", "x", &[], "outside of the root"),
        ("<a/><b>x</b>", "x", &[], "more than one root"),
        ("</a>", "", &[], "no start tag"),
        ("<a b=c d>x</a>", "x", &[("b", "c"), ("d", "")], "not quoted"),
        ("<a b=>x</a>", "x", &[("b", "")], "no value"),
        ("<a b='<x'>y</a>", "y", &[("b", "<x")], "has a '<'"),
        ("<a b='x", "", &[("b", "x")], "not complete"),
        ("<a evil", "", &[("evil", "")], "not complete"),
        ("<a>&nbsp;&x &#0; &amp</a>", "&nbsp;&x &#0; &amp", &[], "nothing predefined"),
        ("<a>1 < 2</a>", "1 < 2", &[], "begins no markup"),
        ("<a <b>x</b></a>", "x", &[], "not closed"),
        ("<a / b='x'>y</a>", "y", &[("b", "x")], "a '/' stands"),
        ("<a b\"c='x'>y</a>", "y", &[("b\"c", "x")], "names do not have"),
        ("<a;b>x</a;b>", "x", &[], "names do not have"),
        ("<a>x</a b='y'>", "x", &[("b", "y")], "end tag has attributes"),
        ("<a><![CDATA[x]]", "x]]", &[], "not complete"),
        ("<!ELEMENT a ANY><a/>", "", &[], "unknown"),
        ("<?xml version='1.0' encoding='UTF-7'?><a/>", "", &[], "encoding"),
    ] {
        let read = xml(body);
        assert_eq!(read.values(Kind::XmlText), [("", text)], "{body}");
        assert_eq!(read.values(Kind::XmlAttribute), attributes, "{body}");
        assert!(read.message().starts_with("XML parsing error: "), "{body}: {}", read.message());
        assert!(read.message().contains(message), "{body}: {}", read.message());
    }
    assert!(xml(b"\xff\xfe<\0a\0").message().contains("UTF-16"));
}

#[test]
fn depth_is_limited_with_an_error() {
    let deep = |depth: usize| xml(format!("{}x{}", "<a>".repeat(depth), "</a>".repeat(depth)));
    assert!(!deep(512).report.error);
    let read = deep(100_000);
    assert!(read.report.error && read.report.xml_depth_exceeded);
}

#[test]
fn elements_become_arguments_named_by_path() {
    let limits = ParseLimits { xml_into_args: true, ..ParseLimits::default() };
    let args = |body: &str, limits: ParseLimits| crate::read(Processor::Xml, "text/xml", body, limits);
    let body = "<?xml version=\"1.0\"?>\n<s:root a=\"1\">\n <level>\n  <node>foo&lt;1</node>\n  <node><![CDATA[bar]]>1</node><e/>\n \
                </level>\n <p>text<b>bold</b>tail</p>\n</s:root>\n";
    let read = args(body, limits);
    assert_eq!(
        read.values(Kind::ArgPost),
        [
            ("xml.s:root.level.node", "foo<1"),
            ("xml.s:root.level.node", "bar1"),
            ("xml.s:root.level.e", ""),
            ("xml.s:root.p", "text"),
            ("xml.s:root.p.b", "bold"),
            ("xml.s:root.p", "tail"),
        ]
    );
    assert!(!read.report.error);
    assert_eq!(read.values(Kind::XmlText).len(), 1);
    let only = args(body, ParseLimits { xml_text: false, ..limits });
    assert_eq!((only.values(Kind::XmlText).len(), only.values(Kind::XmlAttribute).len()), (0, 1));
    // What is broken is inspected all the same.
    let read = args("a<r>b<c>d", limits);
    assert!(read.report.error);
    assert_eq!(read.values(Kind::ArgPost), [("xml", "a"), ("xml.r", "b"), ("xml.r.c", "d")]);
    let read = args("<r>x</r></r>y", limits);
    assert_eq!(read.values(Kind::ArgPost), [("xml.r", "x"), ("xml", "y")]);
}

#[test]
fn the_argument_limit_and_long_paths_end_the_reading() {
    let limits = ParseLimits { xml_into_args: true, arguments: 2, ..ParseLimits::default() };
    let read = crate::read(Processor::Xml, "text/xml", "<r><a>1</a><a>2</a><a>3</a></r>", limits);
    assert!(read.report.arguments_exceeded && read.report.error);
    assert_eq!(read.values(Kind::ArgPost).len(), 2);
    let limits = ParseLimits { xml_into_args: true, arguments: usize::MAX, ..ParseLimits::default() };
    let body = format!("<{}>{}", "n".repeat(60_000), "<a/>".repeat(20_000));
    let read = crate::read(Processor::Xml, "text/xml", &body, limits);
    assert!(read.message().contains("repeat too long a path"), "{}", read.message());
}
